"""What the objectives share that compare layers pair by pair."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Config, Shape, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, taps_of
from keras_snnkd.distill.taps import stage_names

_TINY = 1e-12

STAGES = "stages"
"""As a tap: the last neurons of each of the student's stages, and the teacher's layers of the same names."""


class LayerPairs(Objective):
    """Base of objectives that compare a layer of the teacher with one of the student, or several pairs, whose losses add up.

    A subclass implements `pair_losses`. Each pair is brought to one map size and one width by an `Alignment` of its own. The tap
    `"stages"` is that of the last neurons of each map size in the student, and of the layers of the same names in a teacher of its shape.

    Raises:
        ValueError: If the two models are not tapped at equally many layers.
    """

    default_tap = "neurons"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        teacher, student = taps_of(self.teacher_tap), taps_of(self.student_tap)
        if len(teacher) != len(student):
            raise ValueError(
                f"{type(self).__name__}: teacher_tap and student_tap must name equally many layers, which are compared in order; "
                f"got {len(teacher)} ({', '.join(teacher)}) and {len(student)} ({', '.join(student)})"
            )
        self.by_stages = self.teacher_tap == self.student_tap == STAGES
        self.alignments: list[Alignment] = []

    def prepare(self, student: keras.Model) -> None:
        if self.by_stages:
            self.teacher_tap = self.student_tap = stage_names(student)

    @property
    def helpers(self) -> list[keras.Layer]:
        return [helper for alignment in self.alignments for helper in alignment.helpers]

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        pairs = zip(*(shapes if isinstance(shapes[0], tuple) else (shapes,) for shapes in self.built_shapes), strict=True)
        self.alignments = [self.alignment(*pair) for pair in pairs]

    def alignment(self, teacher_shape: Shape, student_shape: Shape) -> Alignment:
        """What brings one pair together; a place to check its shapes."""
        return Alignment(self, teacher_shape, student_shape)

    def get_config(self) -> Config:
        taps = {"teacher_tap": STAGES, "student_tap": STAGES} if self.by_stages else {}
        return {**super().get_config(), **taps}

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        pairs = zip(_listed(teacher_outputs), _listed(student_outputs), self.alignments, strict=True)
        return sum(self.pair_losses(teacher, student, align) for teacher, student, align in pairs)

    def pair_losses(self, teacher: Tensor, student: Tensor, align: Alignment) -> Tensor:
        """The loss of each sample for one pair, `[B]`; ``teacher, student = align(teacher, student)`` makes their shapes equal."""
        raise NotImplementedError(f"{type(self).__name__} must define pair_losses(teacher, student, align)")


def _listed(outputs: Tensor) -> Sequence[Tensor]:
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def flat(x: Tensor) -> Tensor:
    """All but the batch axis as one, `[B, ...] -> [B, N]`."""
    return ops.reshape(x, (ops.shape(x)[0], -1))


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of all elements; where they are all 0, they get no gradient."""
    return ops.sqrt(ops.maximum(ops.sum(ops.square(x)), _TINY))


def unit(x: Tensor) -> Tensor:
    """Rows `[B, N]` of norm 1; a row of zeros stays one, and gets no gradient."""
    squares = ops.sum(ops.square(x), axis=1, keepdims=True)
    return ops.where(squares > _TINY, x / ops.sqrt(ops.maximum(squares, _TINY)), 0.0)
