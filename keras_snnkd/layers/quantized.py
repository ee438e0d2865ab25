"""Synapses whose weights are rounded to what 8 bits can hold."""

from typing import Any

import keras

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.layers.fake_quant import SPIKE_STEP
from keras_snnkd.neurons.fake_quant import check_weight_bits, fake_quant_weights


class Quantized(keras.layers.Layer):
    """What both synapses share: per output channel ``c`` of the kernel ``w``, in each call anew::

        s_c = max |w_c| / 127,   w_c <- s_c floor(w_c / s_c + 1/2),   b_c likewise in steps input_step s_c

    With fewer `weight_bits`, as `keras_snnkd.neurons.fake_quant.fake_quant_weights` says. The gradient passes the rounding unchanged. The
    products are whole numbers of steps ``input_step s_c``: so are they in the file.

    Raises:
        ValueError: If `input_step` is not above 0, or for another number of bits.
    """

    def __init__(self, *sizes: Any, input_step: float = SPIKE_STEP, weight_bits: int = 8, **kwargs: Any) -> None:
        super().__init__(*sizes, **{**kwargs, "use_bias": True, "dtype": "float32"})
        if not input_step > 0:
            raise ValueError(f"{self.name}: input_step must be above 0, got {input_step}")
        check_weight_bits(weight_bits)
        self.input_step = float(input_step)
        self.weight_bits = weight_bits

    def call(self, inputs: Tensor) -> Tensor:
        kernel, bias = self.rounded()
        return self.activation(self.product(inputs, kernel) + bias)

    def rounded(self) -> tuple[Tensor, Tensor]:
        """Kernel and bias with which the layer computes."""
        return fake_quant_weights(self.kernel, self.bias, self.input_step, self.weight_bits)

    def rounded_kernel(self) -> Tensor:
        """The kernel with which the layer computes."""
        return self.rounded()[0]

    def get_config(self) -> Config:
        config = {**super().get_config(), "input_step": self.input_step, "weight_bits": self.weight_bits}
        del config["use_bias"]
        return config


@public
class QuantizedConv2D(Quantized, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` with bias whose weights are rounded to 8 bits, per output channel.

    ``s_c = max |w_c| / 127``, ``w_c <- s_c floor(w_c / s_c + 1/2)``; the bias in whole steps ``input_step s_c``. The gradient passes the
    rounding unchanged. Krishnamoorthi (arXiv:1806.08342).

    Args:
        filters, kernel_size: Of `keras.layers.Conv2D`.
        input_step: The step of the activations it reads, 1/255 for spikes.
        weight_bits: 8, 4, or 2 for three values.
        **kwargs: Of `keras.layers.Conv2D`, but for `use_bias`.

    Call arguments:
        inputs: `[B, H, W, C]`.

    Returns:
        `[B, H', W', filters]`, float32.

    Example:
        >>> QuantizedConv2D(8, 3, padding="same")(keras.ops.ones((2, 8, 8, 1))).shape  # (2, 8, 8, 8)
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int], input_step: float = SPIKE_STEP, weight_bits: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, input_step=input_step, weight_bits=weight_bits, **kwargs)

    def product(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return self.convolution_op(inputs, kernel)


@public
class QuantizedConv1D(Quantized, keras.layers.Conv1D):
    """A `keras.layers.Conv1D` with bias whose weights are rounded to 8 bits, per output channel. As `QuantizedConv2D`.

    Args:
        filters, kernel_size: Of `keras.layers.Conv1D`.
        input_step: The step of the activations it reads, 1/255 for spikes.
        weight_bits: 8, 4, or 2 for three values.
        **kwargs: Of `keras.layers.Conv1D`, but for `use_bias`.

    Call arguments:
        inputs: `[B, T, C]`.

    Returns:
        `[B, T', filters]`, float32.

    Example:
        >>> QuantizedConv1D(8, 3, strides=2)(keras.ops.ones((2, 9, 6))).shape  # (2, 4, 8)
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int], input_step: float = SPIKE_STEP, weight_bits: int = 8, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, input_step=input_step, weight_bits=weight_bits, **kwargs)
        if self.padding == "causal":
            raise ValueError(f"{self.name}: padding='causal' has no 8-bit form here; take 'valid' or 'same'")

    def product(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return self.convolution_op(inputs, kernel)


@public
class QuantizedDense(Quantized, keras.layers.Dense):
    """A `keras.layers.Dense` with bias whose weights are rounded to 8 bits, per output. As `QuantizedConv2D`.

    Args:
        units: Of `keras.layers.Dense`.
        input_step: The step of the activations it reads, 1/255 for spikes.
        weight_bits: 8, 4, or 2 for three values.
        **kwargs: Of `keras.layers.Dense`, but for `use_bias`.

    Call arguments:
        inputs: `[B, F]`.

    Returns:
        `[B, units]`, float32.

    Example:
        >>> QuantizedDense(10)(keras.ops.ones((2, 64))).shape  # (2, 10)
    """

    def __init__(self, units: int, input_step: float = SPIKE_STEP, weight_bits: int = 8, **kwargs: Any) -> None:
        super().__init__(units, input_step=input_step, weight_bits=weight_bits, **kwargs)

    def product(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return keras.ops.matmul(inputs, kernel)
