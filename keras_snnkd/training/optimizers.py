"""Optimizers and courses of the learning rate by name; all of them are Keras' own."""

import functools
from collections.abc import Callable
from typing import Any

import keras

from keras_snnkd.errors import unknown_name

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adamw": keras.optimizers.AdamW,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}
"""By name. Their weight decay is decoupled: each step takes off ``rate * weight_decay`` of every weight. Under momentum 0.9 that is a
tenth of what the same number does as an L2 penalty."""

WARM_UP = {"cosine": 0.0, "warmup_cosine": 0.05, "one_cycle": 0.3}
"""The part of all steps in which the rate rises, by the name of the schedule."""

ONE_CYCLE_START = 1 / 25
"""The rate at the start of `one_cycle`, in parts of its peak (Smith and Topin, arXiv:1708.07120, as in PyTorch's OneCycleLR)."""

SCHEDULES = tuple(WARM_UP)
"""The courses of the learning rate that there are."""


def check(optimizer: str, schedule: str) -> None:
    """Raise an `UnknownNameError` for an optimizer or a schedule that there is not."""
    for kind, name, known in (("optimizer", optimizer, OPTIMIZERS), ("schedule of the learning rate", schedule, SCHEDULES)):
        if name not in list(known):
            raise unknown_name(kind, name, known)


def schedule(name: str, peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate over a training.

    With `w` the share of warm-up and `s` the part of the steps that is done::

        rate = start + (peak - start) s / w                        for s < w
        rate = peak (1 + cos(pi (s - w) / (1 - w))) / 2            after that

    Args:
        name: `"cosine"` (w = 0), `"warmup_cosine"` (w = 0.05, start = 0) or `"one_cycle"` (w = 0.3, start = peak / 25).
        peak: The highest rate.
        steps: Batches in the whole training.

    Raises:
        UnknownNameError: For another name.

    Example:
        >>> keras.optimizers.SGD(schedule("one_cycle", 0.1, steps=20 * data.steps_per_epoch))
    """
    check("adamw", name)
    rising = round(WARM_UP[name] * steps)
    if not rising:
        return keras.optimizers.schedules.CosineDecay(peak, steps)
    start = peak * ONE_CYCLE_START if name == "one_cycle" else 0.0
    return keras.optimizers.schedules.CosineDecay(start, steps - rising, warmup_target=peak, warmup_steps=rising)


def optimizer(name: str, rate: Any, weight_decay: float = 0.0) -> keras.optimizers.Optimizer:
    """A new optimizer.

    Args:
        name: `"adamw"`, or `"sgd"` with Nesterov's momentum of 0.9.
        rate: A number or a schedule.
        weight_decay: Decoupled from the gradient.

    Raises:
        UnknownNameError: For another name.
    """
    check(name, "cosine")
    return OPTIMIZERS[name](rate, weight_decay=weight_decay)
