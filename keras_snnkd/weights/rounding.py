"""Trained weights, rounded to a grid on which sums of spikes are exact."""

from typing import Any

import keras
import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.keras_internals import read_by
from keras_snnkd.weights.folding import following_norm

SCALE_BITS = 5
"""Significant bits of a kernel's step, and of a batch norm's factor behind spikes."""


def round_weights(model: keras.Model) -> int:
    """Round trained weights so that 8-bit files compute what the model does, and every runtime computes the same in float32.

    A kernel ``w`` with the batch norm that follows, if there is one, gets per output channel ``c``

        ``gamma'_c = gamma_c`` in 5 significant bits, and ``w_c <- w_c gamma_c / (gamma'_c sqrt(variance_c + epsilon))``, ``mean_c``
        likewise, ``variance_c <- 1 - epsilon``: the outputs stay as they are;
        ``s_c = max |w_c| / 127`` in 5 significant bits, and ``w_c <- s_c q``, ``q`` whole, -127..127, 127 at the largest;
        ``mean_c`` in whole steps ``s_c``, ``beta_c`` (or the bias) in whole steps ``s_c gamma'_c``.

    Then LiteRT's 8-bit dynamic-range quantization finds just these steps. And spikes being 0 and 1, each current is a whole number of
    steps ``s_c gamma'_c``: float32 holds it and all partial sums exactly (up to 2^14 steps), so that the order in which a runtime adds
    cannot move a membrane across the threshold. The layers that read the image take part if pixels are multiples of 1/256, as
    `keras_snnkd.data` gives them; there ``gamma'_c`` is a power of two, to leave their sums the bits they need. In
    an ANN, or behind a learned time constant or an average over a number that is no power of two, float32 rounds as ever.

    Args:
        model: A functional model. Its weights are changed in place.

    Returns:
        The number of kernels rounded.

    Example:
        >>> kd.models.round_weights(student)
        >>> kd.export.litert(student, "student.tflite", quantize="dynamic", samples=images)

    Source: steps per channel after Jacob et al. (CVPR 2018, arXiv:1712.05877) and Krishnamoorthi (arXiv:1806.08342); the rest is ours.
    """
    rounded = 0
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
        if (matrix := _matrix(inner)) is None:
            continue
        _round(inner, matrix, following_norm(layer, model), reads_image=_reads_image(layer, model))
        rounded += 1
    return rounded


def _round(layer: keras.Layer, matrix: Array, norm: keras.Layer | None, reads_image: bool) -> None:
    """`matrix` is the layer's kernel, `[weights of a channel, channels]`."""
    factor, gamma = 1.0, np.ones(matrix.shape[1])
    if norm is not None:
        factor = 1 / np.sqrt(_numpy(norm.moving_variance) + norm.epsilon)
        if norm.scale:
            before = _numpy(norm.gamma)
            gamma = significant(before, 1 if reads_image else SCALE_BITS)
            norm.gamma.assign(gamma)
            factor = factor * np.divide(before, gamma, out=np.ones_like(gamma), where=gamma != 0)
    matrix = matrix * factor
    step = significant(np.abs(matrix).max(axis=0) / 127, SCALE_BITS)
    step = np.where(step > 0, step, 1.0)
    levels = np.clip(np.round(matrix / step), -127, 127)
    largest = np.abs(matrix).argmax(axis=0), np.arange(matrix.shape[1])
    levels[largest] = 127 * np.sign(matrix[largest])
    layer.kernel.assign((levels * step).reshape(layer.kernel.shape))
    if layer.use_bias:
        layer.bias.assign(np.round(_numpy(layer.bias) * factor / step) * step)
    if norm is not None:
        exact_mean = _numpy(norm.moving_mean) * factor
        mean = np.round(exact_mean / step) * step
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(np.full(len(step), _one_less(norm.epsilon)))
        if norm.center:
            beta = _numpy(norm.beta) + (mean - exact_mean) * gamma  # takes up what the mean lost
            unit = np.where(gamma != 0, np.abs(step * gamma), step)
            norm.beta.assign(np.round(beta / unit) * unit)


def significant(values: np.ndarray, bits: int) -> np.ndarray:
    """`values` rounded to so many significant bits.

    Example:
        >>> significant(np.array([0.3, 100.0]), 1)  # array([0.25, 128.])
    """
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)


def _one_less(epsilon: float) -> np.float32:
    """The float32 to which a float32 epsilon is added to make 1."""
    added = np.float32(epsilon)
    candidate = np.float32(1) - added
    while candidate + added < 1:
        candidate = np.nextafter(candidate, np.float32(1))
    return candidate


def _matrix(layer: keras.Layer) -> Array | None:
    """The kernel as `[weights of an output channel, channels]` in float64; `None` for a layer without such a kernel."""
    if not isinstance(layer, (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
        return None
    shape = layer.kernel.shape
    channels = shape[-2] * shape[-1] if isinstance(layer, keras.layers.DepthwiseConv2D) else shape[-1]
    return _numpy(layer.kernel).reshape(-1, channels)


def _numpy(weight: Any) -> Array:
    return keras.ops.convert_to_numpy(weight).astype("float64")


def _reads_image(layer: keras.Layer, model: keras.Model) -> bool:
    """Whether a layer reads the model's input, perhaps padded or reshaped."""
    producers = {id(other.output): other for other in model.layers}
    before = producers.get(id(read_by(layer)))
    while isinstance(before, (keras.layers.ZeroPadding2D, keras.layers.Flatten, keras.layers.Reshape)):
        before = producers.get(id(read_by(before)))
    return isinstance(before, keras.layers.InputLayer)
