"""Objectives for answers that get better with every time step."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.objective import Tap, as_shapes, check_positive, has_time, mean_of_steps, mean_over_time
from keras_snnkd.distill.objectives.classifiers import classifier_of, copy_to, frozen, misread
from keras_snnkd.distill.objectives.logits import TemperedObjective
from keras_snnkd.distill.objectives.self_distillation import StepTeaching


@public
class RunningMeans(StepTeaching):
    """The answer after t steps learns from the answer after one step more.

    With ``m[t]`` the mean of the logits of steps 1 to t, and no gradient through the target::

        loss = tau^2  mean over B and t < T of  KL(softmax(m[t + 1] / tau) || softmax(m[t] / tau))

    Good for networks that are run for fewer steps than they were trained with. The part TPD of MEOM (ICLR 2026), a reconstruction: the
    means are the paper's, divergence and temperature are our choice; the paper adds 0.3 of it. At T = 1 it is 0.

    Args:
        temperature: ``tau``, greater than 0.
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`.

    Raises:
        ShapeError: If the logits have no time.
        ValueError: For a temperature that is not above 0.

    Example:
        >>> kd.objectives.RunningMeans(weight=0.3).compute_loss(None, student_logits)
    """

    def __init__(self, temperature: float = 2.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        steps = student_outputs.shape[1]
        if steps == 1:
            return 0 * ops.sum(student_outputs, axis=(1, 2))
        counts = ops.reshape(ops.cast(ops.arange(1, steps + 1), student_outputs.dtype), (1, -1, 1))
        means = ops.cumsum(student_outputs, axis=1) / counts
        return mean_of_steps(self.divergence(ops.stop_gradient(means[:, 1:]), means[:, :-1]), skipped=1)


@public
class MaskedTeacher(TemperedObjective):
    """Every time step learns what the teacher would say if it saw a part of its features, another part for each step.

    With ``M[t]`` fixed random masks of zeros and ones, F the teacher's features (their mean over time), and ``W, b`` its classifier::

        z_T[t] = (M[t] F / keep) W + b
        loss   = tau^2  mean over B and T of  KL(softmax(z_T[t] / tau) || softmax(z_S[t] / tau))

    So one ordinary teacher gives each step a target of its own, and their mean is close to its answer. The part TMPD of MEOM (ICLR 2026),
    a reconstruction: masks and classifier are the paper's, their share, divergence and temperature are our choice; the paper adds 0.5 of
    it.

    Args:
        temperature: ``tau``, greater than 0.
        keep: The share of features that a step sees, above 0 and at most 1.
        seed: Of the masks.
        teacher_tap: What the teacher's classifier reads, `"features"`, by default.
        student_tap: The student's logits, by default.
        weight, name: See `Objective`.

    Reads:
        The teacher's features `[B, (T,) F]` and the student's logits `[B, T, C]`. The teacher needs a layer `classifier`. On its own,
        outside a `Distiller`, the objective gives NaN until `connect(teacher, student)` has copied it.

    Raises:
        ShapeError: If the taps have other shapes, or the teacher's classifier reads something else than its tap.
        UnknownNameError: If the teacher has no layer `classifier`.
        ValueError: For a temperature or a share out of range.

    Example:
        >>> distiller = kd.Distiller(student, teacher, [kd.objectives.MaskedTeacher(weight=0.5)])
    """

    default_tap = "features"
    needs_steps = True

    def __init__(self, temperature: float = 2.0, keep: float = 0.5, seed: int = 0, student_tap: Tap | None = None, **kwargs: Any) -> None:
        super().__init__(temperature, student_tap=student_tap or "logits", **kwargs)
        self.keep = check_positive(self, "keep", keep)
        if self.keep > 1:
            raise ValueError(f"MaskedTeacher: keep must be at most 1, got {keep!r}")
        self.seed = seed
        self.head: Any = None  # a `Dense`, once it is built
        self.masks: Any = None  # `[1, T, F]`, likewise

    @property
    def helpers(self) -> list[keras.Layer]:
        return [self.head] if self.head else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        if not has_time(student_shape) or len(student_shape) != 3 or len(teacher_shape) not in (2, 3):
            raise self.misfit(teacher_shape, student_shape, "the teacher's tap must be [B, (T,) F], the student's its logits [B, T, C]")
        self.built_shapes = (as_shapes(teacher_shape), as_shapes(student_shape))
        width, (_, steps, classes) = teacher_shape[-1], student_shape
        drawn = np.random.default_rng(self.seed).uniform(size=(1, steps, width)) < self.keep
        self.masks = drawn.astype("float32") / self.keep
        self.head = frozen(width, classes, f"{self.name}_classifier", use_bias=True)

    def connect(self, teacher: keras.Model, student: keras.Model) -> None:
        dense = classifier_of(teacher)
        if dense.kernel.shape != self.head.kernel.shape:
            raise misread(self, teacher, self.teacher_tap, str(self.head.kernel.shape[0]))
        copy_to(self.head.kernel, dense.kernel)
        copy_to(self.head.bias, dense.bias if dense.use_bias else ops.zeros_like(self.head.bias))

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        features = mean_over_time(teacher_outputs)[:, None]
        target = ops.stop_gradient(self.head(features * self.masks))
        return mean_of_steps(self.divergence(target, student_outputs))

    def get_config(self) -> Config:
        return {**super().get_config(), "keep": self.keep, "seed": self.seed}
