"""Weights of the loss as functions of epoch and batch, in plain data: a number, or a mapping with the key `schedule`."""

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from keras_snnkd.errors import unknown_name

Weight = float | Mapping[str, Any]
"""A number, or a mapping such as `{"schedule": "ramp", "start": 0.0, "end": 1.0}`."""


def constant(epoch: int, epochs: int, value: float = 1.0) -> float:
    """``value``, in every epoch."""
    return value


def ramp(epoch: int, epochs: int, start: float = 0.0, end: float = 1.0, over: int | None = None) -> float:
    """``start + (end - start) min(1, epoch / over)``: a straight line, over all epochs unless `over` says fewer.

    The last epoch is number ``epochs - 1``, so that a line over all epochs just misses `end`: TKS (arXiv:2304.06540, official code).
    """
    return start + (end - start) * _part(epoch, over or epochs)


def cosine(epoch: int, epochs: int, start: float = 1.0, end: float = 0.0, over: int | None = None) -> float:
    """``end + (start - end) (1 + cos(pi min(1, epoch / over))) / 2``: half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * _part(epoch, over or epochs))) / 2


def switch(epoch: int, epochs: int, before: float = 1.0, after: float = 0.0, at: int = 1) -> float:
    """``before`` in epochs 0 to ``at - 1``, ``after`` from epoch `at` on."""
    return before if epoch < at else after


def first_batches(batch: int, before: float = 1.0, after: float = 0.0, at: int = 1) -> float:
    """``before`` in batches 0 to ``at - 1`` of every epoch, ``after`` in the others: SAKD on ImageNet (official code)."""
    return before if batch < at else after


_BY_EPOCH: dict[str, Callable[..., float]] = {"constant": constant, "ramp": ramp, "cosine": cosine, "switch": switch}

_BY_BATCH: dict[str, Callable[..., float]] = {"first_batches": first_batches}

_BY_NAME = {**_BY_EPOCH, **_BY_BATCH}


_WEIGHTS = ("value", "start", "end", "before", "after")
"""The arguments that are weights, and no epochs."""


def names() -> list[str]:
    """The schedules that there are."""
    return list(_BY_NAME)


def changes_by_batch(weight: Weight) -> bool:
    """Whether a weight changes within an epoch."""
    return isinstance(weight, Mapping) and weight.get("schedule") in list(_BY_BATCH)


def get(weight: Weight, what: str = "a weight") -> Callable[..., float]:
    """The function ``(epoch, epochs, batch=0) -> weight`` of a number or a mapping.

    Args:
        weight: A number of at least 0, or `{"schedule": name, ...}` with the arguments of `constant`, `ramp`, `cosine`,
            `switch` or `first_batches`.
        what: How to call it in errors.

    Returns:
        The function; epochs and batches count from 0, `epochs` is how many there will be.

    Raises:
        UnknownNameError: For an unknown schedule or argument; the nearest is offered.
        ValueError: For anything that is no number of at least 0, and for `over` or `at` that is no whole number above 0.

    Example:
        >>> get({"schedule": "ramp", "start": 1.0, "end": 0.3})(10, 20)  # 0.65
    """
    if not isinstance(weight, Mapping):
        weight = {"schedule": "constant", "value": weight}
    arguments = dict(weight)
    name = arguments.pop("schedule", None)
    if name not in list(_BY_NAME):
        raise unknown_name("schedule", name, _BY_NAME)
    function = _BY_NAME[name]
    by_batch = name in _BY_BATCH
    known = list(inspect.signature(function).parameters)[1 if by_batch else 2 :]
    for argument, value in arguments.items():
        if argument not in known:
            raise unknown_name(f"argument of the schedule {name}", argument, known)
        whole = argument in ("over", "at")
        number = isinstance(value, int if whole else Real) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < (1 if whole else 0):
            counted = "batches" if by_batch else "epochs"
            expected = f"a whole number of {counted} above 0" if whole else "a number of at least 0"
            place = what if name == "constant" else f"{what}'s {argument} ({name})"
            raise ValueError(f"{place} must be {expected}, got {value!r}")
    if by_batch:
        return lambda epoch, epochs, batch=0: float(function(batch, **arguments))
    return lambda epoch, epochs, batch=0: float(function(epoch, epochs, **arguments))


def first(weight: Weight) -> float:
    """The weight in the first batch, which depends on no number of epochs."""
    return get(weight)(0, 1)


def scaled(weight: Weight, factor: float) -> Weight:
    """The weight times `factor`, in every epoch.

    Example:
        >>> scaled({"schedule": "ramp", "start": 0.0, "end": 1.0}, 2.0)  # ends at 2.0
    """
    if not isinstance(weight, Mapping):
        return weight * factor
    return {name: value * factor if name in _WEIGHTS else value for name, value in weight.items()}


def _part(epoch: float, over: float) -> float:
    return min(1.0, epoch / over)
