"""Which candidates a search may propose: the values of each setting, and the recipe that a choice of values makes."""

import contextlib
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from keras_snnkd import models
from keras_snnkd.distill import objectives as registry
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import unknown_name
from keras_snnkd.models.build import naming_widths
from keras_snnkd.models.network import neuron_arguments
from keras_snnkd.run.recipes.modes import Mode
from keras_snnkd.run.recipes.own_networks import has_own_steps
from keras_snnkd.run.recipes.recipe import Recipe, ResolvedRecipe

WIDTH_FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Widths that are tried, as multiples of the student's."""

DIGITS = 3
"""Significant digits of a number drawn from a range, so that a recipe stays readable."""

Allowed = list[Any] | dict[str, float]
"""A list of values, or a range `{"low": ..., "high": ...}` of numbers, drawn evenly on a logarithmic scale."""


class Space:
    """The settings that a search varies, and their values.

    ========================================  ===========================================  ==========================================
    setting                                   what                                         by default
    ========================================  ===========================================  ==========================================
    `width1`, `width2`, ...                   neurons or channels of each layer            0.5 to 2 times the student's
    `timesteps`                               T of the student                             the divisors of the teacher's T
    `tau`                                     time constant of the neurons (ms)            1.25 to 4
    `<objective>`                             whether the objective is in the loss         yes and no
    `<objective>.weight`                      its weight                                   0.1 to 10 times the recipe's
    `<objective>.temperature`                 its temperature, if it has one               1 to 8
    `label_weight`                            weight of the label loss while distilling    0.1 to 1, or the recipe's
    `learning_rate`                           of AdamW at the start                        0.25 to 4 times the recipe's
    ========================================  ===========================================  ==========================================

    With no objective in the loss, a candidate is the student alone. Any other argument of the neurons (`threshold`) and of an objective
    (`spike_train.window`) may be named too. The recipe's `search` goes before these values; a list of one value fixes a setting.

    Args:
        recipe: A resolved one with mode `"tune"`.

    Raises:
        UnknownNameError: For a setting in `search` that is none of these.
        ValueError: For values that are neither a list nor a range.

    Example:
        >>> Space(kd.Recipe(mode="tune", search={"timesteps": [1, 2], "tau": {"low": 1.5, "high": 3.0}}).resolved()).allowed["timesteps"]
    """

    def __init__(self, recipe: ResolvedRecipe) -> None:
        self.base = recipe
        self.spec = naming_widths(models.specification(recipe.student))
        self.neuron = self.spec.get("neuron", recipe.neuron)
        self.objectives = _named(recipe.objectives)
        self.allowed = self._defaults()
        self._optional = self._more_names()
        known = [*self.allowed, *self._optional]
        for name, values in (recipe.search or {}).items():
            if name not in known:
                raise unknown_name("setting of a search", name, known)
            self.allowed[name] = _checked(name, values, whole=name == "timesteps" or name in self._widths)
            if name in self.objectives and not _of_truth(self.allowed[name]):
                raise ValueError(f"{name} in a search says whether that objective is in the loss: true, false or both, got {values!r}")

    @property
    def _widths(self) -> list[str]:
        count = len([width for width in self.spec["widths"] if width != "pool"])
        return [f"width{number}" for number in range(1, count + 1)]

    def _defaults(self) -> dict[str, Allowed]:
        base = self.base
        counts = [width for width in self.spec["widths"] if width != "pool"]
        widths = [sorted({max(1, round(width * factor)) for factor in WIDTH_FACTORS}) for width in counts]
        found: dict[str, Allowed] = dict(zip(self._widths, widths, strict=True))
        if self.neuron != "relu":
            if not has_own_steps(base):
                found["timesteps"] = [steps for steps in range(1, base.teacher_timesteps + 1) if base.teacher_timesteps % steps == 0]
            if "tau" in neuron_arguments(self.neuron):
                found["tau"] = {"low": 1.25, "high": 4.0}
        for name, entry in self.objectives.items():
            found[name] = [True, False]
            weight = entry.get("weight", 1.0)
            if not isinstance(weight, Mapping) and weight > 0:  # a schedule stays as it is
                found[f"{name}.weight"] = {"low": weight / 10, "high": weight * 10}
            if "temperature" in _arguments(entry):
                found[f"{name}.temperature"] = {"low": 1.0, "high": 8.0}
        if not isinstance(base.label_weight, Mapping):
            found["label_weight"] = {"low": 0.1, "high": 1.0} if base.label_weight is None else [base.label_weight]
        found["learning_rate"] = {"low": base.learning_rate / 4, "high": base.learning_rate * 4}
        return found

    def _more_names(self) -> list[str]:
        """Settings that are searched only where the recipe names them."""
        neurons = [] if self.neuron == "relu" else neuron_arguments(self.neuron)
        arguments = [f"{name}.{argument}" for name, entry in self.objectives.items() for argument in _arguments(entry)]
        return [name for name in [*neurons, *arguments] if name not in self.allowed]

    def register(self, parameters: Any) -> None:
        """Declare every setting to a `keras_tuner.HyperParameters`."""
        for name, allowed in self.allowed.items():
            owner = name.split(".")[0]
            if owner != name and True not in self.allowed[owner]:
                continue
            depends = owner != name and len(self.allowed[owner]) > 1
            with parameters.conditional_scope(owner, [True]) if depends else contextlib.nullcontext():
                _declare(parameters, name, allowed)

    def corner(self, which: Callable[[Sequence[Any]], Any]) -> dict[str, Any]:
        """The candidate of the least (`min`) or the largest (`max`) values, with every objective that may be in the loss."""
        found = {}
        for name, allowed in self.rest():
            found[name] = which([allowed["low"], allowed["high"]] if isinstance(allowed, dict) else allowed)
        return {**found, **{name: True in self.allowed[name] for name in self.objectives}}

    def rest(self) -> Iterator[tuple[str, Allowed]]:
        """All settings but those that put objectives into the loss."""
        return ((name, allowed) for name, allowed in self.allowed.items() if name not in self.objectives)

    def recipe(self, values: Mapping[str, Any], epochs: int) -> ResolvedRecipe:
        """The recipe that trains one candidate, resolved; `python train.py --recipe` runs it.

        Args:
            values: Of each setting; those of objectives that are not in the loss may be missing.
            epochs: To train for.
        """
        values = {name: _short(value) for name, value in values.items()}
        spec = {name: value for name, value in self.spec.items() if name != "timesteps"}
        widths = iter(self._widths)
        spec["widths"] = [width if width == "pool" else values[next(widths)] for width in spec["widths"]]
        spec.update({name: values[name] for name in neuron_arguments(self.neuron) if name in values})
        steps = values.get("timesteps", self.base.timesteps)
        loss = [self._objective(name, entry, values, steps) for name, entry in self.objectives.items() if values[name]]
        changed: dict[str, Any] = {
            "mode": (Mode.DISTILL if loss else Mode.BASELINE).value,
            "student": spec,
            "timesteps": steps,
            "objectives": loss,
            "learning_rate": values["learning_rate"],
            "label_weight": values.get("label_weight", self.base.label_weight) if loss else 1.0,
            "epochs": epochs,
        }
        searched: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Recipe) if field.name in SEARCH_FIELDS}
        return dataclasses.replace(self.base, **changed, **searched).resolved()

    def _objective(self, name: str, entry: Any, values: Any, steps: Any) -> Any:
        """The mapping of one objective with the candidate's values."""
        prefix = f"{name}."
        chosen = {**entry, **{key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}}
        if chosen.get("window"):
            chosen["window"] = min(chosen["window"], steps)
        return chosen


SEARCH_FIELDS = ("tuner", "trials", "search", "max_params", "max_synops", "max_bytes", "max_latency_ms")
"""Fields of a recipe that only a search uses."""


def _named(entries: Any) -> dict[str, dict[str, Any]]:
    """The objectives by name."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        entry = {"objective": entry} if isinstance(entry, str) else dict(entry)
        name = base = entry.get("name", entry["objective"])
        number = 1
        while name in found:
            number += 1
            name = f"{base}_{number}"
        found[name] = entry
    return found


def _arguments(entry: Any) -> list[str]:
    """The arguments of an objective."""
    known = [*inspect.signature(type(registry.get(entry))).parameters, *inspect.signature(Objective).parameters]
    return [name for name in dict.fromkeys(known) if name not in ("kwargs", "name")]


def _checked(name: str, values: Any, whole: bool) -> Allowed:
    """Values as given by a user, in one type."""
    kinds = (bool, int, float, str)
    if isinstance(values, Mapping):
        low, high = (values.get(end, math.nan) for end in ("low", "high"))
        numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high))
        if set(values) != {"low", "high"} or not numbers or not 0 < low < high < math.inf or whole:
            expected = "a list of whole numbers" if whole else "{'low': a, 'high': b} with 0 < a < b"
            raise ValueError(f"the range of {name} in a search is {expected}, got {dict(values)!r}")
        return {"low": float(low), "high": float(high)}
    if not isinstance(values, list) or not values or not all(isinstance(value, kinds) for value in values):
        raise ValueError(f"{name} in a search is a list of values, or a range {{'low': a, 'high': b}}, got {values!r}")
    if whole and not all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values):
        raise ValueError(f"{name} in a search is a list of whole numbers above 0, got {values!r}")
    if any(isinstance(value, float) for value in values):
        values = [float(value) if isinstance(value, int) else value for value in values]
    if len({type(value) for value in values}) > 1:
        raise ValueError(f"the values of {name} in a search are all numbers or all words, got {values!r}")
    return list(dict.fromkeys(values))


def _of_truth(allowed: Allowed) -> bool:
    """Whether values are true and false alone."""
    return isinstance(allowed, list) and all(isinstance(value, bool) for value in allowed)


def _declare(parameters: Any, name: str, allowed: Any) -> None:
    if isinstance(allowed, dict):
        parameters.Float(name, allowed["low"], allowed["high"], sampling="log")
    elif len(allowed) == 1:
        parameters.Fixed(name, allowed[0])
    elif isinstance(allowed[0], bool):
        parameters.Boolean(name)
    else:
        parameters.Choice(name, allowed)


def _short(value: Any) -> Any:
    """Plain data, and no more digits than say something."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
