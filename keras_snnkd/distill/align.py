"""Bring a student's features to the width and size of the teacher's."""

import keras
from keras import ops


class Alignment:
    """``align(x)``: average pooling to the teacher's map size, and a trained 1x1 projection to its width, each only where needed.

    Args:
        objective: Whom to name in errors.
        teacher_shape: `[B, (T,) H, W, D]` or `[B, (T,) D]`; time is ignored.
        student_shape: Likewise, the same number of axes without time.

    Raises:
        ShapeError: If one has maps and the other has none, or the student's maps are not a whole multiple of the teacher's.
    """

    def __init__(self, objective, teacher_shape: tuple, student_shape: tuple):
        teacher, student = _without_time(teacher_shape), _without_time(student_shape)
        if len(teacher) != len(student):
            raise objective.misfit(teacher_shape, student_shape, "one has maps and the other does not; choose taps of the same kind")
        self.factors = tuple(s // t for s, t in zip(student[1:-1], teacher[1:-1], strict=True))
        if any(s % t for s, t in zip(student[1:-1], teacher[1:-1], strict=True)):
            raise objective.misfit(teacher_shape, student_shape, "the student's maps must be a whole multiple of the teacher's in size")
        self.projection = None
        if teacher[-1] != student[-1]:
            self.projection = keras.layers.Dense(teacher[-1], use_bias=False, dtype="float32", name=f"{objective.name}_projection")
            self.projection.build(student)

    @property
    def helpers(self) -> list[keras.Layer]:
        """The projection, where there is one."""
        return [self.projection] if self.projection else []

    def __call__(self, x):
        """Student features `[B, ..., D_student]` to `[B, ..., D_teacher]`; any axes may stand between batch and map."""
        if any(factor != 1 for factor in self.factors):
            height, width = self.factors
            *front, rows, columns, depth = ops.shape(x)
            x = ops.reshape(x, (*front, rows // height, height, columns // width, width, depth))
            x = ops.mean(x, axis=(-4, -2))
        return self.projection(x) if self.projection else x


def _without_time(shape):
    return (shape[0], *shape[2:]) if len(shape) in (3, 5) else tuple(shape)
