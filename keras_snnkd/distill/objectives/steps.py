"""Objectives on the logits of every time step, and on their sum: against labels, entropy, a teacher aligned to the student's errors."""

from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.distill.objective import mean_of_steps, sum_over_time
from keras_snnkd.distill.objectives.logits import LogitObjective, TemperedObjective, paired_steps
from keras_snnkd.distill.objectives.probabilities import cross_entropy, likeliest, probabilities


@public
class StepLabels(LogitObjective):
    """Every time step is to give the label: the cross-entropy of each step, instead of that of their mean.

    With logits ``z[t]`` and labels ``y`` (class numbers as one-hot)::

        loss = mean over B and T of  - sum over C of  y log softmax(z[t])

    By convexity it is at least the cross-entropy of the mean logits. It takes the place of the label loss in the full-range
    distillation (Yu et al., ICML 2025, arXiv:2501.15925, official code), in SeAl-KD (Sun et al., 2026, arXiv:2605.14252, official code)
    and, with a weight of ``1 - alpha``, in TSER (Yu et al., CVPR 2025, arXiv:2503.03144; we know it from others, so there it is a
    reconstruction): give the distiller `label_weight=0`. The student's weight regularizers are part of the label loss, and are then off
    as well.

    Args:
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`, and the labels: `[B]`, or soft ones `[B, C]`.

    Raises:
        ShapeError: If the logits have no time, or the labels are of another shape.
        ValueError: Without labels.

    Example:
        >>> kd.Distiller(student, teacher, [kd.objectives.StepLabels(), kd.objectives.SoftTargets(time="per_step")], label_weight=0)
    """

    uses_teacher = False
    labels_alone = True
    needs_steps = True

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        labels = ops.expand_dims(self.label_probabilities(y_true, student_outputs), 1)
        return mean_of_steps(cross_entropy(labels, student_outputs))


@public
class SummedLabels(LogitObjective):
    """The sum over time is to give the label, instead of the mean.

    With logits ``z[t]`` and labels ``y`` (class numbers as one-hot)::

        loss = mean over B of  - sum over C of  y log softmax(sum over t of z[t])

    It is the label loss of ``T`` times the mean logits. It takes the place of the
    label loss in Joint A-SNN (Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099, official code): give the distiller
    `label_weight=0`.

    Args:
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`, or `[B, C]`, and the labels: `[B]`, or soft ones `[B, C]`.

    Raises:
        ShapeError: If the labels are of another shape.
        ValueError: Without labels.

    Example:
        >>> kd.objectives.SummedLabels(weight=0.9).compute_loss(None, student_logits, y_true=labels)
    """

    uses_teacher = False
    labels_alone = True

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        return cross_entropy(self.label_probabilities(y_true, student_outputs), sum_over_time(student_outputs))


@public
class StepEntropy(TemperedObjective):
    """Keep the student uncertain at every time step: minus the entropy of its class probabilities.

    With ``q[t] = softmax(z[t] / tau)``::

        loss = - mean over B and T of  H(q[t]),  H(q) = - sum over C of  q log q

    The loss is negative, from ``-log C`` (all classes alike) to 0, so that a positive weight makes the entropy larger and keeps single
    steps from being too sure too early. It is the regularizer of TSER (Yu et al., CVPR 2025, arXiv:2503.03144), which subtracts
    ``gamma H`` from its loss: a reconstruction, since we know the equation from others. They disagree whether H is taken at the
    distillation's temperature or at 1. The default is 1, at which the student is trained by labels and used; TSER's gamma is not known
    to us.

    Args:
        temperature: ``tau``, greater than 0.
        student_tap, weight, name: See `Objective`. The weight is TSER's gamma.

    Reads:
        The student's `logits` `[B, T, C]`.

    Raises:
        ShapeError: If the logits have no time.
        ValueError: For a temperature that is not above 0.

    Example:
        >>> kd.objectives.StepEntropy(weight=0.01).compute_loss(None, student_logits)
    """

    uses_teacher = False
    needs_steps = True

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        softened = self.softened(student_outputs)
        return -mean_of_steps(cross_entropy(probabilities(softened), softened))


@public
class ErrorAlignment(TemperedObjective):
    """Soft targets in which the classes of the student's error are made alike, at every time step.

    A step is wrong where its likeliest class ``w = argmax z[t]`` is not the label's class ``y``. There, before they are compared, the
    student's logit of the wrong class is replaced by that of the label, and the teacher's logits of both by the lower of the two::

        z'[t, w] = z[t, y]
        teacher'[t, y] = teacher'[t, w] = min(teacher[y], teacher[w])
        loss = tau^2  mean over B and T of  KL(softmax(teacher'[t] / tau) || softmax(z'[t] / tau))

    Steps that are right are compared as they are. The wrong logit itself gets no gradient, the label's gets that of both. This is the
    part ELA of SeAl-KD (Sun et al., 2026, arXiv:2605.14252), as in its official code, which adds 0.6 of it and 0.15 of `StepAlignment`
    to `StepLabels`.

    Args:
        temperature: ``tau``, greater than 0.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        The teacher's `logits`, `[B, C]`, or `[B, T, C]` of the same T (of another T: their mean); the student's, `[B, T, C]`; and the
        labels, `[B]` or `[B, C]`.

    Raises:
        ShapeError: If the student's logits have no time, the numbers of classes differ, or the labels are of another shape.
        ValueError: Without labels, or for a temperature that is not above 0.

    Example:
        >>> kd.objectives.ErrorAlignment(weight=0.6).compute_loss(teacher_logits, student_logits, y_true=labels)
    """

    needs_steps = True
    one_label = True

    def __init__(self, temperature: float = 3.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = paired_steps(teacher_outputs, student_outputs), student_outputs
        classes = student.shape[-1]
        label = ops.one_hot(likeliest(self.label_probabilities(y_true, student)), classes)[:, None]
        chosen = ops.one_hot(likeliest(student), classes)
        lower = ops.minimum(_logit(teacher, label), _logit(teacher, chosen))
        # both are without effect where the step is right
        student = ops.where(chosen > 0, _logit(student, label), student)
        teacher = ops.where(ops.maximum(label, chosen) > 0, lower, teacher)
        return mean_of_steps(self.divergence(teacher, student))


def _logit(logits: Tensor, one_hot: Tensor) -> Tensor:
    """The logit of one class, `[B, T, 1]`."""
    return ops.sum(logits * one_hot, axis=-1, keepdims=True)
