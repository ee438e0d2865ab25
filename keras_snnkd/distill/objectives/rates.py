"""Objectives on firing rates."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, mean_of_sample, mean_over_time
from keras_snnkd.errors import unknown_name

PER = ("channel", "layer")


@public
class FiringRate(Objective):
    """Match the teacher's firing rates, without regard to when or where in the map its neurons fire.

    With the rate ``r[d]`` of channel d, the mean of its spikes over time and space::

        loss = mean over B and D of (r_student - r_teacher)^2

    An ANN's activations stand for rates as they are; they are comparable where the ANN's activations lie in 0..1. For rates of single
    neurons use `SpikeTrain` (its window is all of T by default) or `FeatureMap`.

    Args:
        per: `"channel"` (above), or `"layer"`: one mean rate for all channels, which needs no equal widths.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks.

    Reads:
        Spikes or activations `[B, T, N]`, `[B, T, H, W, D]`, `[B, N]` or `[B, H, W, D]`. T and map sizes may differ. Where the numbers of
        channels differ, a trained projection brings the student's to the teacher's.

    Raises:
        UnknownNameError: For an unknown `per`.

    Example:
        >>> kd.objectives.FiringRate(per="layer").compute_loss(teacher_spikes, student_spikes)
    """

    default_tap = "neurons"
    needs_time = True

    def __init__(self, per: str = "channel", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if per not in PER:
            raise unknown_name("per", per, PER)
        self.per = per
        self.align: Any = None  # an `Alignment`, once it is built

    @property
    def helpers(self) -> list[keras.Layer]:
        return self.align.helpers if self.align else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        if self.per == "channel":
            self.align = Alignment(self, (None, teacher_shape[-1]), (None, student_shape[-1]))

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = _rates(teacher_outputs), _rates(student_outputs)
        if self.per == "layer":
            return ops.square(ops.mean(student, axis=1) - ops.mean(teacher, axis=1))
        teacher, student = self.align(teacher, student)
        return mean_of_sample(ops.square(student - teacher))

    def get_config(self) -> Config:
        return {**super().get_config(), "per": self.per}


def _rates(x: Tensor) -> Tensor:
    """`[B, (T,) (H, W,) D]` to the mean over all but batch and channels, `[B, D]`."""
    x = mean_over_time(x)
    return ops.mean(x, axis=(1, 2)) if len(x.shape) == 4 else x
