"""Objectives on feature maps."""

from keras import ops

from keras_snnkd._public import public
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, mean_of_sample, mean_over_time
from keras_snnkd.errors import unknown_name

REDUCTIONS = ("mean", "sum")


@public
class FeatureMap(Objective):
    """Match the teacher's features, neuron by neuron, averaged over time.

    With ``F`` the mean over time of spikes or activations, and `align` a trained 1x1 projection where widths differ::

        loss = mean over B of  mean (or sum) over H, W, D of (align(F_student) - F_teacher)^2

    The rate features of KDSNN (Xu et al., CVPR 2023, arXiv:2304.05627), with `reduction="sum"` as the official code of BKDSNN (Xu et al.,
    ECCV 2024, arXiv:2407.09083) implements it. KDSNN's own layers and weights are not known to us. A sum over all elements needs a small
    weight (BKDSNN: 7e-5), a mean a larger one (SAKD: 100).

    Args:
        reduction: `"mean"` or `"sum"` over the elements of a sample.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks.

    Reads:
        `[B, T, H, W, D]`, `[B, H, W, D]`, `[B, T, N]` or `[B, N]`; T may differ. Larger maps are averaged down to the
        smaller ones, whose size must be a whole fraction of theirs.

    Raises:
        ShapeError: If the maps cannot be brought to one size.
        UnknownNameError: For an unknown reduction.

    Example:
        >>> kd.objectives.FeatureMap().compute_loss(teacher_maps, student_maps)
    """

    default_tap = "neurons"

    def __init__(self, reduction: str = "mean", **kwargs):
        super().__init__(**kwargs)
        if reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        self.reduction = reduction
        self.align = None

    @property
    def helpers(self):
        return self.align.helpers if self.align else []

    def build(self, teacher_shape, student_shape):
        super().build(teacher_shape, student_shape)
        self.align = Alignment(self, teacher_shape, student_shape)

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        teacher, student = self.align(mean_over_time(teacher_outputs), mean_over_time(student_outputs))
        means = mean_of_sample(ops.square(student - teacher))
        return means if self.reduction == "mean" else means * _elements(teacher)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}


def _elements(x):
    count = 1
    for size in x.shape[1:]:
        count *= size
    return float(count)
