"""Objectives on logits that take the teacher's answer apart before they compare it, or compare it as it is."""

from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import check_positive, has_time, mean_over_time
from keras_snnkd.distill.objectives.logits import LogitObjective, SoftTargets, TemperedObjective, paired_steps
from keras_snnkd.distill.objectives.probabilities import kl, likeliest
from keras_snnkd.errors import unknown_name

OUT = 1000.0
"""Taken off a logit, it leaves its class without probability."""

TIMES = ("mean", "per_step")


def standardized(logits: Tensor) -> Tensor:
    """``(z - mean(z)) / (1e-7 + std(z))`` over the classes, `[..., C]`; std divides by C - 1, and logits that are all equal give 0."""
    centered = logits - ops.mean(logits, axis=-1, keepdims=True)
    variance = ops.sum(ops.square(centered), axis=-1, keepdims=True) / max(1, logits.shape[-1] - 1)
    return centered / (1e-7 + ops.sqrt(ops.maximum(variance, 1e-20)))  # finite slope where they are all equal


@public
class StandardizedTargets(SoftTargets):
    """Match the teacher's softened class probabilities, of logits that are standardized for each sample.

    With logits averaged over time, and mean and (unbiased) standard deviation over the classes::

        n(z) = (z - mean(z)) / (1e-7 + std(z))
        loss = tau^2  mean over B of  KL(softmax(n(teacher) / tau) || softmax(n(student) / tau))

    So the student matches how the teacher orders the classes, and need not reach the size of its logits. As the official code of logit
    standardization (Sun et al., CVPR 2024, arXiv:2403.01427), which takes 9 of it at temperature 2 beside 0.1 of the label loss.

    Args:
        temperature: ``tau``, greater than 0.
        **kwargs: All of `SoftTargets`.

    Reads:
        `logits` of both models, `[B, C]` or `[B, T, C]`.

    Raises:
        ShapeError, UnknownNameError, ValueError: As `SoftTargets`.

    Example:
        >>> kd.objectives.StandardizedTargets(weight=9.0).compute_loss(teacher_logits, student_logits)
    """

    def __init__(self, temperature: float = 2.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)

    def _in_time(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        teacher, student = super()._in_time(teacher, student)
        return standardized(teacher), standardized(student)


@public
class DecoupledTargets(TemperedObjective):
    """Match the probability of the label's class and those of the other classes apart from each other, with a weight each.

    With logits averaged over time and softened by ``tau``, b the pair (probability of the label, of all others together), and q the
    probabilities of the others among themselves::

        loss = tau^2  mean over B of  (target_weight KL(b_teacher || b_student) + others_weight KL(q_teacher || q_student))

    In soft targets the second term counts the less the surer the teacher is; here it does not. As the official code of DKD (Zhao et al.,
    CVPR 2022, arXiv:2203.08679), whose authors take temperature 4, a target weight of 1, a weight of the others from 1 to 8 by pair of
    networks, the whole label loss, and let this term grow over the first 20 epochs.

    Args:
        temperature: ``tau``, greater than 0.
        target_weight, others_weight: Factors of the two terms, at least 0.
        standardize: Whether the logits are standardized first, see `StandardizedTargets`.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models, `[B, C]` or `[B, T, C]`, and the labels, `[B]` or `[B, C]`.

    Raises:
        ShapeError: If the numbers of classes differ, or the labels are of another shape.
        ValueError: Without labels, or for a number out of its range.

    Example:
        >>> kd.objectives.DecoupledTargets(others_weight=2.0).compute_loss(teacher_logits, student_logits, y_true=labels)
    """

    one_label = True

    def __init__(
        self, temperature: float = 4.0, target_weight: float = 1.0, others_weight: float = 2.0, standardize: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(temperature, **kwargs)
        self.target_weight = check_positive(self, "target_weight", target_weight, or_zero=True)
        self.others_weight = check_positive(self, "others_weight", others_weight, or_zero=True)
        self.standardize = bool(standardize)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = mean_over_time(teacher_outputs), mean_over_time(student_outputs)
        if self.standardize:
            teacher, student = standardized(teacher), standardized(student)
        label = ops.one_hot(likeliest(self.label_probabilities(y_true, student)), student.shape[-1])
        teacher, student = self.softened(teacher), self.softened(student)
        of_target = kl(_label_and_rest(teacher, label), _label_and_rest(student, label))
        of_others = kl(teacher - OUT * label, student - OUT * label)
        return self.temperature**2 * (self.target_weight * of_target + self.others_weight * of_others)

    def get_config(self) -> Config:
        names = ("target_weight", "others_weight", "standardize")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@public
class SquaredLogits(LogitObjective):
    """Match the teacher's logits themselves::

        loss = mean over B and C of  (z_student - z_teacher)^2

    In comparisons it beats soft targets at any temperature where the teacher is good (Kim et al., IJCAI 2021, arXiv:2105.08919, whose
    students then learn from it alone, with a label weight of 0).

    Args:
        time: `"mean"` of the logits over T, or `"per_step"`: the loss of every student step, averaged; a teacher with another T or
            without time then gives its mean to all steps.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models, `[B, C]` or `[B, T, C]`.

    Raises:
        ShapeError: If the numbers of classes differ.
        UnknownNameError: For an unknown time.

    Example:
        >>> kd.objectives.SquaredLogits(weight=0.1).compute_loss(teacher_logits, student_logits)
    """

    def __init__(self, time: str = "mean", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if time not in TIMES:
            raise unknown_name("time", time, TIMES)
        self.time = time

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        if self.time == "per_step" and has_time(student_outputs):
            teacher, student = paired_steps(teacher_outputs, student_outputs), student_outputs
        else:
            teacher, student = mean_over_time(teacher_outputs), mean_over_time(student_outputs)
        squares = ops.mean(ops.square(student - teacher), axis=-1)
        return ops.mean(squares, axis=1) if len(squares.shape) == 2 else squares

    def get_config(self) -> Config:
        return {**super().get_config(), "time": self.time}


def _label_and_rest(logits: Tensor, label: Tensor) -> Tensor:
    """Logits of two classes, the label's and all others as one, `[B, C] -> [B, 2]`."""
    own = ops.sum(logits * label, axis=-1)
    rest = ops.logsumexp(logits - OUT * label, axis=-1)
    return ops.stack([own, rest], axis=-1)
