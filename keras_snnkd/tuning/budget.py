"""What a student may cost, and what it does cost: parameters, synaptic operations, bytes and milliseconds."""

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import export, metrics
from keras_snnkd.report import formats
from keras_snnkd.run.recipes.recipe import Recipe, ResolvedRecipe

PROBES = 8
"""Images on which the file of an untrained candidate is compared with Keras."""

_SAID = {
    "parameters": ("parameters", formats.count, "max_params"),
    "synaptic_operations": ("synaptic operations per image", formats.large, "max_synops"),
    "bytes": ("bytes in the float32 file", formats.count, "max_bytes"),
    "latency_ms": ("ms per image", formats.small, "max_latency_ms"),
}


@dataclasses.dataclass(frozen=True)
class Budget:
    """The most that a student may cost; `None` for no limit.

    Args:
        parameters: Weights, as `count_params` counts them.
        synaptic_operations: Effective ones for an image, MACs and ACs, as `keras_snnkd.metrics.synaptic_operations` counts them.
        bytes: Size of the float32 `.tflite` file.
        latency_ms: Median time of that file for one image in LiteRT, on one thread of the machine that searches.

    Example:
        >>> Budget(parameters=5000).exceeded({"parameters": 5034})  # ["5,034 parameters, more than 5,000"]
    """

    parameters: float | None = None
    synaptic_operations: float | None = None
    bytes: float | None = None
    latency_ms: float | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> "Budget":
        """The limits in a recipe."""
        return cls(**{name: getattr(recipe, option) for name, (_, _, option) in _SAID.items()})

    @property
    def limits(self) -> dict[str, float]:
        """The limits there are, by name."""
        return {name: limit for name, limit in dataclasses.asdict(self).items() if limit is not None}

    def exceeded(self, costs: Mapping[str, Any]) -> list[str]:
        """What of these costs is too much, in words; costs that are not known pass."""
        found = []
        for name, limit in self.limits.items():
            if costs.get(name) is not None and costs[name] > limit:
                words, form, _ = _SAID[name]
                found.append(f"{form(costs[name])} {words}, more than {form(limit)}")
        return found

    def options(self) -> str:
        """The options that set these limits."""
        return ", ".join(f"--{_SAID[name][2].replace('_', '-')}" for name in self.limits)

    def excess(self, costs: Mapping[str, Any]) -> float:
        """How much more than its limits a student costs: the largest ``cost / limit - 1``, and 0 for one that keeps them all."""
        known = [costs[name] / limit for name, limit in self.limits.items() if costs.get(name) is not None]
        return max([0.0, *(share - 1.0 for share in known)])

    def penalty(self, costs: Mapping[str, Any]) -> float:
        """What a search takes off the accuracy of a student that costs too much, ``min(1, excess)``; nothing off one that does not."""
        return min(1.0, self.excess(costs))


class Footprints:
    """What a candidate will cost, measured on its untrained model, as far as a budget asks.

    Parameters, file and latency depend on the architecture alone, which includes T, since an exported graph is unrolled. Synaptic
    operations depend on the spikes that training brings; known before is what the first layer costs, which reads the images, and that is
    a lower bound of the whole up to the few weights that rounding makes zero.

    Args:
        budget: The limits.
        images: Real ones, float `[N, H, W, C]`.
        build: Makes the untrained model of a recipe.
    """

    def __init__(self, budget: Budget, images: np.ndarray, build: Callable[[ResolvedRecipe], keras.Model]) -> None:
        self.budget = budget
        self.images = images
        self.build = build
        self._known: dict[str, dict[str, Any]] = {}

    def __call__(self, recipe: ResolvedRecipe) -> dict[str, Any]:
        """`parameters`, and what else has a limit; the dear ones are left out if the cheap ones are too much already."""
        key = str((recipe.student, recipe.timesteps))
        if key not in self._known:
            self._known[key] = self._measure(recipe)
        return self._known[key]

    def _measure(self, recipe: ResolvedRecipe) -> dict[str, float]:
        model = self.build(recipe)
        costs: dict[str, Any] = {"parameters": model.count_params()}
        if self.budget.synaptic_operations is not None and not self.budget.exceeded(costs):
            first, *_ = metrics.synaptic_operations(model, self.images).layers.values()
            costs["synaptic_operations"] = first["effective_macs"] + first["effective_acs"]
        if (self.budget.bytes is not None or self.budget.latency_ms is not None) and not self.budget.exceeded(costs):
            with tempfile.TemporaryDirectory() as work:
                costs.update(file_costs(model, Path(work, "candidate.tflite"), self.images[:PROBES]))
        return costs


def file_costs(model: keras.Model, path: Path, images: np.ndarray) -> dict[str, float]:
    """`bytes` and `latency_ms` of a model's float32 `.tflite` file, which is written and compared with Keras on the images.

    Raises:
        ExportError: If there cannot be such a file.
    """
    written = export.litert(model, path, samples=images)
    (timed,) = export.latency(path, threads=[1])
    return {"bytes": written.bytes, "latency_ms": timed.p50_ms}
