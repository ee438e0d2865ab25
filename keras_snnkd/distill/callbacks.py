"""Callbacks for distillation runs."""

from collections.abc import Callable, Mapping

import keras


class WeightSchedule(keras.callbacks.Callback):
    """Change the weights of a distiller's loss from epoch to epoch, without tracing anything again.

    Args:
        schedules: For each objective's name, or `"label"`, a function of the epoch (0, 1, ...) that returns the weight.

    Raises:
        UnknownNameError: At the start of training, for a name that is no objective.

    Example:
        >>> ramp = kd.WeightSchedule({"spike_train": lambda epoch: min(1.0, epoch / 5)})
        >>> distiller.fit(data.train, epochs=20, callbacks=[ramp])
    """

    def __init__(self, schedules: Mapping[str, Callable[[int], float]]):
        super().__init__()
        self.schedules = dict(schedules)

    def on_epoch_begin(self, epoch, logs=None):
        for name, schedule in self.schedules.items():
            self.model.set_weight(name, schedule(epoch))
