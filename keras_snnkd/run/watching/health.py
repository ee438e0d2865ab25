"""Whether training goes well: NaN, an exploding loss, layers that are silent or always fire."""

import warnings
from typing import Any

import numpy as np

from keras_snnkd import graphs
from keras_snnkd._types import Logs
from keras_snnkd.distill.diverged import ADVICE, Divergence
from keras_snnkd.distill.moments import Moment, MomentEstimator
from keras_snnkd.errors import UnhealthyTrainingError, unknown_name
from keras_snnkd.files.samples import count
from keras_snnkd.metrics import ActivityMeter

ON_PROBLEM = ("warn", "stop")

EXPLODED = 10.0
"""A loss this many times as high as at first, and as high as this at least, has exploded."""

SATURATED = 0.9
"""Share of a layer's neurons that fire at every step of every image, from which on the layer is saturated."""


GAP = 0.15
"""Validation accuracy so far below that of training has a cause that is looked for."""

LAG = 2.0
"""Moving moments lag behind if standard deviations are off by this factor, or means by one standard deviation."""


class TrainingHealth(Divergence):
    """Watches a training run, names what goes wrong and says what to change.

    ============================= ====================== ==============================================================
    problem                       seen                   condition
    ============================= ====================== ==============================================================
    NaN or infinite loss          in the step            ends training in any case
    NaN or infinite weights       after the epoch        ends training in any case
    exploding loss                in the step            mean of the epoch so far above `EXPLODED` times the first loss
    silent layer                  after the epoch        no neuron fires on the sample
    saturated layer               after the epoch        `SATURATED` of its neurons fire at every step of every image
    batch norms that lag          after the epoch        a layer as above, or validation `GAP` below training, and moving moments
                                                         that are not those of the sample; told in place of the layers, never ends
                                                         training
    ============================= ====================== ==============================================================

    The first loss is that of the first step with these weights of the objectives, see `WeightSchedule`. When training is stopped, the
    model gets the weights of the last epoch that was well, or those it started with.

    Args:
        images: A sample `[N, ...]`, or of several inputs a mapping of such, on
            which the layers are looked at, some 64 images; `None` to watch the loss alone. Works for functional
            models, and for the student of a `Distiller`.
        on_problem: `"warn"`, once for each problem, or `"stop"`.

    Raises:
        UnknownNameError: For another `on_problem`.
        TrainingDivergedError: During training, for NaN and infinity.
        UnhealthyTrainingError: During training, for any other problem with `"stop"`.

    Example:
        >>> health = kd.health.TrainingHealth(images[:64], on_problem="stop")
        >>> distiller.fit(data.train, epochs=20, callbacks=[health])
    """

    def __init__(self, images: Any = None, on_problem: str = "warn") -> None:
        super().__init__()
        if on_problem not in ON_PROBLEM:
            raise unknown_name("on_problem", on_problem, ON_PROBLEM)
        self.images = images
        self.on_problem = on_problem

    def on_train_begin(self, logs: Logs = None) -> None:
        self.student: Any = getattr(self.model, "student", self.model)
        self._shown = None if self.images is None else graphs.taken(self.student, self.images)
        self._meter = None if self.images is None else ActivityMeter(self.student)
        self._moments = None if self.images is None else MomentEstimator(self.student, lambda batch: graphs.in_order(self.student, batch))
        self._steps = 0
        self._good = self.model.get_weights()
        self._told: set[str] = set()
        self._terms: str | None = None
        self._first = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._starts = True

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._steps += 1
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if self._starts:
            self._compare_with(loss)
            self._starts = False
        elif loss > EXPLODED * max(self._first, 1.0):
            what = f"the loss exploded: {loss:.4g} in epoch {self.epoch + 1}, step {batch + 1}, and {self._first:.4g} at first. {ADVICE}"
            self._problems({"loss": what}, {"loss"})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_end(epoch, logs)
        problems = self._layers()
        if (problems or _gap(logs or {}) > GAP) and (lagging := self._lagging()):
            self._warn({"moments": lagging})
            return
        self._problems(problems, set(self._meter.layers) if self._meter else set())
        if not problems:
            self._good = self.model.get_weights()

    def stop(self, error: Exception) -> None:
        """Give the model its last good weights and raise the error."""
        self.model.set_weights(self._good)
        super().stop(error)

    def _compare_with(self, loss: float) -> None:
        """Take this loss as the first one, if the loss is another sum than before."""
        describe = getattr(self.model, "describe", str)
        if self._terms != describe():
            self._terms, self._first = describe(), abs(loss)

    def _layers(self) -> dict[str, Any]:
        """What is wrong with the layers, by name."""
        if self._meter is None:
            return {}
        activity, found = self._meter(self._shown), {}
        for name, layer in self._meter.layers.items():
            where = f"on {count(self.images)} images after epoch {self.epoch + 1}"
            now = getattr(getattr(layer, "dynamics", layer), "threshold", None)  # an own neuron may leave it out
            threshold = "its threshold" if now is None else f"its threshold (now {now:g})"
            if activity.rates[name] == 0:
                found[name] = (
                    f"{name} is silent: none of its neurons fired {where}, so that what comes after it sees nothing. "
                    f"Lower {threshold}, put batch norm before it, or check that the images are in 0..1 and not all black."
                )
            elif activity.saturated[name] >= SATURATED:
                found[name] = (
                    f"{name} is saturated: {activity.saturated[name]:.0%} of its neurons fired at every step {where}, and tell nothing. "
                    f"Raise {threshold}, put batch norm before it, or lower the learning rate (--learning-rate)."
                )
        return found

    def _problems(self, found: Any, looked_at: Any) -> None:
        """Warn of what is new among what was looked at, or stop."""
        self._told -= looked_at - set(found)
        if found and self.on_problem == "stop":
            self.stop(UnhealthyTrainingError(" ".join(f"{self.student.name}: {what}" for what in found.values())))
        self._warn(found)

    def _warn(self, found: Any) -> None:
        """Warn of what is new."""
        for name, what in found.items():
            if name not in self._told:
                warnings.warn(f"{self.student.name}: {what}", stacklevel=2)
        self._told |= set(found)

    def _lagging(self) -> str:
        """That the batch norms' moving moments are not those of the network, if so: by far not, and too few steps to follow."""
        if self._moments is None or not self._moments.stale(self._steps):
            return ""
        for norm, held, seen in zip(self._moments.norms, self._moments.moving(), self._moments([self.images]), strict=True):
            if _distance(held, seen, norm.epsilon) > LAG:
                return (
                    f"batch norms lag behind: after {self._steps} steps, the moving moments of {norm.name}, with which the network is "
                    f"validated and used, are not those with which it is trained. What validation says is not what training has reached. "
                    f"Take smaller batches (--batch-size), which make more steps, or estimate the moments anew with "
                    f"keras_snnkd.distill.moments.FreshMoments(data) among the callbacks."
                )
        return ""


def _distance(held: Moment, seen: Moment, epsilon: float) -> float:
    """How far two moments are apart in the typical channel: 1 if they are equal."""
    (mean, variance), (true_mean, true_variance) = held, seen
    factor = np.exp(np.mean(np.abs(np.log((variance + epsilon) / (true_variance + epsilon)))) / 2)
    shift = np.sqrt(np.mean((mean - true_mean) ** 2 / (true_variance + epsilon)))
    return float(max(factor, 1 + shift))


def _gap(logs: dict[str, float]) -> float:
    """How far validation accuracy is below that of training."""
    both = [name for name in logs if name.endswith("accuracy") and f"val_{name}" in logs]
    return max((logs[name] - logs[f"val_{name}"] for name in both), default=0.0)
