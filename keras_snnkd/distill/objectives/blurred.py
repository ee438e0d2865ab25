"""Objectives on blurred features."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shapes, Tensor
from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objective import Objective, check_positive, mean_over_time
from keras_snnkd.distill.objectives.pairs import flat


@public
class BlurredFeature(Objective):
    """Restore the teacher's features from the student's, of which some channels are hidden.

    With ``F`` the mean over time of the student's features, `align` a trained 1x1 convolution where widths differ, ``M[b, d]`` 0 with the
    probability `blur_ratio` and else 1 (new in each step), and ``G`` a trained generator, 3x3 convolution - ReLU - 3x3 convolution::

        loss = mean over B of  sum over H, W, D of (G(M align(F)) - F_teacher)^2                         a teacher with maps
        loss = mean over B of  sum over D of (mean over H, W of G(M align(F)) - F_teacher)^2             a teacher without (a ViT)

    With `use_clip` the teacher's features are first scaled to the student's, by ``max align(F) / max F_teacher``, maxima over the whole
    batch, and the gradient flows through the student's. The features of BKDSNN (Xu et al., ECCV 2024, arXiv:2407.09083; official code);
    in the same code a logit loss of its own goes with it. The code's blur ratio is 0.15, the paper is said to find 0.6 best: the default
    is the code's, which one can read. A sum needs a small weight: 7e-5 in the code for ImageNet, 2e-3 for CIFAR.

    Args:
        blur_ratio: Probability with which a channel of a sample is hidden, 0 to 1.
        use_clip: Whether the teacher's features are scaled to the student's.
        seed: Of the hidden channels; a random one by default.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks.

    Reads:
        Of the student maps `[B, (T,) H, W, D]`, of the teacher maps or features `[B, (T,) D]`. T may differ; larger maps are averaged
        down to the smaller ones, whose size must be a whole fraction of theirs.

    Raises:
        ShapeError: If the student has no maps, or they cannot be brought to the teacher's.
        ValueError: If the blur ratio is not in 0..1.

    Example:
        >>> kd.objectives.BlurredFeature(weight=2e-3).compute_loss(teacher_maps, student_maps)
    """

    default_tap = "neurons"

    def __init__(self, blur_ratio: float = 0.15, use_clip: bool = True, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blur_ratio = check_positive(self, "blur_ratio", blur_ratio, or_zero=True)
        if self.blur_ratio > 1:
            raise ValueError(f"BlurredFeature: blur_ratio must be in 0..1, got {blur_ratio!r}")
        self.use_clip = bool(use_clip)
        self.seed = seed
        self.layers: dict[str, keras.Layer] = {}
        self.resize: Alignment | None = None

    @property
    def helpers(self) -> list[keras.Layer]:
        return list(self.layers.values())

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = self.built_shapes
        if len(student) not in (4, 5) or len(teacher) not in (2, 3, 4, 5):
            raise self.misfit(teacher, student, "the student's must be maps [B, (T,) H, W, D], the teacher's maps or features [B, (T,) D]")
        depth = teacher[-1]
        if len(teacher) in (4, 5):
            self.resize = Alignment(self, teacher, (*student[:-1], depth))
        inputs = {"align": student[-1]} if student[-1] != depth else {}
        inputs |= {"generator1": depth, "generator2": depth}
        for layer, width in inputs.items():
            self.layers[layer] = keras.layers.Conv2D(
                depth,
                1 if layer == "align" else 3,
                padding="same",
                activation="relu" if layer == "generator1" else None,
                dtype="float32",
                name=f"{self.name}_{layer}",
            )
            self.layers[layer].build((None, None, None, width))
        self.layers["mask"] = ChannelMask(self.blur_ratio, self.seed, dtype="float32", name=f"{self.name}_mask")
        self.layers["mask"].build((None, None, None, depth))

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = mean_over_time(teacher_outputs), mean_over_time(student_outputs)
        if self.resize:
            teacher, student = self.resize(teacher, student)
        if "align" in self.layers:
            student = self.layers["align"](student)
        if self.use_clip:
            peak = ops.max(teacher)
            teacher = teacher / ops.where(peak == 0, 1.0, peak) * ops.max(student)
        restored = self.layers["generator2"](self.layers["generator1"](self._mask(student) * student))
        if not self.resize:
            restored = ops.mean(restored, axis=(1, 2))
        return ops.sum(ops.square(flat(restored - teacher)), axis=1)

    def _mask(self, features: Tensor) -> Tensor:
        return self.layers["mask"](features)

    def get_config(self) -> Config:
        return {**super().get_config(), "blur_ratio": self.blur_ratio, "use_clip": self.use_clip, "seed": self.seed}


class ChannelMask(keras.Layer):
    """For features `[B, H, W, D]` zeros and ones `[B, 1, 1, D]`: each is 0 with probability `ratio`."""

    def __init__(self, ratio: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio = ratio
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        return ops.cast(keras.random.uniform((shape[0], 1, 1, shape[-1]), seed=self.seed_generator) >= self.ratio, inputs.dtype)
