"""Objectives on logits."""

from keras import ops

from keras_snnkd._public import public
from keras_snnkd.distill.objective import Objective, check_positive, has_time, mean_over_time
from keras_snnkd.errors import unknown_name

REDUCTIONS = ("per_sample", "elementwise")
TIMES = ("mean", "sum", "per_step")


@public
class SoftTargets(Objective):
    """Match the teacher's softened class probabilities.

    With logits averaged over time, ``p = softmax(teacher / tau_t)`` and ``q = softmax(student / tau_s)``::

        loss = tau_t tau_s  mean over B of  sum over C of  p (log p - log q)

    The factor keeps the gradient's size independent of the temperature. Equal temperatures give Hinton et al. (2015, arXiv:1503.02531);
    a temperature of its own for the student is the energy-efficient form of Lee et al. (2021, arXiv:2106.07172), whose values are not
    known to us. With `reduction="elementwise"` it is TAKD's term (Mirzadeh et al., arXiv:1902.03393, official code); with that,
    `time="sum"` and output spikes as taps, the spike-count form of the `snn_distill` project, which is a reconstruction of one idea of
    the founding paper (Kushawaha et al., arXiv:2005.00288), not its published loss.

    Args:
        temperature: The teacher's temperature ``tau_t``, greater than 0.
        student_temperature: ``tau_s``; `None` means the same.
        reduction: `"per_sample"` (above) or `"elementwise"`, which also divides by C, as PyTorch's default does.
        time: `"mean"` of the logits over T, their `"sum"` (spike counts), or `"per_step"`: the loss of every student step, averaged;
            a teacher with another T or without time then gives its mean to all steps.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Reads:
        `logits` of both models: `[B, C]` or `[B, T, C]`. That is what the readout reads: with the readout `"spike_count"` spikes, whose
        mean is a rate in 0..1 (use `time="sum"` for the counts); with `"membrane"` the potentials of all steps (for the last one alone,
        use the tap `"output"`).

    Raises:
        ShapeError: If the numbers of classes differ.
        UnknownNameError: For an unknown reduction or time.

    Example:
        >>> kd.objectives.SoftTargets(temperature=2.0).compute_loss(teacher_logits, student_logits)
    """

    def __init__(
        self,
        temperature: float = 4.0,
        student_temperature: float | None = None,
        reduction: str = "per_sample",
        time: str = "mean",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.temperature = check_positive(self, "temperature", temperature)
        self.student_temperature = student_temperature
        if student_temperature is not None:
            self.student_temperature = check_positive(self, "student_temperature", student_temperature)
        if reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        if time not in TIMES:
            raise unknown_name("time", time, TIMES)
        self.reduction = reduction
        self.time = time

    def build(self, teacher_shape, student_shape):
        super().build(teacher_shape, student_shape)
        if len(teacher_shape) not in (2, 3) or len(student_shape) not in (2, 3) or teacher_shape[-1] != student_shape[-1]:
            raise self.misfit(teacher_shape, student_shape, "both must be logits [B, C] or [B, T, C] of the same classes")

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        tau_t = self.temperature
        tau_s = self.student_temperature or tau_t
        teacher, student = self._in_time(teacher_outputs, student_outputs)
        log_p = ops.log_softmax(teacher / tau_t)
        log_q = ops.log_softmax(student / tau_s)
        divergence = ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
        if self.reduction == "elementwise":
            divergence = divergence / teacher.shape[-1]
        return tau_t * tau_s * (ops.mean(divergence, axis=1) if len(divergence.shape) == 2 else divergence)

    def _in_time(self, teacher, student):
        if self.time == "per_step" and has_time(student):
            same = has_time(teacher) and teacher.shape[1] == student.shape[1]
            return teacher if same else ops.expand_dims(mean_over_time(teacher), 1), student
        reduce = _sum_over_time if self.time == "sum" else mean_over_time
        return reduce(teacher), reduce(student)

    def get_config(self):
        more = {"temperature": self.temperature, "student_temperature": self.student_temperature}
        return {**super().get_config(), **more, "reduction": self.reduction, "time": self.time}


def _sum_over_time(x):
    return ops.sum(x, axis=1) if has_time(x) else x
