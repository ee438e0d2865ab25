"""Weights that were pruned stay 0 in whatever training follows."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.keras_internals import all_layers


class KeepZeros(keras.constraints.Constraint):
    """Set weights to 0 again after each step that were 0 at the start."""

    def __init__(self, weight: Any) -> None:
        self.mask = ops.convert_to_numpy(weight) != 0

    def __call__(self, w: Tensor) -> Tensor:
        return w * ops.cast(self.mask, w.dtype)


def keep_zeros(model: keras.Model) -> int:
    """Have the zeros in a model's kernels stay.

    Args:
        model: Any model. Its constraints are set in place; they are in no file.

    Returns:
        The number of kernels with zeros.

    Example:
        >>> keep_zeros(keras_snnkd.compress.plain(pruned))
    """
    kernels = [weight for layer in all_layers(model) for weight in layer.trainable_weights if weight.name == "kernel"]
    sparse = list({id(kernel): kernel for kernel in kernels if not ops.convert_to_numpy(kernel).all()}.values())
    for kernel in sparse:
        kernel.constraint = KeepZeros(kernel)
    return len(sparse)
