"""A teacher that asks for no more than the next step: targets between what the student says and what the teacher says."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import ShapeError


@public
class Coached(Objective):
    """Another objective, from an easier teacher: one between the student as it is and the teacher.

    With the teacher's output t, the student's s (averaged over time where the teacher has none), and the pace m::

        target = stop_gradient(s) + m (t - stop_gradient(s)),       loss = of(target, s)

    m is `start` at first and 1 at the end, and grows with what the student has learnt since; see `keras_snnkd.distill.callbacks.Pace`,
    which a `Stage` adds by itself. On its own m stays at `start`. A reconstruction of student-paced coaching (Zhang, Huang and Ohn-Bar,
    "Coaching a Teachable Student", CVPR 2023, arXiv:2306.10014), which mixes features of a student that drives a car with its teacher's:
    here outputs are mixed, and the pace is our choice.

    Args:
        of: The objective: a name, a mapping or an instance, with a teacher. It gives taps, weight and name where these are not given.
        start: m at the start, greater than 0 and at most 1.
        weight, name: See `Objective`.

    Reads:
        What `of` reads, of one tap each and of the same shape but for time.

    Raises:
        ShapeError: If teacher and student give other shapes, between which there is no middle.
        ValueError: For an objective without a teacher, or of several taps, and for a start out of its range.

    Example:
        >>> kd.objectives.Coached("soft_targets", start=0.3)
    """

    def __init__(self, of: Any = "soft_targets", start: float = 0.3, weight: Any = None, name: str | None = None, **taps: Any) -> None:
        from keras_snnkd.distill import objectives as registry

        of = keras.saving.deserialize_keras_object(of) if isinstance(of, dict) and "class_name" in of else of
        self.of = registry.get({**of, **_given(taps)} if isinstance(of, dict) else {"objective": of, **_given(taps)} if taps else of)
        if not self.of.uses_teacher:
            raise ValueError(f"Coached: {self.of.name} has no teacher to pace")
        one_each = isinstance(self.of.teacher_tap, str) and isinstance(self.of.student_tap, str)
        if not one_each or getattr(self.of, "by_stages", False):
            raise ValueError(f"Coached: {self.of.name} reads several taps; give one of the teacher and one of the student")
        if isinstance(start, bool) or not isinstance(start, (int, float)) or not 0 < start <= 1:
            raise ValueError(f"Coached: start must be a number above 0 and at most 1, got {start!r}")
        super().__init__(
            self.of.teacher_tap, self.of.student_tap, self.of.weight if weight is None else weight, name or f"coached_{self.of.name}"
        )
        self.start = float(start)
        self.pace: Any = None  # a variable of the distiller's
        self.one_label, self.needs_labels, self.needs_time = self.of.one_label, self.of.needs_labels, self.of.needs_time
        self.reads_views, self.divided_by_replicas = self.of.reads_views, self.of.divided_by_replicas

    @property
    def reads_steps(self) -> bool:
        return self.of.reads_steps

    @property
    def helpers(self) -> list[keras.Layer]:
        return self.of.helpers

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        self.of.build(teacher_shape, student_shape)
        teacher, student = (tuple(shape) for shape in self.built_shapes)
        if teacher[1:] not in (student[1:], student[2:]):
            raise ShapeError(
                f"{self.name}: there is no middle between the teacher's tap {self.teacher_tap!r} {teacher} and the student's "
                f"{self.student_tap!r} {student}; both must be of one shape, but for the student's time"
            )

    def connect(self, teacher: keras.Model | None, student: keras.Model) -> None:
        self.of.connect(teacher, student)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        pace = self.start if self.pace is None else ops.convert_to_tensor(self.pace)
        here = ops.stop_gradient(student_outputs)
        if len(here.shape) > len(teacher_outputs.shape):
            here = ops.mean(here, axis=1)
        return self.of.losses(here + pace * (teacher_outputs - here), student_outputs, y_true)

    def get_config(self) -> Config:
        config = {**super().get_config(), "of": keras.saving.serialize_keras_object(self.of), "start": self.start}
        del config["teacher_tap"], config["student_tap"]  # those of the objective
        return config


def _given(taps: dict[str, Any]) -> dict[str, Any]:
    return {name: tap for name, tap in taps.items() if tap is not None}
