"""Activations rounded to what 8 bits can hold."""

from typing import Any

import keras

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.neurons.fake_quant import LEVELS, fake_quant, whole_range


@public
class FakeQuant(keras.layers.Layer):
    """Round activations to 256 steps of a fixed range, in float; the file of integers computes the same.

    With ``d = (maximum - minimum) / 255`` and ``z = round(-minimum / d)``::

        y = d min(max(floor(x / d + 1/2), -z), 255 - z)

    The gradient is 1 inside the range and 0 outside. Jacob et al. (CVPR 2018, arXiv:1712.05877).

    Args:
        minimum: Smallest value, at most 0.
        maximum: Largest value, at least 0.

    Call arguments:
        inputs: `[B, ...]`.

    Returns:
        Same shape, float32.

    Raises:
        ValueError: If the range does not hold 0, or is empty.

    Example:
        >>> FakeQuant(-1.0, 127 / 128)(keras.ops.array([0.1, 0.4, 9.0]))  # 0.1016, 0.3984, 0.9922
    """

    def __init__(self, minimum: float = -1.0, maximum: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not minimum <= 0 <= maximum or minimum == maximum:
            raise ValueError(f"{self.name}: the range must hold 0, which padding and silent neurons give, got {minimum} .. {maximum}")
        self.minimum, self.maximum = float(minimum), float(maximum)
        self.supports_masking = True

    @property
    def step_size(self) -> float:
        """The step ``d``."""
        return whole_range(self.minimum, self.maximum)[0]

    def call(self, inputs: Tensor) -> Tensor:
        return fake_quant(inputs, self.minimum, self.maximum)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}


SPIKE_STEP = 1 / (LEVELS - 1)
"""The step of spikes, whose range is 0 .. 1; averages of spikes have it too."""
