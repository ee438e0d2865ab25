"""Callbacks for distillation runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from keras_snnkd._types import Logs
from keras_snnkd.distill import schedules
from keras_snnkd.distill.schedules import Weight, changes_by_batch


class WeightSchedule(keras.callbacks.Callback):
    """Change the weights of a distiller's loss from epoch to epoch, or within epochs, without tracing anything again.

    Args:
        schedules: For each objective's name, or `"label"`, a function of the epoch (0, 1, ...) that returns the weight, or plain data:
            `{"schedule": "constant" | "ramp" | "cosine" | "switch" | "first_batches", ...}`, see `keras_snnkd.distill.schedules`.

    Raises:
        UnknownNameError: For an unknown schedule; at the start of training, for a name that is no objective.

    Example:
        >>> ramp = kd.WeightSchedule({"spike_train": {"schedule": "ramp", "over": 5}, "label": lambda epoch: 0.9**epoch})
        >>> distiller.fit(data.train, epochs=20, callbacks=[ramp])
    """

    def __init__(self, schedules: Mapping[str, Callable[[int], float] | Weight]) -> None:
        super().__init__()
        self.schedules = {name: _function(schedule) for name, schedule in schedules.items()}
        self._within = [name for name, schedule in schedules.items() if not callable(schedule) and changes_by_batch(schedule)]
        self._epoch = 0
        self._set: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._move(self.schedules, 0)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._move(self._within, batch)

    def _move(self, names: Iterable[str], batch: int) -> None:
        """Set the weights of these names that are to be others than they are."""
        for name in names:
            value = self.schedules[name](self._epoch, self.params["epochs"], batch)
            if batch == 0 or value != self._set[name]:
                self.model.set_weight(name, value)
            self._set[name] = value


class Pace(keras.callbacks.Callback):
    """Lets the teacher of `Coached` objectives ask for more as the student learns more.

    With q the quantity that learning lowers, 1 - accuracy or a loss on validation data, its first value and its best one so far::

        progress = max(1 - best q / first q, epoch / (epochs - 1)),       pace = start + (1 - start) progress

    so that the last epoch has the teacher itself. Of one epoch only, that is the pace from the start.

    Args:
        monitor: The metric that tells progress, on validation data.
        mode: `"max"` for a share of 1, such as accuracy; `"min"` for a loss.
        history: Metrics of the epochs before, of a training that goes on.

    Example:
        >>> distiller.fit(data.train, validation_data=data.validation, epochs=20, callbacks=[Pace()])
    """

    def __init__(self, monitor: str = "val_accuracy", mode: str = "max", history: Iterable[Mapping[str, float]] = ()) -> None:
        super().__init__()
        self.monitor, self.mode = monitor, mode
        self.seen = [float(row[monitor]) for row in history if monitor in row]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        progress = self.progress(epoch, self.params["epochs"])
        for objective in self.model.objectives:
            if getattr(objective, "pace", None) is not None:
                objective.pace.assign(objective.start + (1 - objective.start) * progress)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.monitor in (logs or {}):
            self.seen.append(float((logs or {})[self.monitor]))

    def progress(self, epoch: int, epochs: int) -> float:
        """From 0 to 1, before an epoch that is counted from 0."""
        left = [1 - value if self.mode == "max" else value for value in self.seen]
        learnt = 1 - min(left) / left[0] if left and left[0] > 0 else 0.0
        return min(1.0, max(learnt, epoch / max(1, epochs - 1) if epochs > 1 else 1.0))


def _function(schedule: Any) -> Callable[..., float]:
    """As a function of epoch, epochs and batch."""
    return (lambda epoch, epochs, batch=0: schedule(epoch)) if callable(schedule) else schedules.get(schedule)
