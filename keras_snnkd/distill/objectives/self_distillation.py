"""Objectives by which the time steps of a student teach each other."""

import math
from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import mean_of_steps, real_steps, sum_of_steps
from keras_snnkd.distill.objectives.logits import TemperedObjective
from keras_snnkd.distill.objectives.probabilities import cross_entropy, probabilities
from keras_snnkd.errors import unknown_name

ENSEMBLES = ("correct", "all")
DIRECTIONS = ("strong_to_weak", "weak_to_strong")


class StepTeaching(TemperedObjective):
    """Base of the objectives that compare the student's steps `[B, T, C]` with one another."""

    uses_teacher = False
    needs_steps = True

    def __init__(self, temperature: float = 3.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)


@public
class CorrectSteps(StepTeaching):
    """Every time step learns from the mean of the steps that were right.

    With ``m[t]`` 1 where ``argmax z[t]`` is the label, else 0::

        target = sum over T of m[t] z[t]  /  sum over T of m[t]
        loss   = tau^2  mean over B and T of  KL(softmax(target / tau) || softmax(z[t] / tau))

    The target gets no gradient. Where no step is right it is all zeros: the probabilities are uniform. This is the self-distillation of
    the full-range method (Yu et al., ICML 2025, arXiv:2501.15925), which adds 0.5 of it to `StepLabels` and 0.2 of
    `SoftTargets(temperature=3, time="per_step")`. The paper describes the mean over all steps, `ensemble="all"`; the official code takes
    the right ones, and is the default because its numbers could be checked.

    Args:
        ensemble: `"correct"`, or `"all"` steps, which needs no labels.
        temperature: ``tau``, greater than 0.
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`, and the labels, `[B]` or `[B, C]`.

    Raises:
        ShapeError: If the logits have no time, or the labels are of another shape.
        UnknownNameError: For an unknown ensemble.
        ValueError: Without labels, or for a temperature that is not above 0.

    Example:
        >>> kd.objectives.CorrectSteps(weight=0.5).compute_loss(None, student_logits, y_true=labels)
    """

    def __init__(self, ensemble: str = "correct", temperature: float = 3.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)
        if ensemble not in ENSEMBLES:
            raise unknown_name("ensemble", ensemble, ENSEMBLES)
        self.ensemble = ensemble
        self.one_label = ensemble == "correct"

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        if self.ensemble == "all":
            target = mean_of_steps(student_outputs, keepdims=True)
        else:
            right = self.right_steps(y_true, student_outputs)
            count = ops.maximum(sum_of_steps(right, keepdims=True), 1)
            target = sum_of_steps(right * student_outputs, keepdims=True) / count
        return mean_of_steps(self.divergence(ops.stop_gradient(target), student_outputs))

    def get_config(self) -> Config:
        return {**super().get_config(), "ensemble": self.ensemble}


@public
class TemporalKnowledgeSharing(StepTeaching):
    """Every time step learns from the summed logits of the steps that were right.

    With ``m[t]`` 1 where ``argmax z[t]`` is the label, else 0::

        p    = softmax(sum over T of m[t] z[t] / tau)
        loss = tau^2  mean over B and T of  (- sum over C of  p log softmax(z[t]))

    Where no step is right, p is uniform. As in the official code of TKS (Dong et al., IEEE TAI 2024, arXiv:2304.06540), p gets gradient
    too, and the temperature softens p alone. There the loss moves from the label to this in the course of E epochs, ``a L_label + (1 - a)
    L_TKS`` with ``a = 1 - alpha epoch / E`` and ``alpha = 0.7``: a schedule of the two weights, see `WeightSchedule` and the example.

    Args:
        temperature: ``tau``, greater than 0.
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`, and the labels, `[B]` or `[B, C]`.

    Raises:
        ShapeError: If the logits have no time, or the labels are of another shape.
        ValueError: Without labels, or for a temperature that is not above 0.

    Example:
        >>> distiller = kd.Distiller(student, objectives=[kd.objectives.TemporalKnowledgeSharing(name="tks")])
        >>> share = {"schedule": "ramp", "start": 0.0, "end": 0.7}
        >>> ramp = kd.WeightSchedule({"tks": share, "label": {"schedule": "ramp", "start": 1.0, "end": 0.3}})
        >>> distiller.fit(data.train, epochs=100, callbacks=[ramp])
    """

    one_label = True

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        right = self.right_steps(y_true, student_outputs)
        p = probabilities(self.softened(sum_of_steps(right * student_outputs, keepdims=True)))
        return self.temperature**2 * mean_of_steps(cross_entropy(p, student_outputs))


@public
class StepAlignment(StepTeaching):
    """Every time step learns from a weighted mean of the other steps: of the sure ones, and of those like itself.

    With the confidence ``c[j] = 1 - H(softmax(z[j])) / log C`` and the cosine of two steps' logits::

        a[i, j]   = c[j] cos(z[i], z[j]),  without j = i
        target[i] = sum over j of  softmax over j of (a[i, j])  z[j]
        loss      = tau^2  mean over B and T of  KL(softmax(target[i] / tau) || softmax(z[i] / tau))

    The target gets no gradient; with a single step the loss is 0. This is the part STA of SeAl-KD (Sun et al., 2026,
    arXiv:2605.14252), as in its official code, which gives it a weight of 0.15; see `ErrorAlignment`.

    Args:
        temperature: ``tau``, greater than 0.
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`.

    Raises:
        ShapeError: If the logits have no time.
        ValueError: For a temperature that is not above 0.

    Example:
        >>> kd.objectives.StepAlignment(weight=0.15).compute_loss(None, student_logits)
    """

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        others = ops.stop_gradient(student_outputs)
        probabilities = ops.softmax(others)
        entropy = -ops.sum(probabilities * ops.log(probabilities + 1e-8), axis=-1)
        confidence = 1 - entropy / math.log(others.shape[-1])
        directions = others / ops.maximum(ops.norm(others, axis=-1, keepdims=True), 1e-12)
        affinity = confidence[:, None] * ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))
        itself = 1e9 * ops.eye(others.shape[1])  # finite, so that a single step keeps itself
        if (real := real_steps(confidence)) is not None:
            itself = itself + 1e9 * (1 - real[:, None])  # nobody learns from padding
        shares = ops.exp(ops.log_softmax(affinity - itself))  # Keras' softmax warns of a single step
        target = ops.matmul(shares, others)
        return mean_of_steps(self.divergence(target, student_outputs))


@public
class ConfidentSteps(StepTeaching):
    """The time step that is surest of its class teaches the least sure one, or the other way round.

    With the confidence of a step, a mean over the whole batch, and ``p[t] = softmax(z[t] / tau)``::

        con(t) = mean over B of  max over C of  softmax(z[t]),   s = argmax con,   w = argmin con

        strong_to_weak    loss = tau^2  mean over B of  KL(p[s] || p[w])
        weak_to_strong    loss = tau^2  mean over B of  KL(p[w] || p[s])

    With `cascade`, steps are sorted by confidence, and the loss is the mean over all pairs of neighbours. With a single step it is 0.
    Padded steps of a series are no steps.

    From the paper (Ding et al., NeurIPS 2025, arXiv:2510.07924; there is no official code), whose text leaves two things open. Whether
    the teaching step gets gradient: its pseudocode stops none, and so do we; `detach=True` does. Whether ``tau^2`` is a factor: it is
    here, as in all our objectives, because the paper's results hardly depend on temperatures from 2 to 5, while without the factor the
    gradient would shrink about sixfold. For the loss without it divide the weight by ``tau^2``. In the paper the weight is 1 (for
    transformers 0.01), beside the label loss of the mean logits. Under `tf.distribute` every replica picks the steps of its own batch.

    Args:
        direction: `"strong_to_weak"` or `"weak_to_strong"`.
        cascade: Pairs of neighbours in confidence, instead of the two extremes; the paper's best form on event data.
        temperature: ``tau``, greater than 0.
        detach: Whether the teaching step is a constant.
        student_tap, weight, name: See `Objective`.

    Reads:
        The student's `logits` `[B, T, C]`.

    Raises:
        ShapeError: If the logits have no time.
        UnknownNameError: For an unknown direction.
        ValueError: For a temperature that is not above 0.

    Example:
        >>> kd.objectives.ConfidentSteps("weak_to_strong").compute_loss(None, student_logits)
    """

    def __init__(
        self, direction: str = "strong_to_weak", cascade: bool = False, temperature: float = 2.0, detach: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(temperature, **kwargs)
        if direction not in DIRECTIONS:
            raise unknown_name("direction", direction, DIRECTIONS)
        self.direction = direction
        self.cascade = cascade
        self.detach = detach

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        real = real_steps(student_outputs)
        counted = ops.ones_like(student_outputs[..., 0]) if real is None else real[..., 0] * ops.ones_like(student_outputs[..., 0])
        confident = ops.sum(ops.max(ops.softmax(student_outputs), axis=-1) * counted, axis=0)
        of_step = ops.sum(counted, axis=0)  # of how many samples it is no padding
        confidence = ops.where(of_step > 0, confident / ops.maximum(of_step, 1.0), -1.0)
        order = ops.argsort(confidence)  # steps that are padding in all samples come first
        first = ops.sum(ops.cast(of_step == 0, "int32"))
        pairs = self.cascade and student_outputs.shape[1] > 1
        weaker, stronger = (order[:-1], order[1:]) if pairs else (ops.take(order, first[None]), order[-1:])
        teaching, taught = (stronger, weaker) if self.direction == "strong_to_weak" else (weaker, stronger)
        target = ops.take(student_outputs, teaching, axis=1)
        target = ops.stop_gradient(target) if self.detach else target
        divergence = self.divergence(target, ops.take(student_outputs, taught, axis=1))
        counts = ops.take(counted, teaching, axis=1) * ops.take(counted, taught, axis=1)
        return ops.sum(divergence * counts, axis=1) / ops.maximum(ops.sum(counts, axis=1), 1.0)

    def get_config(self) -> Config:
        names = ("direction", "cascade", "detach")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
