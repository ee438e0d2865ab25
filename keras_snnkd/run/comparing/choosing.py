"""What each arm of a comparison chooses for itself on validation images: its learning rate, and how much its objectives weigh."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras_snnkd.distill import objectives, schedules
from keras_snnkd.distill.methods import Method


class Setting(NamedTuple):
    """What an arm is trained with.

    Args:
        rate: The learning rate.
        weight: Factor of the weights of all its objectives.
    """

    rate: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Of the folder in which arms are trained so."""
        return f"rate{self.rate:g}_weight{self.weight:g}"


def first_trials(rates: Sequence[float]) -> list[Setting]:
    """What every arm tries first: each learning rate, at the method's own weights."""
    return [Setting(float(rate)) for rate in rates]


def more_trials(best: Setting, weights: Sequence[float], taught: bool, rates: Sequence[float] = ()) -> list[Setting]:
    """What an arm tries after that: with objectives, other weights of them at its best rate; without, as many rates around that one.

    So all arms have equally many trials, the student alone included.

    Args:
        best: The best of the first trials.
        rates: Those that have been tried; where a factor leads to one of them, that in the middle, by ratio, is taken.
        weights: Factors; 1, which has been tried, is left out.
        taught: Whether the arm has objectives.

    Example:
        >>> more_trials(Setting(1e-3), [0.5, 1, 2], taught=False)  # rates 5e-4 and 2e-3
    """
    factors = [float(weight) for weight in weights if weight != 1]
    if taught:
        return [best._replace(weight=factor) for factor in factors]
    found: list[float] = []
    for factor in factors:
        rate = _rounded(best.rate * factor)
        while rate in (*rates, *found) and rate != best.rate:
            rate = _rounded((rate * best.rate) ** 0.5)
        found.append(rate)
    return [best._replace(rate=rate) for rate in found]


def _rounded(rate: float) -> float:
    return float(f"{rate:.4g}")


def best_of(tried: Mapping[Setting, float]) -> Setting:
    """The setting with the highest validation accuracy; of equal ones the first that was tried."""
    return max(tried, key=lambda setting: tried[setting])


def edge_of(tried: Mapping[Setting, float]) -> str | None:
    """`"highest"` or `"lowest"` where the best of several learning rates is that one, so that others beyond it may be better."""
    rates, best = {setting.rate for setting in tried}, best_of(tried).rate
    if len(rates) < 2 or best not in (min(rates), max(rates)):
        return None
    return "highest" if best == max(rates) else "lowest"


def weighted(method: Method, factor: float) -> Method:
    """A method whose objectives weigh `factor` times as much; label losses, of steps and exits too, stay as they are."""
    return dataclasses.replace(method, objectives=tuple(_weighted(entry, factor) for entry in method.objectives))


def _weighted(entry: str | Mapping[str, Any], factor: float) -> dict[str, Any]:
    made = objectives.get(entry)
    if made.labels_alone:
        return {"objective": entry} if isinstance(entry, str) else dict(entry)
    weight = getattr(made, "weight_schedule", None) or made.weight
    mapping = {"objective": entry} if isinstance(entry, str) else dict(entry)
    if isinstance(made, objectives.Exits):  # beside whose distances there are labels
        return {**mapping, "distillation_weight": factor * made.distillation_weight}
    return {**mapping, "weight": schedules.scaled(weight, factor)}
