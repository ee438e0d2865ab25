"""Objectives on feature maps, layer by layer."""

import math
from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import check_positive, mean_of_sample, mean_over_time, sum_over_time
from keras_snnkd.distill.objectives.pairs import LayerPairs, flat, norm, unit
from keras_snnkd.distill.objectives.probabilities import kl
from keras_snnkd.errors import unknown_name
from keras_snnkd.training import strategy

REDUCTIONS = ("mean", "sum")
DISTANCES = ("mse", "l1", "kl", "magnitude")
TRANSFORMS = (1, 3)


@public
class FeatureMap(LayerPairs):
    """Match the teacher's features, neuron by neuron, averaged over time.

    With ``F`` the mean over time of spikes or activations, and `align` a trained 1x1 projection where widths differ, or with `transform` a
    trained convolution and batch norm in any case::

        loss = mean over B of  sum over pairs of layers of  d(align(F_student), F_teacher)

        distance="mse"        d = mean (or sum) over H, W, D of (F_student - F_teacher)^2
        distance="l1"         d = mean (or sum) over H, W, D of |F_student - F_teacher|
        distance="kl"         d = tau^2 sum over H, W, D of p (log p - log q),  p = softmax(F_teacher / tau),  q = softmax(F_student / tau)
        distance="magnitude"  d = | ||F_student|| - ||F_teacher|| |, norms over the whole batch

    The rate features of KDSNN (Xu et al., CVPR 2023, arXiv:2304.05627; paper, whose layers and weights are not known to us). With
    `reduction="sum"` they are as the official code of BKDSNN implements them (Xu et al., ECCV 2024, arXiv:2407.09083). With the tap
    `"stages"`, `transform=3` and weight 100, they are SAKD's for CIFAR (Qiu et al., Neural Networks 178, 2024; official code, whose
    default is the first distance and whose other distances are the ones above); its code for ImageNet has `transform=1`. A sum over all
    elements needs a small weight (BKDSNN: 7e-5), a mean a larger one.

    Args:
        reduction: `"mean"` or `"sum"` over the elements of a sample, for the first two distances.
        distance: One of those above; the softmax of `"kl"` is over all elements of a sample together.
        temperature: ``tau`` of the distance `"kl"`, greater than 0 (SAKD: 1, or 20).
        transform: Height and width of a trained convolution that the student's features pass before they are compared, then batch norm,
            also at equal widths: 1 or 3. By default none.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks; lists of layers are
            compared in order; `"stages"` are the last neurons of each map size of the student, and in the teacher, which has to be of its
            shape, the layers of the same names.

    Reads:
        `[B, T, H, W, D]`, `[B, H, W, D]`, `[B, T, N]` or `[B, N]`; T may differ. Larger maps are averaged down to the
        smaller ones, whose size must be a whole fraction of theirs.

    Raises:
        ShapeError: If the maps cannot be brought to one size.
        UnknownNameError: For an unknown reduction or distance.
        ValueError: For a sum with a distance that has none, a convolution of another size, or taps that are not equally many.

    Example:
        >>> kd.objectives.FeatureMap().compute_loss(teacher_maps, student_maps)
        >>> kd.objectives.FeatureMap(teacher_tap="stages", transform=3, weight=100.0)
    """

    def __init__(
        self, reduction: str = "mean", distance: str = "mse", temperature: float = 1.0, transform: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        if distance not in DISTANCES:
            raise unknown_name("distance", distance, DISTANCES)
        if reduction == "sum" and distance not in ("mse", "l1"):
            raise ValueError(f"FeatureMap: reduction='sum' goes with the distances 'mse' and 'l1', got distance={distance!r}")
        self.reduction = reduction
        self.distance = distance
        self.temperature = check_positive(self, "temperature", temperature)
        if transform is not None and transform not in TRANSFORMS:
            raise ValueError(f"FeatureMap: transform must be 1 or 3, the size of a convolution, or left out, got {transform!r}")
        self.transform = transform

    def alignment(self, teacher_shape: Shape, student_shape: Shape) -> Alignment:
        return Alignment(self, teacher_shape, student_shape, kernel=self.transform)

    def pair_losses(self, teacher: Tensor, student: Tensor, align: Alignment) -> Tensor:
        teacher, student = align(mean_over_time(teacher), mean_over_time(student))
        if self.distance == "magnitude":
            return ops.broadcast_to(ops.abs(norm(student) - norm(teacher)), (ops.shape(student)[0],))
        if self.distance == "kl":
            return self.temperature**2 * kl(flat(teacher) / self.temperature, flat(student) / self.temperature)
        means = mean_of_sample((ops.square if self.distance == "mse" else ops.abs)(student - teacher))
        return means if self.reduction == "mean" else means * _elements(teacher)

    def get_config(self) -> Config:
        own = {"reduction": self.reduction, "distance": self.distance, "temperature": self.temperature}
        return {**super().get_config(), **own, **({"transform": self.transform} if self.transform else {})}


@public
class ActiveFeatures(LayerPairs):
    """Match the teacher's features where one of the two is active, summed over time and over the batch.

    With ``F`` the sum over time of the student's spikes or currents, and the teacher's activations, each pooled to one mean for a channel
    if `pooled`::

        loss = sum over pairs of layers, B, H, W, D of  (align(F_student) - F_teacher)^2  where F_student > 0 or F_teacher > 0

    The feature term of Joint A-SNN (Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099; official code), there between the
    globally pooled features of four exits of two networks that share weights and train together (see `Joint`); here the teacher is trained
    before. It is a sum over the batch, not a mean: its weight (in the official code 1e-6, for batches of 1,024) belongs to a batch size.

    Args:
        pooled: Whether maps are averaged to one number for each channel first, as in the official code.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks; lists of layers are
            compared in order.

    Reads:
        `[B, T, H, W, D]`, `[B, H, W, D]`, `[B, T, N]` or `[B, N]`. Map sizes and widths may differ, as for `FeatureMap`.

    Raises:
        ShapeError: If the maps cannot be brought to one size.
        ValueError: If the taps are not equally many.

    Example:
        >>> kd.objectives.ActiveFeatures(pooled=True, weight=1e-5).compute_loss(teacher_maps, student_maps)
    """

    def __init__(self, pooled: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooled = bool(pooled)

    def alignment(self, teacher_shape: Shape, student_shape: Shape) -> Alignment:
        if not self.pooled:
            return Alignment(self, teacher_shape, student_shape)
        return Alignment(self, (None, teacher_shape[-1]), (None, student_shape[-1]))

    def pair_losses(self, teacher: Tensor, student: Tensor, align: Alignment) -> Tensor:
        summed = (sum_over_time(x) for x in (teacher, student))
        teacher, student = align(*(_pooled(x) if self.pooled else x for x in summed))
        active = ops.cast(ops.logical_or(student > 0, teacher > 0), student.dtype)
        samples = ops.sum(flat(active * ops.square(student - teacher)), axis=1)
        images = ops.shape(student)[0] * strategy.replicas()  # the mean over the batch is to be the sum
        return samples * ops.cast(images, samples.dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), **({"pooled": True} if self.pooled else {})}


@public
class AttentionMap(LayerPairs):
    """Match where the teacher's features are strong, whatever the channel.

    With ``F`` the mean over time of spikes or activations, and ``||.||`` the norm over the map::

        A[h, w] = sum over D of F[h, w, d]^2
        loss    = mean over B of  sum over pairs of layers, H, W of  (A_student / ||A_student|| - A_teacher / ||A_teacher||)^2

    A reconstruction of the layer-wise attention of LaSNN (Hong et al., arXiv:2304.09101), whose formula we could not read, after the
    attention transfer of Zagoruyko and Komodakis (ICLR 2017, arXiv:1612.03928), whose formula takes the norm of the difference and not
    its square. Each term lies in 0..2, so that layers count alike; a student that is silent for an image gets no gradient from it.

    Args:
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks; lists of layers are
            compared in order.

    Reads:
        Maps `[B, T, H, W, D]` or `[B, H, W, D]`. T and widths may differ without a projection; of maps of different sizes, the larger
        ``A`` is averaged down to the smaller, whose size must be a whole fraction of its.

    Raises:
        ShapeError: If a tap has no maps, or they cannot be brought to one size.
        ValueError: If the taps are not equally many.

    Example:
        >>> kd.objectives.AttentionMap(teacher_tap=["block1_neuron", "block2_neuron"])
    """

    def alignment(self, teacher_shape: Shape, student_shape: Shape) -> Alignment:
        if len(teacher_shape) not in (4, 5) or len(student_shape) not in (4, 5):
            raise self.misfit(teacher_shape, student_shape, "both must be maps [B, H, W, D] or [B, T, H, W, D]")
        return Alignment(self, (*teacher_shape[:-1], 1), (*student_shape[:-1], 1))

    def pair_losses(self, teacher: Tensor, student: Tensor, align: Alignment) -> Tensor:
        maps = (ops.sum(ops.square(mean_over_time(x)), axis=-1, keepdims=True) for x in (teacher, student))
        teacher, student = (unit(flat(x)) for x in align(*maps))
        return ops.sum(ops.square(student - teacher), axis=1)


def _pooled(x: Tensor) -> Tensor:
    """Maps `[B, H, W, D]` averaged to `[B, D]`; `[B, D]` stays."""
    return ops.mean(x, axis=(1, 2)) if len(x.shape) == 4 else x


def _elements(x: Tensor) -> float:
    return float(math.prod(x.shape[1:]))
