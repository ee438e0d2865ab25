"""Layers for series `[B, T, C]`: their scale, and convolutions that do not look ahead."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor


@public
class Standardize(keras.Layer):
    """Channels with mean 0 and deviation 1: ``y[b, t, c] = (x[b, t, c] - mean[c]) / deviation[c]``, and 0 in padded steps.

    Both are kept in the model's file, so that whoever runs it feeds what the sensor gives. `set_statistics` takes those of the training
    part; until then they are 0 and 1.

    With `padded` the layer tells those behind it which steps are real (Keras' masks): all up to the last one that is not zero in every
    channel. They leave padded steps out of batch norms' moments and readouts, and neurons do not fire in them.

    Args:
        padded: Whether series may be shorter than T, and padded with zeros at the end.

    Call arguments:
        inputs: `[B, T, C]`.

    Returns:
        `[B, T, C]`.

    Example:
        >>> layer = Standardize()
        >>> layer.build((None, 29, 12))
        >>> layer.set_statistics(mean, deviation)  # [12], [12]
    """

    def __init__(self, padded: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padded = bool(padded)
        self.supports_masking = self.padded

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = {"shape": (input_shape[-1],), "trainable": False}
        self.mean = self.add_weight(**shape, initializer="zeros", name="mean")
        self.deviation = self.add_weight(**shape, initializer="ones", name="deviation")

    def set_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Take these means and standard deviations of the channels, `[C]` each."""
        self.mean.assign(mean)
        self.deviation.assign(deviation)

    def scaled(self, inputs: Tensor) -> Tensor:
        """`inputs` scaled, padding or not."""
        return (inputs - self.mean) / self.deviation

    def call(self, inputs: Tensor) -> Tensor:
        outputs = self.scaled(inputs)
        if not self.padded:
            return outputs
        return outputs * ops.cast(ops.expand_dims(real_steps(inputs), -1), outputs.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return real_steps(inputs) if self.padded else previous_mask

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padded": self.padded}


def real_steps(series: Tensor) -> Tensor:
    """Which steps of `[B, T, C]` come before the padding, booleans `[B, T]`; the first one always."""
    steps = series.shape[1]
    filled = ops.cast(ops.any(ops.not_equal(series, 0), axis=-1), "float32")
    last = ops.max(filled * ops.arange(steps, dtype="float32"), axis=1, keepdims=True)
    return ops.less_equal(ops.arange(steps, dtype="float32"), last)


@public
class CausalConv1D(keras.layers.Conv1D):
    """Convolution over time that sees the present and the past: ``y[t] = sum over k of w[k] x[t - d (K - 1 - k)]``, `[B, T, C]`.

    Args:
        filters: Channels of the output.
        kernel_size: K, steps that are seen.
        dilation_rate: d, every how-manieth step is seen.
        **kwargs: Of `keras.layers.Conv1D`, but for `padding` and `strides`.

    Example:
        >>> CausalConv1D(8, 3)(keras.ops.ones((2, 29, 12))).shape  # (2, 29, 8)
    """

    def __init__(self, filters: int, kernel_size: int, dilation_rate: int = 1, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, padding="causal", dilation_rate=dilation_rate, **kwargs)
        self.supports_masking = True

    def newest(self, window: Tensor) -> Tensor:
        """The output of the last step of a window ``[B, d (K - 1) + 1, C]``, `[B, 1, filters]`."""
        outputs = ops.conv(window, self.kernel, 1, "valid", dilation_rate=self.dilation_rate)
        return self.activation(outputs + self.bias if self.use_bias else outputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("padding", "strides"):
            del config[fixed]
        return {**config, "dilation_rate": self.dilation_rate[0]}
