"""The activation of an ANN that becomes a spiking network of few steps."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor


@public
class ClipFloor(keras.layers.Layer):
    """A staircase with a learned height: what integrate-and-fire neurons can say in `levels` steps, their firing rate times the height.

    ``y = (s / L) clip(floor(x L / s + 1/2), 0, L)``, where ``s``, the scale, is learned, one number for the layer. The gradient passes the
    floor unchanged: to x 1 where ``0 < x < s``, else 0; to s 1 above, and the rounding in between.

    Args:
        levels: L, stairs above 0.
        scale: s at the start, greater than 0.

    Call arguments:
        inputs: `[B, ...]`.

    Returns:
        Same shape.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> ClipFloor(levels=4)(keras.ops.array([-1.0, 0.3, 0.5, 9.0]))  # [0, 0.25, 0.5, 1]

    Source: Bu et al. (ICLR 2022), "Optimal ANN-SNN Conversion", which HSD uses (Zhong et al., 2024, arXiv:2409.12507).
    """

    def __init__(self, levels: int = 8, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(levels, bool) or not isinstance(levels, int) or levels < 1:
            raise ValueError(f"{self.name}: levels must be a whole number above 0, got {levels!r}")
        if not scale > 0:
            raise ValueError(f"{self.name}: scale must be above 0, got {scale!r}")
        self.levels, self.scale = levels, float(scale)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        initializer = keras.initializers.Constant(self.scale)
        self.height = self.add_weight(shape=(), initializer=initializer, dtype="float32", autocast=False, name="height")
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        height = ops.cast(ops.maximum(self.height, 1e-3), inputs.dtype)
        share = ops.clip(inputs / height, 0.0, 1.0)
        stairs = ops.floor(share * self.levels + 0.5) / self.levels
        return height * (share + ops.stop_gradient(stairs - share))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "levels": self.levels, "scale": self.scale}
