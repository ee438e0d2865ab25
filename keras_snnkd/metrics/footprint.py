"""How many bytes a network needs to be kept."""

import zlib

import keras
import numpy as np

from keras_snnkd.keras_internals import all_layers

_LARGEST_INTEGER = 127

_WHOLE = 1e-3
"""How far from a whole number of steps a weight in float32 may be."""


def footprint(model: keras.Model) -> int:
    """Bytes of all parameters and buffers of a model, as it is held in Keras.

    Trained weights and what is kept beside them (a batch norm's moving moments), each in its own number format; zeros count. The states of
    the neurons come and go with each call, and are not among them. An exported file's footprint is the size of that file. The name and the
    definition are NeuroBench's (Yik et al., 2025, Nature Communications 16:1545, arXiv:2304.04640).

    Args:
        model: Any Keras model that is built.

    Returns:
        Number of bytes.

    Example:
        >>> kd.metrics.footprint(student)
    """
    return sum(int(np.prod(weight.shape)) * np.dtype(weight.dtype).itemsize for weight in model.weights)


def compressed_size(model: keras.Model) -> int:
    """Bytes of all parameters and buffers of a model, packed: what is sent to a device, or kept on a disk.

    Kernels of whole steps ``max |w_c| / 127`` for each output channel c, as `keras_snnkd.models.round_weights` leaves them, count as 8-bit
    integers and one step a channel; everything else is float32. Then all is packed by zlib, which finds zeros and repeated values. Layers
    that round their weights in each call are packed with what they compute with.

    Args:
        model: Any Keras model that is built.

    Returns:
        Number of bytes.

    Example:
        >>> kd.metrics.compressed_size(student)
    """
    rounded = {id(layer.kernel): layer.rounded_kernel() for layer in all_layers(model) if hasattr(layer, "rounded_kernel")}
    weights = [keras.ops.convert_to_numpy(rounded.get(id(weight), weight)) for weight in model.weights]
    return len(zlib.compress(b"".join(map(_packed, weights)), 9))


def _packed(weight: np.ndarray) -> bytes:
    """An array as bytes: in 8 bits where these hold it, else in float32."""
    weight = weight.astype("float32")
    if weight.ndim > 1:
        largest = np.abs(weight).max(axis=tuple(range(weight.ndim - 1)))
        step = np.where(largest > 0, largest, 1.0) / np.float32(_LARGEST_INTEGER)
        steps = weight / step
        if np.abs(steps - np.round(steps)).max() < _WHOLE:
            return np.round(steps).astype("int8").tobytes() + step.astype("float32").tobytes()
    return weight.tobytes()
