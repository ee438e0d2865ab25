"""How pruning goes on from step to step: a callback that moves thresholds and masks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._types import Logs
from keras_snnkd.errors import unknown_name
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers.encoders import is_number
from keras_snnkd.layers.pruned import FIRST_TEMPERATURE, Gated, NeuronMask, Thresholded

LAST_TEMPERATURE = 1000.0
"""Of masks, before they become hard."""


def linear(done: float) -> float:
    """``done``: the width in parts of the last one, official code of STDS."""
    return done


def sine(done: float) -> float:
    """``(1 - cos(pi done)) / 2``, slow at both ends, official code of STDS."""
    return (1 - math.cos(math.pi * done)) / 2


def cubic(done: float) -> float:
    """``1 - (1 - done)^3``, fast at first (Zhu and Gupta, arXiv:1710.01878)."""
    return 1 - (1 - done) ** 3


SCHEDULES: dict[str, Callable[[float], float]] = {"linear": linear, "sine": sine, "cubic": cubic}

SCOPES = ("network", "layer", "balanced")


def temperature(step: int, first: int, last: int, start: float = FIRST_TEMPERATURE, end: float = LAST_TEMPERATURE) -> float:
    """``beta = start (end / start)^((step - first) / (last - first))``, held outside of these steps: official code of Shi et al. (2024)."""
    done = min(1.0, max(0.0, (step - first) / max(last - first, 1)))
    return start * (end / start) ** done


def check_sparsity(sparsity: Any) -> float:
    """`sparsity` as a float between 0 and 1, or a `ValueError`."""
    if not is_number(sparsity) or not 0 < sparsity < 1:
        raise ValueError(f"sparsity is the share of weights that become 0, above 0 and below 1, got {sparsity!r}")
    return float(sparsity)


class Pruning(keras.callbacks.Callback):
    """Prune a network of `prunable` while it trains: widths rise, masks become sharper and then hard.

    With the share `f` of the schedule at a step, the width of all thresholds is ``D = f width``, or, if a `sparsity` is wanted, the size
    that so many of all parameters do not exceed: their quantile at ``f sparsity``. Masks have the temperature of `temperature`, and
    their cut is 0, or likewise a quantile of the scores. After the part `over` of the training the width stays (or the
    sparsity, if that was asked for), masks are hard, and the weights that are left learn to do without the others.

    The official codes have a fixed width, and a price in place of a wanted sparsity; both are here. A quantile in place of a width is ours.

    Args:
        sparsity: The share of weights that become 0, above 0 and below 1.
        width: In its place, the last width of thresholds; masks have the cut 0 then.
        schedule: `"linear"`, `"sine"` or `"cubic"`, fast at first.
        over: The part of the training in which the network is pruned, above 0 and at most 1.
        scope: `"network"`: one width for all layers; `"layer"`: a quantile of each; `"balanced"`: one quantile for all layers of what each
            weight says among the larger ones of its layer, ``w^2 / sum of the squares that are not smaller``, which leaves layers of few
            weights denser (LAMP, arXiv:2010.07611).

    Raises:
        ValueError: For both or neither of sparsity and width, or for values that cannot be; at the start of training, for a network that
            `prunable` has not made, or epochs of an unknown number of steps.
        UnknownNameError: For an unknown schedule or scope.

    Example:
        >>> distiller.fit(data.train, epochs=10, callbacks=[kd.compress.Pruning(sparsity=0.9)])

    Source: Chen et al. (ICML 2022) and Shi et al. (ICLR 2024), official code.
    """

    def __init__(
        self,
        sparsity: float | None = None,
        width: float | None = None,
        schedule: str = "cubic",
        over: float = 0.5,
        scope: str = "balanced",
    ) -> None:
        super().__init__()
        if (sparsity is None) == (width is None):
            raise ValueError(f"pruning goes to a sparsity or to a width, got sparsity={sparsity!r} and width={width!r}")
        if width is not None and (not is_number(width) or width < 0):
            raise ValueError(f"width must be a finite number of at least 0, got {width!r}")
        if schedule not in SCHEDULES:
            raise unknown_name("schedule of pruning", schedule, SCHEDULES)
        if scope not in SCOPES:
            raise unknown_name("scope of pruning", scope, SCOPES)
        if not is_number(over) or not 0 < over <= 1:
            raise ValueError(f"over is a part of the training, above 0 and at most 1, got {over!r}")
        self.sparsity = None if sparsity is None else check_sparsity(sparsity)
        self.width = width
        self.schedule, self.over, self.scope = schedule, over, scope
        self._epoch = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        if self.params and not self.params.get("steps"):
            raise ValueError("pruning follows the steps of an epoch, and fit does not know how many there are; give it steps_per_epoch")
        layers = all_layers(self.model)
        self._thresholds: list[Any] = [layer for layer in layers if isinstance(layer, Thresholded)]
        self._masks: list[Any] = [layer for layer in layers if isinstance(layer, Gated)]
        if not self._thresholds and not self._masks:
            raise ValueError(f"{self.model.name} has nothing to prune; make its student by keras_snnkd.models.prunable(student)")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        steps = self.params["steps"]
        self.move(self._epoch * steps + batch + 1, max(1, round(self.over * self.params["epochs"] * steps)))

    def move(self, step: int, last: int) -> None:
        """Set widths and masks to where they are at a step, the schedule ending with step `last`."""
        share = SCHEDULES[self.schedule](min(1.0, step / last))
        self._move_thresholds(share)
        self._move_masks(step, last, share)

    def _move_thresholds(self, share: float) -> None:
        sizes = [np.abs(ops.convert_to_numpy(layer.trained_kernel)) for layer in self._thresholds]
        for layer, width in zip(self._thresholds, self._cuts(sizes, share, share * (self.width or 0.0)), strict=True):
            layer.width.assign(width)

    def _move_masks(self, step: int, last: int, share: float) -> None:
        synapses = [layer for layer in self._masks if not isinstance(layer, NeuronMask)]
        scores = [ops.convert_to_numpy(layer.score) for layer in synapses]
        for layer, cut in zip(synapses, self._cuts(scores, share, 0.0), strict=True):
            layer.cut.assign(cut)
        for layer in self._masks:
            layer.temperature.assign(temperature(step, 0, last))
            layer.hard.assign(float(step >= last))

    def _cuts(self, values: list[np.ndarray], share: float, fixed: float) -> list[float]:
        """For each layer, the number that so many of its values, or of all, do not exceed."""
        if self.sparsity is None or not values:
            return [fixed] * len(values)
        if self.scope == "layer":
            return [_quantile(value, share * self.sparsity) for value in values]
        if self.scope == "balanced":
            pruned = balanced([value.ravel() for value in values], share * self.sparsity)
            return [_smallest(value, count) for value, count in zip(values, pruned, strict=True)]
        return [_quantile(np.concatenate([value.ravel() for value in values]), share * self.sparsity)] * len(values)


def balanced(layers: Sequence[np.ndarray], share: float) -> list[int]:
    """How many of each layer's weights, the smallest, are among the `share` of all that says least.

    Of the weights ``w`` of a layer, ``score = w^2 / sum of the squares that are not smaller``: the last one of a layer always has 1.

    Args:
        layers: Sizes of weights, or their scores, `[N_l]` each; what is below 0 counts as 0.
        share: Of all weights, from 0 to less than 1.

    Source: LAMP, Lee et al. (ICLR 2021, arXiv:2010.07611).
    """
    scores = []
    for sizes in layers:
        squares = np.square(np.maximum(np.sort(sizes), 0.0).astype("float64"))
        left = np.cumsum(squares[::-1])[::-1]
        scores.append(np.divide(squares, left, out=np.zeros_like(squares), where=left > 0))
    together = np.concatenate(scores)
    of_layer = np.repeat(np.arange(len(scores)), [len(score) for score in scores])
    least = np.argsort(together, kind="stable")[: round(share * len(together))]
    return np.bincount(of_layer[least], minlength=len(scores)).tolist()


def _quantile(values: np.ndarray, share: float) -> float:
    """The largest of the smallest `share` of the values; something below them all where that are none."""
    return _smallest(values, round(share * values.size))


def _smallest(values: np.ndarray, count: int) -> float:
    """The largest of so many of the smallest values; something below them all where that are none."""
    if count == 0:
        return float(min(0.0, values.min()))
    return float(np.partition(values.ravel(), count - 1)[count - 1])
