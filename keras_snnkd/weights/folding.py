"""A batch norm as part of the synapse before it, as every deployed form has it."""

from typing import Any

import keras
import numpy as np

from keras_snnkd._types import Array, Tensor


def following_norm(layer: keras.Layer, model: keras.Model) -> keras.layers.BatchNormalization | None:
    """The batch norm over channels that alone reads a layer's output, or `None`, also behind an activation function."""
    if not is_linear(layer):
        return None
    found = readers(layer.output, model)
    if len(found) != 1 or not isinstance(found[0], keras.layers.BatchNormalization):
        return None
    return found[0] if found[0].axis in (-1, len(layer.output.shape) - 1) else None


def is_linear(layer: keras.Layer) -> bool:
    """Whether a synapse, perhaps wrapped, has no activation function."""
    inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
    return getattr(inner, "activation", None) in (None, keras.activations.linear)


def readers(tensor: Tensor, model: keras.Model) -> list[keras.Operation]:
    """The layers, and operations such as `+`, of a functional model that read a tensor of it."""
    return [
        operation
        for operation in getattr(model, "operations", model.layers)
        if any(read is tensor for read in keras.tree.flatten(operation.input))
    ]


def folded(synapse: keras.Layer, norm: keras.layers.BatchNormalization | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a synapse with the batch norm behind it::

        f_c = gamma_c / sqrt(variance_c + epsilon),   w_c <- f_c w_c,   b_c <- beta_c + f_c (b_c - mean_c)

    Args:
        synapse: A built `Dense` or convolution whose kernel has the output channels last.
        norm: The batch norm, with its moving moments; none by default.

    Returns:
        Arrays `[..., C]` and `[C]`, float64.

    Example:
        >>> kernel, bias = folded(layer.layer, following_norm(layer, model))
    """
    kernel = _numpy(synapse.kernel)
    bias = _numpy(synapse.bias) if synapse.use_bias else np.zeros(kernel.shape[-1])
    if norm is None:
        return kernel, bias
    variance = _numpy(norm.moving_variance).astype("float32") + np.float32(norm.epsilon)  # as Keras adds them: 1 after `round_weights`
    factor = (_numpy(norm.gamma) if norm.scale else 1.0) / np.sqrt(variance.astype("float64"))
    return kernel * factor, (bias - _numpy(norm.moving_mean)) * factor + (_numpy(norm.beta) if norm.center else 0.0)


def _numpy(weight: Any) -> Array:
    return keras.ops.convert_to_numpy(weight).astype("float64")
