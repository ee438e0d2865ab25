"""Objectives on several views of every image."""

from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import Tap
from keras_snnkd.distill.objectives.logits import TemperedObjective
from keras_snnkd.errors import ShapeError

_OF_ALL = "views of "
"""What the names of taps of all views begin with."""

VIEWS = 4
"""An image, and three times turned."""


@public
class TurnedTargets(TemperedObjective):
    """Match the teacher's softened class probabilities on images that are turned by 90, 180 and 270 degrees.

    Rank the turned images of a batch by how far the teacher has them wrong: 0 where the label's class is its likeliest, 1 where it is
    the second, and so on. All that it has right are kept, and of the others the share `keep` with the lowest ranks::

        loss = tau^2  mean over the turned images kept of  KL(softmax(teacher / tau) || softmax(student / tau))

    The transferred part of knowledge distillation with self-supervision (SSKD, Xu et al., ECCV 2020, arXiv:2006.07114) as Takuya et al.
    use it for a spiking student (COOL CHIPS 2021, official code: weight 2.7, temperature 4). A `Distiller` shows student and teacher
    the turned images in each step, which then sees four times as many; other objectives and the labels see the images themselves.
    That the authors turn images in this way is how SSKD does; batch norm sees all views, as there.

    Args:
        keep: Share of the turned images that the teacher has wrong which are kept, 0 to 1.
        temperature: ``tau``, greater than 0.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        Logits of all views, `[4 B, C]` or `[4 B, T, C]`: first those of the images themselves, then of each turn. Labels `[B]` or `[B, C]`.

    Raises:
        ShapeError: If the logits are of other classes; in a `Distiller`, for what are no square images.
        ValueError: For a share out of its range, and without labels.

    Example:
        >>> kd.objectives.TurnedTargets(keep=0.5, temperature=4.0, weight=2.7)
    """

    one_label = True
    reads_views = True

    def __init__(self, keep: float = 1.0, temperature: float = 4.0, **kwargs: Any) -> None:
        super().__init__(temperature=temperature, **kwargs)
        if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 <= keep <= 1:
            raise ValueError(f"TurnedTargets: keep must be a number from 0 to 1, got {keep!r}")
        self.keep = float(keep)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = (self._turned(outputs) for outputs in (teacher_outputs, student_outputs))
        kept = self._kept(teacher, self.label_probabilities(y_true, teacher))
        losses = kept * self.divergence(teacher, student)
        count = ops.cast(ops.shape(kept)[0], "float32")
        return count * ops.sum(losses, axis=1) / ops.maximum(ops.sum(kept), 1.0)

    def _turned(self, outputs: Tensor) -> Tensor:
        """Logits `[4 B, (T,) C]` of all views as those of the turned ones, `[B, 3, C]`."""
        logits = ops.mean(outputs, axis=1) if len(outputs.shape) == 3 else outputs
        by_view = ops.reshape(logits, (VIEWS, -1, logits.shape[-1]))
        return ops.transpose(by_view[1:], (1, 0, 2))

    def _kept(self, teacher: Tensor, labels: Tensor) -> Tensor:
        """1 for each turned image that is kept, else 0, `[B, 3]`."""
        of_label = ops.sum(teacher * labels[:, None], axis=-1, keepdims=True)
        ranks = ops.sum(ops.cast(teacher > of_label, "int32"), axis=-1)
        flat = ops.reshape(ranks, (-1,))
        places = ops.argsort(ops.argsort(flat * ops.size(flat) + ops.arange(ops.size(flat))))  # of equal ranks, the first before the others
        wrong = ops.sum(ops.cast(flat > 0, "float32"))
        right = ops.cast(ops.size(flat), "float32") - wrong
        kept = ops.cast(places, "float32") < right + ops.floor(wrong * self.keep)
        return ops.cast(ops.reshape(kept, ops.shape(ranks)), "float32")

    def get_config(self) -> Config:
        return {**super().get_config(), "keep": self.keep}


def turned(images: Tensor) -> Tensor:
    """Square images `[B, N, N, C]`, then each of them turned by 90, 180 and 270 degrees, `[4 B, N, N, C]`."""
    return ops.concatenate([ops.rot90(images, k=turn, axes=(1, 2)) for turn in range(VIEWS)], axis=0)


def check_square(name: str, input_shape: Any) -> None:
    """Raise a `ShapeError` for inputs that cannot be turned by 90 degrees."""
    if len(input_shape) != 4 or input_shape[1] != input_shape[2]:
        raise ShapeError(f"turned_targets turns square images [B, N, N, C], and {name} takes {tuple(input_shape)}")


def told_apart(taps: dict[str, Tensor]) -> dict[str, Tensor]:
    """The taps of the images themselves under their names, and beside them those of all views, for `pick`."""
    return {
        **{name: tap[: ops.shape(tap)[0] // VIEWS] for name, tap in taps.items()},
        **{_OF_ALL + name: tap for name, tap in taps.items()},
    }


def pick(taps: dict[str, Tensor], tap: Tap) -> Any:
    """A tap of all views, or the list of several."""
    return taps[_OF_ALL + tap] if isinstance(tap, str) else [taps[_OF_ALL + name] for name in tap]
