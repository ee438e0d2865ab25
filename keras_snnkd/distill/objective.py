"""What a distillation objective is: which taps it reads, how it compares them, and how much it weighs."""

import math
import re
from typing import Any

import keras
from keras import ops

from keras_snnkd.errors import ShapeError


class Objective(keras.distillation.DistillationLoss):
    """Base of all distillation objectives.

    A subclass implements `losses`, one number for each sample; their mean over the batch, weighted by `sample_weight`, is the
    objective's value. It works in three places: by itself on arrays, in a `Distiller`, and in `keras.distillation.Distiller`.

    Shapes are batch-major. A tensor of rank 3 or 5 has time as axis 1 (`[B, T, C]`, `[B, T, H, W, D]`); one of rank 2 or 4 has none.

    Args:
        teacher_tap: The teacher's tap; see `TapModel`.
        student_tap: The student's tap; the same name by default.
        weight: Factor in the total loss, at least 0.
        name: Of its metric; the class name in snake case by default.

    Raises:
        ValueError: If the weight is not a number of at least 0, or the name is no identifier.
    """

    default_tap = "logits"

    divided_by_replicas = False
    """Whether `compute_loss` divides by the number of replicas of a `tf.distribute` strategy, as Keras' loss objects do."""

    def __init__(self, teacher_tap: str | None = None, student_tap: str | None = None, weight: float = 1.0, name: str | None = None):
        self.teacher_tap = teacher_tap or self.default_tap
        self.student_tap = student_tap or self.teacher_tap
        self.weight = check_positive(self, "weight", weight, or_zero=True)
        self.name = name or snake_case(type(self).__name__)
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name in ("label", "loss"):
            raise ValueError(f"{type(self).__name__}: name must be an identifier other than 'label' and 'loss', got {self.name!r}")
        self.built_shapes: tuple[tuple, tuple] | None = None

    @property
    def helpers(self) -> list[keras.Layer]:
        """Layers with weights of the objective's own. They train with the student and are not part of it."""
        return []

    def build(self, teacher_shape: tuple, student_shape: tuple) -> None:
        """Check the shapes of the two taps (batch axis `None`) and make the helpers.

        Raises:
            ShapeError: If they cannot be compared.
        """
        self.built_shapes = (tuple(teacher_shape), tuple(student_shape))

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        """The loss of each sample, `[B]`. Inputs are float32."""
        raise NotImplementedError(f"{type(self).__name__} must define losses(teacher_outputs, student_outputs, y_true)")

    def compute_loss(self, teacher_outputs, student_outputs, y_true=None, sample_weight=None, **kwargs):
        """The objective's value.

        Args:
            teacher_outputs: The teacher's tap.
            student_outputs: The student's tap.
            y_true: Class labels `[B]`, for objectives that look at them.
            sample_weight: `[B]` or `[B, 1]`; 1 by default.

        Returns:
            A float32 scalar: ``(1/B) sum over b of sample_weight[b] losses[b]``. No gradient flows to the teacher.
        """
        teacher = ops.stop_gradient(ops.cast(teacher_outputs, "float32"))
        student = ops.cast(student_outputs, "float32")
        if self.built_shapes is None:
            self.build((None, *teacher.shape[1:]), (None, *student.shape[1:]))
        losses = self.losses(teacher, student, y_true)
        if sample_weight is not None:
            losses = losses * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(losses)

    def validate_outputs(self, teacher_outputs, student_outputs):
        """For `keras.distillation.Distiller`: the shape check is `build`'s."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"teacher_tap": self.teacher_tap, "student_tap": self.student_tap, "weight": self.weight, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """The inverse of `get_config`."""
        return cls(**config)

    def misfit(self, teacher_shape, student_shape, expected: str) -> ShapeError:
        """The error for two taps that cannot be compared."""
        return ShapeError(
            f"{self.name}: cannot compare the teacher's tap {self.teacher_tap!r} {_shown(teacher_shape)} with the student's "
            f"{self.student_tap!r} {_shown(student_shape)}: {expected}"
        )


def _shown(shape):
    return "[" + ", ".join("B" if n is None else str(n) for n in shape) + "]"


def snake_case(name: str) -> str:
    """`"SoftTargets"` to `"soft_targets"`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def has_time(x) -> bool:
    """Whether a tensor or shape `[B, ...]` has time as axis 1: rank 3 or 5."""
    return len(getattr(x, "shape", x)) in (3, 5)


def mean_over_time(x):
    """`[B, T, ...] -> [B, ...]`; a tensor without time stays as it is."""
    return ops.mean(x, axis=1) if has_time(x) else x


def mean_of_sample(x):
    """The mean of all but the batch axis, `[B, ...] -> [B]`."""
    return ops.mean(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


def check_positive(objective, name: str, value, or_zero: bool = False) -> float:
    """`value` as a float above 0 (or of at least 0), or a `ValueError` that names objective and argument."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < 0 or (value == 0 and not or_zero):
        raise ValueError(
            f"{type(objective).__name__}: {name} must be a number {'of at least' if or_zero else 'greater than'} 0, got {value!r}"
        )
    return float(value)
