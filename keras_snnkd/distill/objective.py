"""What a distillation objective is: which taps it reads, how it compares them, and how much it weighs."""

import contextlib
import contextvars
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Shapes, Tensor
from keras_snnkd.errors import ShapeError

LARGEST = 1e18
"""Of what an objective multiplies with."""

Tap = str | list[str] | tuple[str, ...]
"""The name of one tap, or of several."""


class Objective(keras.distillation.DistillationLoss):
    """Base of all distillation objectives.

    A subclass implements `losses`, one number for each sample; their mean over the batch, weighted by `sample_weight`, is the
    objective's value. It works in three places: by itself on arrays, in a `Distiller`, and in `keras.distillation.Distiller`.

    Shapes are batch-major. A tensor of rank 3 or 5 has time as axis 1 (`[B, T, C]`, `[B, T, H, W, D]`); one of rank 2 or 4 has none.
    An objective that reads several taps of a model names them in a list, and gets the list of their outputs. One that learns from the
    student itself sets `uses_teacher = False`, and gets `None` for the teacher's outputs and shapes.

    Args:
        teacher_tap: The teacher's tap, or several; see `TapModel`.
        student_tap: The student's tap, or several; as the teacher's by default.
        weight: Factor in the total loss, at least 0.
        name: Of its metric; the class name in snake case by default.

    Raises:
        ValueError: If the weight is not a number of at least 0, or the name is no identifier.
    """

    default_tap: "str | tuple[str, ...]" = "logits"

    uses_teacher = True
    """Whether it reads a teacher; without, it is a self-distillation."""

    one_label = False
    """Whether it asks which class of a sample is the right one, so that a label with shares of several classes cannot serve."""

    needs_labels = False
    """Whether it has nothing to say of a sample without a label, beside those that ask for `one_label`."""

    labels_alone = False
    """Whether it is a label loss, which compares the student with labels and with nothing else."""

    needs_time = False
    """Whether it reads single steps or spikes of the student, which an ANN does not have."""

    reads_views = False
    """Whether it reads taps of several views of every image, see `keras_snnkd.distill.objectives.views`."""

    divided_by_replicas = False
    """Whether `compute_loss` divides by the number of replicas of a `tf.distribute` strategy, as Keras' loss objects do."""

    def __init__(
        self, teacher_tap: Tap | None = None, student_tap: Tap | None = None, weight: float = 1.0, name: str | None = None
    ) -> None:
        self.teacher_tap: Any = (teacher_tap or self.default_tap) if self.uses_teacher else None
        self.student_tap = student_tap or self.teacher_tap or self.default_tap
        if not self.uses_teacher and teacher_tap is not None:
            raise ValueError(f"{type(self).__name__}: it learns from the student itself and takes no teacher_tap, got {teacher_tap!r}")
        for tap in (*taps_of(self.teacher_tap), *taps_of(self.student_tap)):
            if not isinstance(tap, str):
                raise ValueError(f"{type(self).__name__}: a tap is the name of a layer, or a list of names, got {tap!r}")
        self.weight = check_positive(self, "weight", weight, or_zero=True)
        self.name = name or snake_case(type(self).__name__)
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name in ("label", "loss"):
            raise ValueError(f"{type(self).__name__}: name must be an identifier other than 'label' and 'loss', got {self.name!r}")
        self.built_shapes: Any = None  # the two of `build`

    @property
    def reads_steps(self) -> bool:
        """Whether it looks at single time steps of the student, and not at means or sums over time alone."""
        return False

    @property
    def helpers(self) -> list[keras.Layer]:
        """Layers with weights of the objective's own. They train with the student and are not part of it."""
        return []

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of what `measures` tells; they become metrics of the training."""
        return ()

    def measures(self, student_outputs: Tensor) -> dict[str, Tensor]:
        """What a person wants to see of the student beside the loss, one number for the batch each."""
        return {}

    def prepare(self, student: keras.Model) -> None:
        """Called once before the taps are made: for an objective that finds its taps in the student."""

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        """Check the shapes of the two taps (batch axis `None`; a list of shapes for several taps) and make the helpers.

        Raises:
            ShapeError: If they cannot be compared.
        """
        self.built_shapes = (as_shapes(teacher_shape), as_shapes(student_shape))

    def connect(self, teacher: keras.Model | None, student: keras.Model) -> None:
        """Called once after `build` where the models are at hand: for helpers that start with weights of one of them."""

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        """The loss of each sample, `[B]`. Inputs are float32; lists of tensors for several taps."""
        raise NotImplementedError(f"{type(self).__name__} must define losses(teacher_outputs, student_outputs, y_true)")

    def compute_loss(
        self,
        teacher_outputs: Tensor,
        student_outputs: Tensor,
        y_true: Tensor | None = None,
        sample_weight: Tensor | None = None,
        masks: Sequence[Tensor] = (),
        **kwargs: Any,
    ) -> Tensor:
        """The objective's value.

        Args:
            teacher_outputs: The teacher's tap.
            student_outputs: The student's tap.
            y_true: Class labels `[B]`, for objectives that look at them.
            sample_weight: `[B]` or `[B, 1]`; 1 by default.
            masks: Which steps of the taps count, booleans `[B, T]`, one for each T; the others are padding. All by default.

        Returns:
            A float32 scalar: ``(1/B) sum over b of sample_weight[b] losses[b]``. No gradient flows to the teacher.
        """
        teacher = None
        if self.uses_teacher:
            teacher = _each(lambda x: ops.stop_gradient(ops.cast(x, "float32")), teacher_outputs)
        student = _each(lambda x: ops.cast(x, "float32"), student_outputs)
        if self.built_shapes is None:
            self.build(*(_each(lambda x: (None, *x.shape[1:]), outputs) for outputs in (teacher, student)))
        with counting(masks):
            losses = self.losses(teacher, student, y_true)
        if sample_weight is not None:
            losses = losses * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(losses)

    def validate_outputs(self, teacher_outputs: Tensor, student_outputs: Tensor) -> None:
        """For `keras.distillation.Distiller`: the shape check is `build`'s."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"teacher_tap": self.teacher_tap, "student_tap": self.student_tap, "weight": self.weight, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Objective":
        """The inverse of `get_config`."""
        return cls(**config)

    def misfit(self, teacher_shape: Any, student_shape: Any, expected: str) -> ShapeError:
        """The error for two taps that cannot be compared."""
        if self.teacher_tap is None:
            return ShapeError(f"{self.name}: cannot read the student's tap {self.student_tap!r} {_shown(student_shape)}: {expected}")
        return ShapeError(
            f"{self.name}: cannot compare the teacher's tap {self.teacher_tap!r} {_shown(teacher_shape)} with the student's "
            f"{self.student_tap!r} {_shown(student_shape)}: {expected}"
        )


def taps_of(tap: Tap | None) -> list[str]:
    """The names in an objective's tap."""
    if tap is None:
        return []
    return [tap] if isinstance(tap, str) else list(tap)


def as_shapes(shape: Any) -> Any:
    """A shape, or shapes, as tuples; `None` stays."""
    if shape is None:
        return None
    if any(isinstance(part, (list, tuple)) for part in shape):
        return tuple(tuple(part) for part in shape)
    return tuple(shape)


def _each(function: Callable[[Any], Any], outputs: Tensor) -> Any:
    """`function` of a tap's output, or of each of several."""
    if outputs is None:
        return None
    return [function(x) for x in outputs] if isinstance(outputs, (list, tuple)) else function(outputs)


def _shown(shape: Any) -> str:
    if shape is None or any(isinstance(part, (list, tuple)) for part in shape):
        return " and ".join(map(_shown, shape or ()))
    return "[" + ", ".join("B" if n is None else str(n) for n in shape) + "]"


def snake_case(name: str) -> str:
    """`"SoftTargets"` to `"soft_targets"`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def has_time(x: Tensor) -> bool:
    """Whether a tensor or shape `[B, ...]` has time as axis 1: rank 3 or 5."""
    shape: Any = getattr(x, "shape", x)
    return len(shape) in (3, 5)


_MASKS: contextvars.ContextVar[tuple[Tensor, ...]] = contextvars.ContextVar("masks", default=())
"""Those of the losses that are being computed."""


@contextlib.contextmanager
def counting(masks: Sequence[Tensor]) -> Iterator[None]:
    """While it lasts, means and sums over time leave out padded steps."""
    token = _MASKS.set(tuple(ops.cast(mask, "float32") for mask in masks))
    try:
        yield
    finally:
        _MASKS.reset(token)


def real_steps(x: Tensor, skipped: int = 0) -> Tensor | None:
    """1 for each step of `x` that counts and 0 for padding, `[B, T, 1, ...]` with as many axes as `x`; `None` where all count.

    Args:
        x: `[B, T, ...]`.
        skipped: Steps at the beginning that are not in `x`.
    """
    for mask in _MASKS.get():
        if mask.shape[1] == x.shape[1] + skipped:
            return ops.reshape(mask[:, skipped:], (-1, x.shape[1], *[1] * (len(x.shape) - 2)))
    return None


def mean_of_steps(x: Tensor, skipped: int = 0, keepdims: bool = False) -> Tensor:
    """The mean over the steps of `x` `[B, T, ...]` that count, `[B, ...]`; see `real_steps`."""
    real = real_steps(x, skipped)
    if real is None:
        return ops.mean(x, axis=1, keepdims=keepdims)
    count = ops.maximum(ops.sum(real, axis=1, keepdims=keepdims), 1.0)
    return ops.sum(x * real, axis=1, keepdims=keepdims) / count


def sum_of_steps(x: Tensor, keepdims: bool = False) -> Tensor:
    """The sum over the steps of `x` `[B, T, ...]` that count, `[B, ...]`; see `real_steps`."""
    real = real_steps(x)
    return ops.sum(x if real is None else x * real, axis=1, keepdims=keepdims)


def mean_over_time(x: Tensor) -> Tensor:
    """`[B, T, ...] -> [B, ...]`, without padded steps; a tensor without time stays as it is."""
    return mean_of_steps(x) if has_time(x) else x


def sum_over_time(x: Tensor) -> Tensor:
    """`[B, T, ...] -> [B, ...]`, without padded steps; a tensor without time stays as it is."""
    return sum_of_steps(x) if has_time(x) else x


def mean_of_sample(x: Tensor) -> Tensor:
    """The mean of all but the batch axis, `[B, ...] -> [B]`."""
    return ops.mean(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


def check_positive(objective: object, name: str, value: Any, or_zero: bool = False) -> float:
    """`value` as a float above 0 (or of at least 0), or a `ValueError` that names objective and argument.

    Its square and its inverse have to be numbers of float32 too.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not (1 / LARGEST <= value <= LARGEST or (value == 0 and or_zero)):
        raise ValueError(
            f"{type(objective).__name__}: {name} must be a number {'of at least' if or_zero else 'greater than'} 0, got {value!r}"
            + (f"; float32 can count with {1 / LARGEST:g} to {LARGEST:g}" if number and value > 0 else "")
        )
    return float(value)
