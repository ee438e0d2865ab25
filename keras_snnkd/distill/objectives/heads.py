"""Objectives that judge the student's features by the teacher's classifier."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, Tap, check_positive, mean_over_time
from keras_snnkd.distill.objectives.classifiers import classifier_of, copy_to, frozen, is_pair, misread
from keras_snnkd.distill.objectives.logits import SoftTargets


@public
class TeacherHead(Objective):
    """Match the teacher's class probabilities with the student's features, read by the teacher's own, frozen classifier.

    With ``F`` the mean over time of what the student's classifier reads, `align` a trained projection where the teacher's classifier
    reads another number of features, and ``W, b`` the teacher's classifier::

        z    = align(F_student) W + b
        loss = tau^2  mean over B of  sum over C of  p (log p - log q),  p = softmax(z_teacher / tau),  q = softmax(z / tau)

    This asks of the student's features that the teacher's classifier can use them, no more. A reconstruction of the LAF loss of
    EnOF-SNN (Guo et al., NeurIPS 2024) from descriptions of it; its temperature and weight are not known to us.

    Args:
        temperature: ``tau``, greater than 0.
        teacher_tap: What the teacher's classifier reads, and its logits; `("features", "logits")` by default. The first tells the width
            alone.
        student_tap: What the student's classifier reads, `"features"`, by default.
        weight, name: See `Objective`.

    Reads:
        Of the teacher features `[B, (T,) F]` and logits `[B, (T,) C]`, of the student features `[B, (T,) F']`. Both models need a layer
        `classifier`. On its own, outside a `Distiller`, the objective gives NaN until `connect(teacher, student)` has copied the
        classifier.

    Raises:
        ShapeError: If the taps have other shapes, or the teacher's classifier reads something else than its tap.
        UnknownNameError: If a model has no layer `classifier`.

    Example:
        >>> distiller = kd.Distiller(student, teacher, [kd.objectives.TeacherHead(temperature=2.0)])
    """

    default_tap = ("features", "logits")

    def __init__(self, temperature: float = 4.0, student_tap: Tap | None = None, **kwargs: Any) -> None:
        super().__init__(student_tap=student_tap or "features", **kwargs)
        self.temperature = check_positive(self, "temperature", temperature)
        self.soft_targets = SoftTargets(self.temperature)
        self.align: Any = None  # an `Alignment`, once it is built
        self.head: Any = None  # a `Dense`, likewise

    @property
    def helpers(self) -> list[keras.Layer]:
        return [*self.align.helpers, self.head] if self.head else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = self.built_shapes
        if not (is_pair(teacher) and all(len(shape) in (2, 3) for shape in (*teacher, student))) or is_pair(student):
            raise self.misfit(
                teacher, student, "the teacher's taps must be [B, (T,) F] and its logits [B, (T,) C], the student's tap [B, (T,) F]"
            )
        width, classes = (shape[-1] for shape in teacher)
        self.align = Alignment(self, (None, width), (None, student[-1]))
        self.head = frozen(width, classes, f"{self.name}_classifier", use_bias=True)

    def connect(self, teacher: keras.Model, student: keras.Model) -> None:
        dense = classifier_of(teacher)
        if dense.kernel.shape != self.head.kernel.shape:
            raise misread(self, teacher, self.teacher_tap[0], str(self.head.kernel.shape[0]))
        copy_to(self.head.kernel, dense.kernel)
        copy_to(self.head.bias, dense.bias if dense.use_bias else ops.zeros_like(self.head.bias))

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        _, logits = teacher_outputs
        _, features = self.align(None, mean_over_time(student_outputs))
        return self.soft_targets.losses(logits, self.head(features))

    def get_config(self) -> Config:
        return {**super().get_config(), "temperature": self.temperature}
