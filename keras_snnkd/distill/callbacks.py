"""Callbacks for distillation runs."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_snnkd._types import Logs
from keras_snnkd.distill import schedules
from keras_snnkd.distill.schedules import Weight


class WeightSchedule(keras.callbacks.Callback):
    """Change the weights of a distiller's loss from epoch to epoch, without tracing anything again.

    Args:
        schedules: For each objective's name, or `"label"`, a function of the epoch (0, 1, ...) that returns the weight, or plain data:
            `{"schedule": "constant" | "ramp" | "cosine" | "switch", ...}`, see `keras_snnkd.distill.schedules`.

    Raises:
        UnknownNameError: For an unknown schedule; at the start of training, for a name that is no objective.

    Example:
        >>> ramp = kd.WeightSchedule({"spike_train": {"schedule": "ramp", "over": 5}, "label": lambda epoch: 0.9**epoch})
        >>> distiller.fit(data.train, epochs=20, callbacks=[ramp])
    """

    def __init__(self, schedules: Mapping[str, Callable[[int], float] | Weight]) -> None:
        super().__init__()
        self.schedules = {name: _function(schedule) for name, schedule in schedules.items()}

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        for name, schedule in self.schedules.items():
            self.model.set_weight(name, schedule(epoch, self.params["epochs"]))


def _function(schedule: Any) -> Callable[[int, int], float]:
    """As a function of epoch and epochs."""
    return (lambda epoch, epochs: schedule(epoch)) if callable(schedule) else schedules.get(schedule)
