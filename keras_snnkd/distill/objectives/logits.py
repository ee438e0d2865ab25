"""Objectives on logits."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.objective import Objective, check_positive, has_time, mean_of_steps, mean_over_time, sum_over_time
from keras_snnkd.distill.objectives.probabilities import cross_entropy, head_tail_kl, kl, likeliest, probabilities
from keras_snnkd.errors import ShapeError, unknown_name

REDUCTIONS = ("per_sample", "elementwise")
TIMES = ("mean", "sum", "per_step")
FORMS = ("code", "paper")


DISTANCES: dict[str, Callable[[Tensor, Tensor, Any], Tensor]] = {
    "kl": lambda teacher, student, _: kl(teacher, student),
    "reverse_kl": lambda teacher, student, _: kl(student, teacher),
    "mixed_kl": lambda teacher, student, of: of.forward_weight * kl(teacher, student) + of.reverse_weight * kl(student, teacher),
    "soft_cross_entropy": lambda teacher, student, _: cross_entropy(probabilities(teacher), student),
    "adaptive_head_tail_kl": lambda teacher, student, of: head_tail_kl(teacher, student, of.head_mass),
}
"""From softened logits of teacher and student, `[..., C]`, and the objective, which holds the constants."""


def paired_steps(teacher: Tensor, student: Tensor) -> Tensor:
    """Logits `[B, T or 1, C]` of the teacher for the student's steps `[B, T, C]`; of another T, or without time, its mean."""
    same = has_time(teacher) and teacher.shape[1] == student.shape[1]
    return teacher if same else ops.expand_dims(mean_over_time(teacher), 1)


class LogitObjective(Objective):
    """Base of the objectives on logits: what they can read, and labels as probabilities."""

    needs_steps = False
    """Whether the student's logits must be those of every step, `[B, T, C]`."""

    @property
    def reads_steps(self) -> bool:
        return self.needs_steps

    @property
    def needs_time(self) -> bool:  # type: ignore[override]
        """Whether it reads single steps of the student."""
        return self.needs_steps

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        if self.needs_steps and not has_time(student_shape):
            raise self.misfit(teacher_shape, student_shape, "the student's tap must be the logits of every step, [B, T, C]")
        for shape in (teacher_shape, student_shape):
            if shape is not None and (len(shape) not in (2, 3) or shape[-1] != student_shape[-1]):
                raise self.misfit(teacher_shape, student_shape, "both must be logits [B, C] or [B, T, C] of the same classes")

    def label_probabilities(self, y_true: Tensor, logits: Tensor) -> Tensor:
        """Labels `[B, C]` of logits `[..., C]`: class numbers `[B]` or `[B, 1]` as one-hot, soft labels `[B, C]` as they are.

        Raises:
            ValueError: Without labels.
            ShapeError: For labels of another shape.
        """
        if y_true is None:
            raise ValueError(f"{type(self).__name__}: it needs the labels of the batch, y_true, and got none")
        y_true, classes = ops.convert_to_tensor(y_true), logits.shape[-1]
        if len(y_true.shape) == 2 and y_true.shape[1] == classes:
            return ops.cast(y_true, "float32")
        if len(y_true.shape) == 1 or (len(y_true.shape) == 2 and y_true.shape[1] == 1):
            return ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes)
        raise ShapeError(f"{self.name}: labels must be [B], [B, 1] or [B, {classes}], got {list(y_true.shape)}")

    def right_steps(self, y_true: Tensor, logits: Tensor) -> Tensor:
        """1 where the likeliest class of a step (or exit) `[B, T, C]` is the label's, else 0, `[B, T, 1]`; of equal ones the first."""
        label = likeliest(self.label_probabilities(y_true, logits))
        return ops.cast(likeliest(logits) == label[:, None], logits.dtype)[..., None]


class TemperedObjective(LogitObjective):
    """A `LogitObjective` with one temperature, greater than 0."""

    def __init__(self, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = check_positive(self, "temperature", temperature)

    def divergence(self, target: Tensor, logits: Tensor) -> Tensor:
        """``tau^2 KL(softmax(target / tau) || softmax(logits / tau))``, `[..., C] -> [...]`."""
        return self.temperature**2 * kl(self.softened(target), self.softened(logits))

    def softened(self, logits: Tensor) -> Tensor:
        """``logits / tau``."""
        return logits / self.temperature

    def get_config(self) -> Config:
        return {**super().get_config(), "temperature": self.temperature}


@public
class SoftTargets(TemperedObjective):
    """Match the teacher's softened class probabilities.

    With logits averaged over time, ``p = softmax(teacher / tau_t)`` and ``q = softmax(student / tau_s)``::

        loss = tau_t tau_s  mean over B of  distance(p, q)

        kl                      sum over C of  p (log p - log q)
        reverse_kl              sum over C of  q (log q - log p)
        mixed_kl                0.2 KL(p || q) + 0.7 KL(q || p)
        soft_cross_entropy      - sum over C of  p log q
        adaptive_head_tail_kl   g KL(p || q) + (1 - g) KL(q || p)

    The factor keeps the gradient's size independent of the temperature. `soft_cross_entropy` has the gradient of `kl`, and is larger by
    the teacher's entropy. In the last, g is the head's share of ``sum over C of |p - q|``; the head are the teacher's likeliest classes,
    as long as their probabilities add up to no more than `head_mass`, and always the likeliest. No gradient flows through g.

    Sources:
        `kl`, equal temperatures: Hinton et al. (2015, arXiv:1503.02531); with `temperature=4` IDSNN (Fan et al., 2023, Biomimetics
        8:375, official code); with `time="per_step"` the teacher's part of the full-range loss (Yu et al., ICML 2025, arXiv:2501.15925,
        official code). A temperature of its own for the student: Lee et al. (2021, arXiv:2106.07172), whose values are not known to us.
        `reduction="elementwise"`: TAKD (Mirzadeh et al., arXiv:1902.03393, official code), and with `temperature=10, time="per_step"` HSD
        (Zhong et al., 2024, arXiv:2409.12507, official code). Elementwise with `time="sum"` and output spikes as taps: the spike-count
        form of the `snn_distill` project, a reconstruction of one idea of the founding paper (Kushawaha et al., arXiv:2005.00288), not
        its published loss. `mixed_kl`: MAR/SBDS (arXiv:2601.21503), read at second hand: a reconstruction; its constants are those of a
        language model. `adaptive_head_tail_kl`: AKL (Wu et al., arXiv:2404.02657, official code, temperature 1), the ancestor of HTA-KL
        (Zhang et al., 2025, arXiv:2504.20445), whose own constants are not known to us.

    Args:
        temperature: The teacher's temperature ``tau_t``, greater than 0.
        student_temperature: ``tau_s``; `None` means the same.
        reduction: `"per_sample"` (above) or `"elementwise"`, which also divides by C, as PyTorch's default does.
        time: `"mean"` of the logits over T, their `"sum"` (spike counts), or `"per_step"`: the loss of every student step, averaged;
            a teacher with another T or without time then gives its mean to all steps.
        distance: One of the table above.
        forward_weight, reverse_weight: Factors of the two divergences of `mixed_kl`, at least 0.
        head_mass: Of `adaptive_head_tail_kl`, between 0 and 1.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models: `[B, C]` or `[B, T, C]`. That is what the readout reads: with the readout `"spike_count"` spikes, whose
        mean is a rate in 0..1 (use `time="sum"` for the counts); with `"membrane"` the potentials of all steps (for the last one alone,
        use the tap `"output"`).

    Raises:
        ShapeError: If the numbers of classes differ.
        UnknownNameError: For an unknown reduction, time or distance.
        ValueError: For a number out of its range.

    Example:
        >>> kd.objectives.SoftTargets(temperature=2.0).compute_loss(teacher_logits, student_logits)
    """

    def __init__(
        self,
        temperature: float = 4.0,
        student_temperature: float | None = None,
        reduction: str = "per_sample",
        time: str = "mean",
        distance: str = "kl",
        forward_weight: float = 0.2,
        reverse_weight: float = 0.7,
        head_mass: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, **kwargs)
        self.student_temperature = student_temperature
        if student_temperature is not None:
            self.student_temperature = check_positive(self, "student_temperature", student_temperature)
        for kind, value, known in (("reduction", reduction, REDUCTIONS), ("time", time, TIMES), ("distance", distance, DISTANCES)):
            if value not in known:
                raise unknown_name(kind, value, known)
        self.reduction = reduction
        self.time = time
        self.distance = distance
        self.forward_weight = check_positive(self, "forward_weight", forward_weight, or_zero=True)
        self.reverse_weight = check_positive(self, "reverse_weight", reverse_weight, or_zero=True)
        self.head_mass = check_share(self, "head_mass", head_mass)

    @property
    def reads_steps(self) -> bool:
        return self.time == "per_step"

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        tau_t = self.temperature
        tau_s = self.student_temperature or tau_t
        teacher, student = self._in_time(teacher_outputs, student_outputs)
        distance = DISTANCES[self.distance](teacher / tau_t, student / tau_s, self)
        if self.reduction == "elementwise":
            distance = distance / teacher.shape[-1]
        return tau_t * tau_s * (mean_of_steps(distance) if len(distance.shape) == 2 else distance)

    def _in_time(self, teacher: Tensor, student: Tensor) -> tuple[Tensor, Tensor]:
        if self.time == "per_step" and has_time(student):
            return paired_steps(teacher, student), student
        reduce = sum_over_time if self.time == "sum" else mean_over_time
        return reduce(teacher), reduce(student)

    def get_config(self) -> Config:
        names = ("student_temperature", "reduction", "time", "distance", "forward_weight", "reverse_weight", "head_mass")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@public
class WeightedSoftTargets(TemperedObjective):
    """Match the teacher's softened class probabilities, more closely for samples that the student gets wrong and the teacher right.

    With logits averaged over time, ``p = softmax(teacher / tau)``, ``q = softmax(student / tau)``, and the cross-entropies ``CE`` of the
    logits (at temperature 1) with the labels::

        w[b] = 1 - exp(- CE_student[b] / (CE_teacher[b] + 1e-7))
        loss = tau^2  mean over B of  w[b] (- sum over C of  p log q)

    No gradient flows through w. The logit part of BKDSNN (Xu et al., ECCV 2024, arXiv:2407.09083), as in its official code (WSLD); there
    its weight is 1 beside the label loss and the blurred features.

    Args:
        temperature: ``tau``, greater than 0; 2 in BKDSNN.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models, `[B, C]` or `[B, T, C]`, and the labels: `[B]`, or soft ones `[B, C]` (of mixed images, or smoothed).

    Raises:
        ShapeError: If the numbers of classes differ, or the labels are of another shape.
        ValueError: Without labels, or for a temperature that is not above 0.

    Example:
        >>> kd.objectives.WeightedSoftTargets().compute_loss(teacher_logits, student_logits, y_true=labels)
    """

    needs_labels = True

    def __init__(self, temperature: float = 2.0, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = mean_over_time(teacher_outputs), mean_over_time(student_outputs)
        labels = self.label_probabilities(y_true, student)
        of_teacher, of_student = (cross_entropy(labels, logits) for logits in (teacher, student))
        weights = ops.stop_gradient(-ops.expm1(-of_student / (of_teacher + 1e-7)))
        return self.temperature**2 * weights * cross_entropy(probabilities(self.softened(teacher)), self.softened(student))


@public
class NoisySoftTargets(TemperedObjective):
    """Match the teacher's softened class probabilities with a student whose own are disturbed by noise.

    With logits ``z`` averaged over time, ``m`` and ``s`` the mean and the (unbiased) standard deviation of a sample's logits over the
    classes, and ``e`` standard normal, drawn anew for each batch and class::

        form="code"     q = (1 - noise) softmax(z / tau) + noise softmax((m + s^2 e) / tau)
        form="paper"    q = softmax((z + noise (m + s e)) / tau)
        loss = tau^2  mean over B of  KL(softmax(teacher / tau) || q)

    Gradients flow through m and s too. The part NLD of CKDSNN (Liu et al., AAAI 2026, arXiv:2511.06902). `"code"` is the official
    code, which squares the deviation, and the default because its numbers could be checked; `"paper"` is the paper's equation as others
    tell it, a reconstruction. In both the weight is 1, beside the label loss and the map loss.

    Args:
        temperature: ``tau``, greater than 0; 2 in CKDSNN.
        noise: The noise's share, at least 0 and below 1; 0.1 in CKDSNN. At 0 it is `SoftTargets`.
        form: `"code"` or `"paper"`.
        seed: Of the noise; the same seed gives the same sequence.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models, `[B, C]` or `[B, T, C]`.

    Raises:
        ShapeError: If the numbers of classes differ.
        UnknownNameError: For an unknown form.
        ValueError: For a temperature or a share out of range.

    Example:
        >>> kd.objectives.NoisySoftTargets(seed=0).compute_loss(teacher_logits, student_logits)
    """

    def __init__(self, temperature: float = 2.0, noise: float = 0.1, form: str = "code", seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(temperature, **kwargs)
        self.noise = check_share(self, "noise", noise)
        if form not in FORMS:
            raise unknown_name("form", form, FORMS)
        self.form = form
        self.seed = seed
        self._source = keras.layers.GaussianNoise(1.0, seed=seed, dtype="float32", name=f"{self.name}_source")

    @property
    def helpers(self) -> list[keras.Layer]:
        return [self._source]  # so that the distiller keeps the state of its seed generator

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = mean_over_time(teacher_outputs), mean_over_time(student_outputs)
        center = ops.mean(student, axis=-1, keepdims=True)
        variance = ops.sum(ops.square(student - center), axis=-1, keepdims=True) / (student.shape[-1] - 1)
        normal = self._normal(student)
        if self.form == "code":
            noise = center + variance * normal
            log_shares = math.log1p(-self.noise), math.log(self.noise) if self.noise else -math.inf
            mixed = [ops.log_softmax(self.softened(logits)) + share for logits, share in zip((student, noise), log_shares, strict=True)]
            disturbed = ops.logsumexp(ops.stack(mixed), axis=0)
        else:
            deviation = ops.sqrt(ops.maximum(variance, 1e-12))  # finite slope for logits that are all the same
            disturbed = self.softened(student + self.noise * (center + deviation * normal))
        return self.temperature**2 * kl(self.softened(teacher), disturbed)

    def _normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape of `like`."""
        return self._source(ops.zeros_like(like), training=True)

    def get_config(self) -> Config:
        return {**super().get_config(), "noise": self.noise, "form": self.form, "seed": self.seed}


def check_share(objective: object, name: str, value: Any) -> float:
    """`value` as a float of at least 0 and below 1, or a `ValueError`."""
    share = check_positive(objective, name, value, or_zero=True)
    if share >= 1:
        raise ValueError(f"{type(objective).__name__}: {name} must be below 1, got {value!r}")
    return share
