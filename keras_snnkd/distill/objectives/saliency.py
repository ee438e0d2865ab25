"""Objectives on saliency maps: where in the image the evidence for a class is."""

import math
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, Tap, check_positive, mean_over_time, sum_over_time, taps_of
from keras_snnkd.distill.objectives.classifiers import classifier_of, copy_to, frozen, is_pair, misread
from keras_snnkd.distill.objectives.pairs import flat
from keras_snnkd.distill.objectives.probabilities import floored_kl, likeliest
from keras_snnkd.errors import unknown_name

STUDENT_MAPS = ("sum", "cam")


@public
class SaliencyMap(Objective):
    """Match where the teacher sees its class.

    With features ``F``, the rows ``W`` of a classifier and the predicted class ``k = argmax z``::

        M_teacher[h, w] = relu(sum over D of W[k, d] F[h, w, d])                         the class activation map
        M_student[h, w] = sum over T, D of F[t, h, w, d]                                 student_map="sum"
        M_student[h, w] = relu(sum over D of W[k, d] mean over T of F[t, h, w, d])       student_map="cam", its own W and k

        M    <- M - min M,  then  M <- M / (max M + 0.001)                               min and max over the whole batch
        p, q  = softmax over H, W of M_teacher / tau and M_student / tau,  plus 1e-10
        loss  = mean over B of  sum over H, W of  p (log p - log q)                      times tau^2 if squared

    The SAMD term of CKDSNN (Liu et al., AAAI 2026, arXiv:2511.06902; official code). Its last commit has the map `"sum"`, an earlier one
    `"cam"`. The paper multiplies by ``tau^2`` and the code does not; the default is the code's, against which this class is checked.

    A classifier that reads pooled features has one row for a class, as in the paper. One that reads flattened features has a row for
    each place, and each place of the map is then weighed by its own: an extension of ours, also where the maps are pooled before they
    are flattened.

    Args:
        student_map: `"sum"` or `"cam"`.
        temperature: ``tau`` of the maps, greater than 0.
        squared: Whether the loss is multiplied by ``tau^2``.
        teacher_tap: The teacher's last maps, and its logits; `("neurons", "logits")` by default.
        student_tap: The same of the student for `"cam"`, its maps alone for `"sum"`; by default those of `teacher_tap`.
        weight, name: See `Objective`.

    Reads:
        Maps `[B, (T,) H, W, D]` and logits `[B, (T,) C]`. T and widths may differ without a projection; of maps of different sizes, the
        larger ``M`` is averaged down to the smaller, whose size must be a whole fraction of its. The teacher (for `"cam"` the student
        too) needs a layer `classifier`. On its own, outside a `Distiller`, the objective gives NaN until `connect(teacher, student)` has
        copied the teacher's; `"cam"` reads the student's as it is in that step, and must be connected again after loading from a file.

    Raises:
        ShapeError: If a tap has no maps, or the classifier reads something else than them.
        UnknownNameError: For an unknown map, or a model without a layer `classifier`.
        ValueError: If the taps are not as many as said, or `"cam"` is not connected.

    Example:
        >>> distiller = kd.Distiller(student, teacher, [kd.objectives.SaliencyMap()])
    """

    default_tap = ("neurons", "logits")

    def __init__(
        self,
        student_map: str = "sum",
        temperature: float = 2.0,
        squared: bool = False,
        teacher_tap: Tap | None = None,
        student_tap: Tap | None = None,
        **kwargs: Any,
    ) -> None:
        if student_map not in STUDENT_MAPS:
            raise unknown_name("student_map", student_map, STUDENT_MAPS)
        teacher_tap = teacher_tap or self.default_tap
        if len(taps_of(teacher_tap)) != 2:
            raise ValueError(f"SaliencyMap: teacher_tap must name two taps, of maps and of logits, got {teacher_tap!r}")
        student_tap = student_tap or (teacher_tap if student_map == "cam" else teacher_tap[0])
        if isinstance(student_tap, str) != (student_map == "sum"):
            expected = "one tap, of maps," if student_map == "sum" else "two taps, of maps and of logits,"
            raise ValueError(f"SaliencyMap: student_tap must name {expected} with student_map={student_map!r}, got {student_tap!r}")
        super().__init__(teacher_tap, student_tap, **kwargs)
        self.student_map = student_map
        self.temperature = check_positive(self, "temperature", temperature)
        self.squared = bool(squared)
        self.align: Any = None  # an `Alignment`, once it is built
        self.rows: Any = None  # a `Dense`, likewise
        self.student_classifier: Any = None  # a function, once it is connected

    @property
    def helpers(self) -> list[keras.Layer]:
        return [self.rows] if self.rows else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = self.built_shapes
        pairs = [teacher, student] if self.student_map == "cam" else [teacher, (student, ())]
        if (
            not all(map(is_pair, pairs))
            or any(len(maps) not in (4, 5) for maps, _ in pairs)
            or any(logits and len(logits) not in (2, 3) for _, logits in pairs)
        ):
            expected = "maps and logits of both" if self.student_map == "cam" else "maps and logits of the teacher, maps of the student"
            raise self.misfit(teacher, student, f"the taps must be {expected}: [B, (T,) H, W, D] and [B, (T,) C]")
        of_teacher, of_student = ((*maps[:-1], 1) for maps, _ in pairs)
        self.align = Alignment(self, of_teacher, of_student)
        self.rows = frozen(math.prod(teacher[0][-3:]), teacher[1][-1], f"{self.name}_rows")

    def connect(self, teacher: keras.Model, student: keras.Model) -> None:
        shapes = [shapes[0] for shapes in self.built_shapes]
        copy_to(self.rows.kernel, ops.reshape(self._rows(teacher, self.teacher_tap[0], shapes[0]), self.rows.kernel.shape))
        if self.student_map == "cam":
            self._rows(student, self.student_tap[0], shapes[1])  # its checks
            self.student_classifier = lambda: self._rows(student, self.student_tap[0], shapes[1])

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = (flat(x) / self.temperature for x in self.maps(teacher_outputs, student_outputs))
        divergence = floored_kl(teacher, student, least=1e-10)
        return divergence * self.temperature**2 if self.squared else divergence

    def maps(self, teacher_outputs: Tensor, student_outputs: Tensor) -> list[Tensor]:
        """The normalized maps of teacher and student, `[B, H, W, 1]` each."""
        features, logits = teacher_outputs
        teacher = _class_map(features, logits, ops.reshape(self.rows.kernel, (*features.shape[-3:], logits.shape[-1])))
        if self.student_map == "sum":
            student = ops.sum(sum_over_time(student_outputs), axis=-1, keepdims=True)
        elif self.student_classifier is None:
            raise ValueError(f"{self.name}: the student's classifier is not known; call connect(teacher, student) first")
        else:
            maps, answers = student_outputs
            student = _class_map(maps, answers, ops.stop_gradient(self.student_classifier()))
        return [_normalized(x) for x in self.align(teacher, student)]

    def _rows(self, model: keras.Model, tap: str, shape: Shape) -> Tensor:
        """The weight of each feature of a map for each class, `[H, W, D, C]`.

        The classifier sees the map as a grid of cells, each pooled to one place: the whole map as one, or every place by itself.
        """
        dense = classifier_of(model)
        *_, height, width, depth = shape
        inputs, classes = dense.kernel.shape
        sizes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1) if height % h == width % w == 0]
        grids = [(h, w) for h, w in sizes if h * w * depth == inputs and ((h, w) == (1, 1) or height // h == width // w)]
        if not grids:
            raise misread(self, model, tap, f"{height} x {width} x {depth}")
        rows = ops.reshape(ops.convert_to_tensor(dense.kernel), (*grids[0], depth, classes))
        return ops.repeat(ops.repeat(rows, height // grids[0][0], axis=0), width // grids[0][1], axis=1)

    def get_config(self) -> Config:
        return {**super().get_config(), "student_map": self.student_map, "temperature": self.temperature, "squared": self.squared}


def _class_map(features: Tensor, logits: Tensor, rows: Tensor) -> Tensor:
    """``relu(sum over D of W[k, h, w, d] F[h, w, d])`` for the predicted class k, `[B, H, W, 1]`."""
    predicted = likeliest(mean_over_time(logits))
    weights = ops.take(ops.moveaxis(rows, -1, 0), predicted, axis=0)
    return ops.relu(ops.sum(weights * mean_over_time(features), axis=-1, keepdims=True))


def _normalized(maps: Tensor) -> Tensor:
    maps = maps - ops.min(maps)
    return maps / (ops.max(maps) + 1e-3)
