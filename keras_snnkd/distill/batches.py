"""What a batch brings, and what of it each objective reads."""

from typing import Any

from keras_snnkd._types import Tensor
from keras_snnkd.distill.objective import Objective, Tap, taps_of
from keras_snnkd.distill.taps import INPUTS, TEACHER, TEACHER_INPUTS, TapModel
from keras_snnkd.errors import KDError

OWN = "own"
"""The kind of inputs with which batches bring one of the student's and one of the teacher's."""


def brings(x: Tensor, key: str) -> bool:
    """Whether a batch brings something of the teacher, under this key, beside the student's images."""
    return isinstance(x, dict) and set(x) == {INPUTS, key}


def inputs_of(x: Tensor) -> Tensor:
    """What the student sees of a batch."""
    return x[INPUTS] if brings(x, TEACHER) or brings(x, TEACHER_INPUTS) else x


def teachers_inputs(x: Tensor, own: bool) -> Tensor:
    """What the teacher sees of a batch.

    Raises:
        KDError: If it sees inputs of its `own`, and the batch brings none.
    """
    brought = brings(x, TEACHER_INPUTS)
    if own and not brought:
        raise KDError(
            f'the teacher sees inputs of its own (inputs="own"), and the batches bring none; expected '
            f'({{"{INPUTS}": x, "{TEACHER_INPUTS}": z}}, y)'
        )
    return x[TEACHER_INPUTS] if brought else x


def pick(taps: dict[str, Tensor], tap: Tap | None) -> Any:
    """The output of a tap, or the list of several."""
    if tap is None:
        return None
    return taps.get(tap) if isinstance(tap, str) else [taps[name] for name in tap]


def masks_of(objective: Objective, teacher: dict[str, Tensor], student: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """For `compute_loss`, which steps of an objective's taps count, if not all of them do."""
    found = [*TapModel.masks(student, taps_of(objective.student_tap)), *TapModel.masks(teacher, taps_of(objective.teacher_tap))]
    return {"masks": found} if found and not objective.reads_views else {}
