"""Weights that were pruned stay 0 in whatever training follows."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._types import Array, Tensor
from keras_snnkd.keras_internals import all_layers

MANY_ZEROS = 0.3
"""The share of zeros from which a network counts as pruned."""


class KeepZeros(keras.constraints.Constraint):
    """Set some weights to 0 again after each step: those where a mask has none."""

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def __call__(self, w: Tensor) -> Tensor:
        return w * ops.cast(self.mask, w.dtype)


def is_pruned(model: keras.Model) -> bool:
    """Whether many of the weights in a model's kernels are 0."""
    kernels = [ops.convert_to_numpy(kernel) for kernel in _kernels(model)]
    return sum(int((kernel == 0).sum()) for kernel in kernels) >= MANY_ZEROS * max(1, sum(kernel.size for kernel in kernels))


def keep_zeros(model: keras.Model) -> int:
    """Have the zeros in a model's kernels stay, and channels without input silent: with no bias, and nothing of their batch norm.

    Args:
        model: Any model. Its constraints are set in place; they are in no file.

    Returns:
        The number of kernels with zeros.

    Example:
        >>> keep_zeros(keras_snnkd.compress.plain(pruned))
    """
    sparse = {id(kernel): (kernel, mask) for kernel in _kernels(model) if not (mask := ops.convert_to_numpy(kernel) != 0).all()}
    for kernel, mask in sparse.values():
        kernel.constraint = KeepZeros(mask)
    for layer in all_layers(model):
        for weights, channels in _of_channels(layer):
            if not channels.all():
                for weight in weights:
                    weight.constraint = KeepZeros(channels)
    return len(sparse)


def _kernels(model: keras.Model) -> list[Any]:
    return [weight for layer in all_layers(model) for weight in layer.trainable_weights if weight.name == "kernel"]


def _of_channels(layer: Any) -> Iterator[tuple[list[Any], Array]]:
    """Trainable weights `[C]` beside kernels, and which of their channels do anything."""
    own = {weight.name: weight for weight in layer.trainable_weights}
    if isinstance(layer, keras.layers.BatchNormalization) and {"gamma", "beta"} <= set(own):
        yield [own["gamma"], own["beta"]], np.any([ops.convert_to_numpy(own[name]) != 0 for name in ("gamma", "beta")], axis=0)
    elif isinstance(layer, (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)) and {"kernel", "bias"} <= set(own):
        kernel, bias = (ops.convert_to_numpy(own[name]) for name in ("kernel", "bias"))
        yield [own["bias"]], (kernel != 0).any(axis=tuple(range(kernel.ndim - 1))) | (bias != 0)
