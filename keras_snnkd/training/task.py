"""What a network is trained for: its label loss, its metrics, and by which of them the best epoch is found."""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.errors import KDError, unknown_name
from keras_snnkd.training.labels import LabelCrossEntropy, label_accuracy

MODES = ("max", "min")


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of one's own, for a `Stage`: anything with a loss.

    Args:
        loss: Of labels and outputs: what Keras' `compile` takes, such as a name, a function or a `keras.losses.Loss`.
        metrics: Names, functions or `keras.metrics.Metric`s, told after each epoch for training and validation.
        monitor: The metric by which the best epoch is found, on validation data; `"loss"` is the label loss. `None` keeps the last epoch.
        mode: `"min"` if its lowest value is the best, else `"max"`.
        classes: Whether outputs are the logits of classes. Of other tasks outputs are numbers: `[B, N]` of a regression, or `[B, H, W, D]`
            of a dense map, and nobody takes a softmax or an argmax of them.
        name: In records.

    Raises:
        UnknownNameError: For an unknown mode, or a metric to monitor that is not among the metrics.

    Example:
        >>> kd.Stage("student", make_student, "teacher", objectives=["feature_map"], task=kd.Task("mse", ["mae"], "mae"))
    """

    loss: Any
    metrics: Sequence[Any] = ()
    monitor: str | None = "loss"
    mode: str = "min"
    classes: bool = False
    name: str = "own"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise unknown_name("mode", self.mode, MODES)
        names = ["loss", *(_name(metric) for metric in self.metrics)]
        if self.monitor is not None and self.monitor not in names:
            raise unknown_name("metric to monitor", self.monitor, names)

    def fresh_metrics(self) -> list[Any]:
        """The metrics for one more training: those that hold numbers are made anew."""
        if self is CLASSES:
            return [label_accuracy()]
        return [type(m).from_config(m.get_config()) if isinstance(m, keras.metrics.Metric) else copy.copy(m) for m in self.metrics]

    def label_loss(self, smoothing: float, from_logits: bool, class_weights: Sequence[float] | None) -> Any:
        """What `compile` gets as its loss.

        Raises:
            KDError: For smoothed or weighted classes of a task that has none.
        """
        if self is CLASSES:
            return LabelCrossEntropy(smoothing, from_logits=from_logits, class_weights=class_weights)
        if smoothing or class_weights is not None:
            raise KDError(f"label_smoothing and class_weights are of the task 'classes'; the task {self.name!r} has a loss of its own")
        return self.loss

    def record(self) -> Any:
        """The task as plain data: two that are told alike train alike."""
        if self is TASKS.get(self.name):
            return self.name
        return {
            "loss": _told(self.loss), "metrics": [_told(metric) for metric in self.metrics],
            "monitor": self.monitor, "mode": self.mode, "classes": self.classes,
        }  # fmt: skip


def get(task: "str | Task") -> Task:
    """The task of a name, or one of one's own as it is.

    Raises:
        UnknownNameError: For an unknown name.
        TypeError: For anything else.
    """
    if isinstance(task, Task):
        return task
    if not isinstance(task, str):
        raise TypeError(f"a task is {', '.join(map(repr, TASKS))} or a keras_snnkd.Task, got {task!r}")
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    return TASKS[task]


def _name(metric: Any) -> str:
    """What Keras calls a metric."""
    if isinstance(metric, str):
        return metric
    return str(getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__))


def _told(part: Any) -> Any:
    """A loss or metric as plain data."""
    if isinstance(part, (str, dict)):
        return part
    if isinstance(part, (keras.losses.Loss, keras.metrics.Metric)):
        return {"class_name": type(part).__name__, "config": part.get_config()}
    return getattr(part, "__name__", type(part).__name__)


def no_label_loss(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """0 for each sample: of a task without labels, in which the teacher alone teaches."""
    return ops.zeros_like(y_pred[:, 0])


@public
class SquaredDeviations(keras.losses.Loss):
    """The squared error of numbers, each in deviations of its own::

        loss = mean over all numbers of ((y - z) / deviation)^2

    Args:
        deviation: Of each of the N numbers.
        **kwargs: Of `keras.losses.Loss`.

    Example:
        >>> distiller.compile("adam", SquaredDeviations(labels.std(axis=0)))
    """

    def __init__(self, deviation: Sequence[float], name: str = "squared_deviations", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.deviation = [float(number) for number in deviation]

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each sample `[B, ...]`, of numbers `[B, ..., N]`."""
        difference = ops.cast(y_true, y_pred.dtype) - y_pred
        return ops.mean(ops.square(difference / ops.cast(ops.convert_to_tensor(self.deviation), y_pred.dtype)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "deviation": self.deviation}


def regression_in(deviation: Sequence[float]) -> Task:
    """The task of numbers whose errors count in these deviations, so that large numbers weigh no more than small ones."""
    return Task(SquaredDeviations(deviation), ["mean_absolute_error"], "loss", "min", name="regression_in_deviations")


CLASSES = Task(None, ("accuracy",), "accuracy", "max", classes=True, name="classes")
REGRESSION = Task("mean_squared_error", ["mean_absolute_error"], "loss", "min", name="regression")

UNLABELLED = Task(no_label_loss, (), None, classes=True, name="unlabelled")

TASKS = {"classes": CLASSES, "regression": REGRESSION, "unlabelled": UNLABELLED}
"""Tasks by name."""
