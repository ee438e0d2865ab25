"""Objectives on membrane potentials."""

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import has_time, mean_of_sample, mean_of_steps
from keras_snnkd.distill.objectives.pairs import LayerPairs


@public
class Membrane(LayerPairs):
    """Match the teacher's membrane potentials, step by step.

    With the membrane potential ``h[t]`` before the reset (what is compared with the threshold)::

        loss = mean over B of  sum over pairs of layers of  mean over T, H, W, D of (align(h_student[t]) - h_teacher[t])^2

    The potential tells how far a silent neuron is from firing, which its spikes do not. The gradient reaches the student's weights through
    the charge at every step, and through resets by the surrogate. A reconstruction of the membrane path of MD-SNN (Lee et al., DATE 2026,
    arXiv:2512.04443), from a full-precision spiking network to one of low precision, whose formula and weights we could not read. It
    supposes neurons with similar thresholds. The neurons run once more to tell their potentials: about as much time and memory again as
    their layer takes.

    Args:
        teacher_tap, student_tap, weight, name: See `Objective`. Taps of membrane potentials, `"<layer>.membrane"`; by default those of the
            last neurons of both networks. Lists of layers are compared in order.

    Reads:
        `[B, T, N]` or `[B, T, H, W, D]` of both models, with the same T. Map sizes and widths may differ, as for `FeatureMap`.

    Raises:
        ShapeError: If a tap has no time axis, T differs, or the maps cannot be brought to one size.
        ValueError: If the taps are not equally many.

    Example:
        >>> kd.objectives.Membrane(teacher_tap=["block1_neuron.membrane", "block2_neuron.membrane"])
    """

    default_tap = "neurons.membrane"
    reads_steps = True
    needs_time = True

    def alignment(self, teacher_shape: Shape, student_shape: Shape) -> Alignment:
        if not has_time(teacher_shape) or not has_time(student_shape) or teacher_shape[1] != student_shape[1]:
            raise self.misfit(teacher_shape, student_shape, "both must be membrane potentials [B, T, ...] of the same T")
        return super().alignment(teacher_shape, student_shape)

    def pair_losses(self, teacher: Tensor, student: Tensor, align: Alignment) -> Tensor:
        teacher, student = align(teacher, student)
        return mean_of_sample(mean_of_steps(ops.square(student - teacher)))
