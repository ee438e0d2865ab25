"""Bring the features of teacher and student to one map size and one width."""

import keras
from keras import ops

from keras_snnkd._types import Shape, Tensor
from keras_snnkd.distill.objective import Objective


class Alignment:
    """``teacher, student = align(teacher, student)``: average pooling to the smaller map, and a trained projection of the student.

    Maps are averaged down to the smaller of the two sizes, in windows of a whole factor. What fills no window at the lower and right
    border, of 7 x 7 onto 3 x 3, is left out, as a pooling layer between the two has left it out. Where one of the two has no maps (a fully
    connected layer), the other one is averaged to one mean for each channel. Where the widths differ, the student's features are
    projected to the teacher's, 1x1 and without bias. What fits is left alone. With `kernel` the student's features pass a trained
    convolution of that size and batch norm in any case::

        F  <-  gamma (W * F - mean) / sqrt(variance + 1e-5) + beta,    mean and variance over batch and map

    of features without maps, a matrix and batch norm.

    Args:
        objective: Whom to name in errors.
        teacher_shape: `[B, (T,) H, W, D]` or `[B, (T,) D]`; time is ignored.
        student_shape: Likewise.
        kernel: Height and width of the convolution; `None` for none.

    Raises:
        ShapeError: If one map's size is not that of the other one pooled by a whole factor, such as of 8 x 8 and 3 x 3.
    """

    def __init__(self, objective: Objective, teacher_shape: Shape, student_shape: Shape, *, kernel: int | None = None) -> None:
        teacher, student = _maps(teacher_shape), _maps(student_shape)
        self.size: Shape = tuple(min(pair) for pair in zip(teacher, student, strict=True)) if teacher and student else ()
        pairs = [pair for maps in (teacher, student) for pair in zip(maps, self.size, strict=False)]
        if any(larger // (larger // smaller) != smaller for larger, smaller in pairs):
            expected = "the size of one map must be a whole multiple of the other's, but for what a pooling leaves out at the border"
            raise objective.misfit(teacher_shape, student_shape, expected)
        self.pools = teacher != self.size, student != self.size
        self.projection: keras.Layer | None = None
        self.norm: keras.Layer | None = None
        width, common = teacher_shape[-1], {"use_bias": False, "dtype": "float32", "name": f"{objective.name}_projection"}
        if kernel and self.size:
            self.projection = keras.layers.Conv2D(width, kernel, padding="same", **common)
            self.projection.build((None, *self.size, student_shape[-1]))
        elif kernel or width != student_shape[-1]:
            self.projection = keras.layers.Dense(width, **common)
            self.projection.build((None, student_shape[-1]))
        if kernel:
            self.norm = keras.layers.BatchNormalization(epsilon=1e-5, dtype="float32", name=f"{objective.name}_norm")
            self.norm.build((None, *self.size, width))

    @property
    def helpers(self) -> list[keras.Layer]:
        """The projection and its batch norm, where there are some."""
        return [layer for layer in (self.projection, self.norm) if layer]

    def __call__(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        """Both features as `[B, ..., D_teacher]`, of equal shape; any axes may stand between batch and map."""
        teacher, student = (self._pool(x) if pools else x for x, pools in zip((teacher, student), self.pools, strict=True))
        student = self.projection(student) if self.projection else student
        return teacher, self.norm(student, training=True) if self.norm else student

    def _pool(self, x: Tensor) -> Tensor:
        if not self.size:
            return ops.mean(x, axis=(-3, -2))
        *front, rows, columns, depth = ops.shape(x)
        height, width = self.size
        pooled = ops.average_pool(ops.reshape(x, (-1, rows, columns, depth)), (rows // height, columns // width), padding="valid")
        return ops.reshape(pooled, (*front, height, width, depth))


def _maps(shape: Shape) -> Shape:
    """`(H, W)` of a tap's shape, or `()`."""
    return tuple(shape[-3:-1]) if len(shape) in (4, 5) else ()
