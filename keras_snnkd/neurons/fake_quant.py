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


def fake_quant_weights(kernel: Tensor, bias: Tensor, input_step: float) -> tuple[Tensor, Tensor]:
    """A kernel rounded to -127..127 steps ``max |w_c| / 127`` of each output channel c, and a bias in whole steps of the products.

    The gradient passes unchanged. LiteRT's converter finds the same steps in the rounded kernel.

    Args:
        kernel: `[..., C]`.
        bias: `[C]`.
        input_step: The step of the activations that the kernel multiplies.

    Returns:
        The kernel and the bias.
    """
    kernel, bias = ops.convert_to_tensor(kernel), ops.convert_to_tensor(bias)
    largest = ops.max(ops.abs(kernel), axis=tuple(range(len(kernel.shape) - 1)))
    step = ops.stop_gradient(ops.where(largest > 0, largest, 1.0) / 127)

    def rounded(w: Tensor, step: float) -> Tensor:
        nearest = ops.floor(w / step + 0.5) * step
        return nearest if exporting() else w + ops.stop_gradient(nearest - w)  # exact: the two are within a factor of 2, or one is 0

    return rounded(kernel, step), rounded(bias, step * input_step)


def _tell(x: Tensor, minimum: float, maximum: float) -> Tensor:
    import tensorflow as tf

    step, zero = whole_range(minimum, maximum)
    return tf.quantization.fake_quant_with_min_max_args(x, -zero * step, (LEVELS - 1 - zero) * step)
