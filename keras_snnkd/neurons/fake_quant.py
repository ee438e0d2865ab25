"""Fake quantization: numbers rounded to those that 8 bits can hold, in float, so that a network learns with the rounding it will meet.

An activation in 8 bits is a whole number ``n`` of steps ``d``, a range of 256 of them that holds 0::

    d = (maximum - minimum) / 255,   z = round(-minimum / d),   y = d min(max(floor(x / d + 1/2), -z), 255 - z)

The gradient is that of the clipping, ``dy/dx = 1`` inside the range and 0 outside (straight-through). Jacob et al. (CVPR 2018,
arXiv:1712.05877). Where the file of integers is being written, TensorFlow's own operator stands for it, which tells LiteRT's converter the
range of the tensor.
"""

from typing import Any

from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.neurons.dynamics import exporting, exporting_integers

LEVELS = 256
"""Numbers that 8 bits can hold."""


def whole_range(minimum: float, maximum: float) -> tuple[float, int]:
    """The step ``d`` and the zero point ``z`` of a range that holds 0."""
    step = (maximum - minimum) / (LEVELS - 1)
    return step, round(-minimum / step)


def fake_quant(x: Tensor, minimum: float, maximum: float) -> Tensor:
    """`x` rounded to 8 bits; see this module's equations.

    Args:
        x: Float tensor `[...]`.
        minimum: At most 0.
        maximum: At least 0, greater than `minimum`.

    Example:
        >>> fake_quant(keras.ops.array([0.1, 0.4, 9.0]), -1.0, 127 / 128)  # [0.1015625, 0.3984375, 0.9921875]
    """
    if exporting_integers():
        return _tell(x, minimum, maximum)
    step, zero = whole_range(minimum, maximum)
    lowest, highest = -zero, LEVELS - 1 - zero

    def rounded(x: Tensor) -> Tensor:
        return ops.clip(ops.floor(x / step + 0.5), lowest, highest) * step

    if exporting():
        return rounded(x)

    @ops.custom_gradient
    def straight_through(x: Tensor) -> Any:
        def grad(*args: Any, upstream: Tensor | None = None) -> Any:
            upstream = args[0] if upstream is None else upstream
            return upstream * inside(x, minimum, maximum)

        return rounded(x), grad

    return straight_through(x)


def inside(x: Tensor, minimum: float, maximum: float) -> Tensor:
    """1 where `x` is in the range, else 0."""
    return ops.cast(ops.logical_and(x >= minimum, x <= maximum), x.dtype)


def in_range(x: Tensor, minimum: float, maximum: float) -> Tensor:
    """`x`, whose values are in this range's 8 bits already: only a converter to integers has to be told."""
    return _tell(x, minimum, maximum) if exporting_integers() else x


WEIGHT_BITS = (8, 4, 2)
"""In how many bits weights can be held; 2 are three values, -1, 0 and 1 times a scale."""

TERNARY_CUT = 0.7
"""Weights below this part of their mean size become 0 in ternary networks (Li and Liu, arXiv:1605.04711)."""


def check_weight_bits(bits: int) -> None:
    """Raise a `ValueError` for a number of bits in which weights cannot be held."""
    if bits not in WEIGHT_BITS:
        raise ValueError(f"weight_bits of a quantized network must be one of {WEIGHT_BITS} (2 for three values), got {bits!r}")


def fake_quant_weights(kernel: Tensor, bias: Tensor, input_step: float, bits: int = 8) -> tuple[Tensor, Tensor]:
    """A kernel rounded to few values for each output channel c, and a bias in whole steps of the products.

    In steps ``s_c`` of which the largest weight is 127, so that a file of 8 bits holds all of them::

        8 bits:  floor(w / s_c + 1/2),                       s_c = max |w_c| / 127
        4 bits:  floor(127 n / 7 + 1/2),  n = floor(7 w / max |w_c| + 1/2),  s_c = max |w_c| / 127
        2 bits:  127 sign(w) where |w| > d_c, else 0,        d_c = 0.7 mean |w_c|,  127 s_c = mean of the |w| above d_c

    The gradient passes unchanged. LiteRT's converter finds the same steps in the rounded kernel.

    Args:
        kernel: `[..., C]`.
        bias: `[C]`.
        input_step: The step of the activations that the kernel multiplies.
        bits: One of `WEIGHT_BITS`.

    Returns:
        The kernel and the bias.

    Source: 4 bits in the steps of 8 are ours; ternary weights after Li and Liu (arXiv:1605.04711).
    """
    kernel, bias = ops.convert_to_tensor(kernel), ops.convert_to_tensor(bias)
    size, axes = ops.abs(kernel), tuple(range(len(kernel.shape) - 1))
    if bits == 2:
        above = ops.cast(size > TERNARY_CUT * ops.mean(size, axis=axes), kernel.dtype)
        largest = ops.sum(size * above, axis=axes) / ops.maximum(ops.sum(above, axis=axes), 1.0)
    else:
        largest = ops.max(size, axis=axes)
    step = ops.stop_gradient(ops.where(largest > 0, largest, 1.0) / 127)
    if bits == 2:
        steps = 127 * ops.sign(kernel) * above
    elif bits == 4:
        steps = ops.floor(127 / 7 * ops.floor(kernel / (127 / 7 * step) + 0.5) + 0.5)
    else:
        steps = ops.floor(kernel / step + 0.5)
    bias_step = step * input_step
    return _passed(kernel, steps * step), _passed(bias, ops.floor(bias / bias_step + 0.5) * bias_step)


def _passed(x: Tensor, nearest: Tensor) -> Tensor:
    """`nearest`, to the last bit, with the gradient of `x`."""
    return nearest if exporting() else ops.stop_gradient(nearest) + (x - ops.stop_gradient(x))


def _tell(x: Tensor, minimum: float, maximum: float) -> Tensor:
    import tensorflow as tf

    step, zero = whole_range(minimum, maximum)
    return tf.quantization.fake_quant_with_min_max_args(x, -zero * step, (LEVELS - 1 - zero) * step)
