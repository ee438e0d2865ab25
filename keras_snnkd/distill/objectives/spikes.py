"""Objectives on spike trains."""

import math
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, check_positive, has_time, mean_of_sample, mean_of_steps, real_steps


@public
class SpikeTrain(Objective):
    """Match the teacher's spike trains, compared over windows of time.

    With K windows of ``omega`` steps, ``c[k] = (1/omega) sum of s[t] over window k`` is the rate of each neuron in each window::

        loss = mean over B, K and neurons of (c_student - c_teacher)^2

    `window=1` compares spike by spike, `window=T` the spike counts (as rates). With `filter_tau`, the trains are filtered instead,
    ``e[t] = rho e[t-1] + s[t]`` with ``rho = exp(-1 / filter_tau)``, and compared at every step (van Rossum, 2001, Neural Computation
    13:751).

    This is the idea of the founding paper (Kushawaha et al., "Distilling Spikes", ICPR 2020, arXiv:2005.00288), whose equations we
    could not read: a reconstruction, not the published loss.

    Args:
        window: Steps of the student in a window; `None` means all of them.
        stride: Steps from one window to the next; the window by default, so that windows do not overlap.
        filter_tau: Time constant in ms (1 ms per step) of the exponential filter; excludes `window` and `stride`.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks.

    Reads:
        Spikes `[B, T, N]` or `[B, T, H, W, D]` of both models, output or hidden. A teacher with ``T_teacher = m T`` is compared over
        windows ``m`` times as long. Larger maps are averaged down to the smaller ones; where widths differ, a trained projection brings
        the student's to the teacher's (see `keras_snnkd.distill.align`). Steps at the end that fill no window do not count. In padded
        series a window's rate is that of its steps that are no padding, and a window without any does not count.

    Raises:
        ShapeError: If a tap has no time axis, a window does not fit, or the T's do not.

    Example:
        >>> kd.objectives.SpikeTrain(window=2).compute_loss(teacher_spikes, student_spikes)  # [B, T, N] each
    """

    default_tap = "neurons"

    needs_time = True

    def __init__(self, window: int | None = None, stride: int | None = None, filter_tau: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("window", window), ("stride", stride)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"SpikeTrain: {name} must be a whole number of time steps above 0, got {value!r}")
        if filter_tau is not None and (window or stride):
            raise ValueError("SpikeTrain: give filter_tau, or window and stride, not both")
        self.window = window
        self.stride = stride
        self.filter_tau = filter_tau if filter_tau is None else check_positive(self, "filter_tau", filter_tau)
        self.align: Any = None  # an `Alignment`, once it is built

    @property
    def reads_steps(self) -> bool:
        steps = self.built_shapes[1][1] if self.built_shapes else None
        return bool(self.filter_tau) or self.window not in (None, steps)

    @property
    def helpers(self) -> list[keras.Layer]:
        return self.align.helpers if self.align else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        if not has_time(teacher_shape) or not has_time(student_shape):
            raise self.misfit(
                teacher_shape,
                student_shape,
                "both must be spike trains [B, T, ...]; for a teacher without time use another objective, "
                "such as FeatureMap or SoftTargets (--objective soft_targets)",
            )
        teacher_steps, steps = teacher_shape[1], student_shape[1]
        if teacher_steps != steps and (self.filter_tau or teacher_steps % steps):
            raise self.misfit(
                teacher_shape, student_shape, f"the teacher's T must be {'' if self.filter_tau else 'a multiple of '}the student's"
            )
        if self.window and self.window > steps:
            raise self.misfit(teacher_shape, student_shape, f"the window of {self.window} steps is longer than the student's T={steps}")
        self.align = Alignment(self, teacher_shape, student_shape)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        if self.filter_tau:
            teacher, student = self.align(self._filtered(teacher_outputs), self._filtered(student_outputs))
            return mean_of_sample(mean_of_steps(ops.square(student - teacher)))
        steps = student_outputs.shape[1]
        window = self.window or steps
        stride = self.stride or window
        ratio = teacher_outputs.shape[1] // steps
        teacher, _ = _window_rates(teacher_outputs, window * ratio, stride * ratio)
        student, real = _window_rates(student_outputs, window, stride)
        teacher, student = self.align(teacher, student)
        squares = ops.square(student - teacher)
        if real is None:
            return mean_of_sample(squares)
        return ops.sum(_of_windows(squares) * real, axis=1) / ops.sum(real, axis=1)

    def _filtered(self, spikes: Tensor) -> Tensor:
        assert self.filter_tau is not None
        decay = math.exp(-1 / self.filter_tau)
        trace, traces = 0.0, []
        for spike in ops.unstack(spikes, axis=1):
            trace = decay * trace + spike
            traces.append(trace)
        return ops.stack(traces, axis=1)

    def get_config(self) -> Config:
        return {**super().get_config(), "window": self.window, "stride": self.stride, "filter_tau": self.filter_tau}


def _window_rates(spikes: Tensor, window: int, stride: int) -> tuple[Tensor, Tensor | None]:
    """Rates `[B, K, ...]` of the windows that fit into `[B, T, ...]`; and if there is padding, which hold more than it, `[B, K]`."""
    real = real_steps(spikes)
    steps = ops.unstack(
        spikes if real is None else spikes * real, axis=1
    )  # once: a slice's gradient writes the whole tensor for each window
    starts = range(0, len(steps) - window + 1, stride)
    sums = ops.stack([sum(steps[start : start + window]) for start in starts], axis=1)
    if real is None:
        return sums / window, None
    counts = ops.stack([ops.sum(real[:, start : start + window], axis=1) for start in starts], axis=1)
    return sums / ops.maximum(counts, 1.0), ops.cast(_of_windows(counts) > 0, sums.dtype)


def _of_windows(x: Tensor) -> Tensor:
    """The mean of each window `[B, K, ...]`, `[B, K]`."""
    return ops.mean(ops.reshape(x, (-1, x.shape[1], math.prod(x.shape[2:]))), axis=-1)
