"""A smaller network that starts from a larger one's weights."""

import math
from collections.abc import Iterable

import keras
import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.keras_internals import read_by


def shrink_weights(
    source: keras.Model, target: keras.Model, classifier: bool = False, skip: Iterable[str] = (), rescale: bool = False
) -> int:
    """Start a network from the weights of a larger one, by layer name: its first channels.

    Every axis of channels, of kernels (the last two axes), biases and batch norms with their moments, becomes::

        target[i] = source[i mod n],  n the source's number of channels

    which keeps the first channels where there are fewer (and repeats them where there are more, without dividing by their number). Where
    a fully connected layer reads flattened maps, that holds for the channels of each pixel. All layers keep the same channels, so that
    the smaller network is the larger one with the other channels cut out.

    This is what the official code of IDSNN (Fan et al., 2023, Biomimetics 8(4):375) does when it starts a spiking ResNet-18 from an ANN's
    ResNet-34; whether the paper says so is not known to us. Two things are left out: in a stage with more blocks than the source has the
    code repeats the last one, here that is refused; and the code holds functions that merge several layers into one, which it does not
    call.

    Args:
        source: The larger network, spiking or not, of any T.
        target: The smaller one, of fewer channels, fewer blocks, or both. Weights of a layer that has none in the source (a learned time
            constant, where the source is an ANN) stay as they are.
        classifier: Whether the last layer with a kernel follows too. By default it keeps its own start, as in the official code: behind
            fewer blocks it would read other features than it knows.
        skip: More layers of the target that keep their own start.
        rescale: Whether kernels of convolutions are multiplied by ``sqrt(var_target / var_source)`` with the variance
            ``var = 2 / (k_h k_w D)`` of D output channels. An option of the official code, off there too: behind a batch norm the scale
            of a kernel only matters until the moments have followed.

    Returns:
        The number of layers that were set.

    Raises:
        ShapeError: If a layer of the target has no counterpart, or one with a kernel of another size, or reads maps of another size; with
            `classifier`, if the classes differ. Then nothing is set.
        UnknownNameError: If the target has no layer of a name in `skip`.

    Example:
        >>> kd.models.shrink_weights(teacher, student)
    """
    last = next((layer.name for layer in reversed(target.layers) if hasattr(_inner(layer), "kernel")), None)
    for name in skip:
        if name not in [layer.name for layer in target.layers]:
            raise unknown_name(f"layer of {target.name}", name, [layer.name for layer in target.layers if layer.weights])
    skipped = {*skip} if classifier else {*skip, last}
    named = {layer.name: layer for layer in source.layers}
    found = []
    for layer in target.layers:
        if not layer.weights or layer.name in skipped:
            continue
        if layer.name not in named:
            raise _error(source, target, layer, "which the source does not have")
        larger = named[layer.name]
        if larger.weights:
            found.append((layer, _shrunk(source, larger, target, layer, rescale)))
    if not found:
        raise ShapeError(f"cannot shrink {source.name} to {target.name}: they have no layer with weights in common")
    classes = source.output_shape[-1], target.output_shape[-1]
    if classifier and classes[0] != classes[1]:
        raise ShapeError(f"cannot shrink {source.name} to {target.name} with its classifier, of {classes[0]} classes, not {classes[1]}")
    for layer, weights in found:
        layer.set_weights(weights)
    return len(found)


def _error(source: keras.Model, target: keras.Model, layer: keras.Layer, reason: str) -> ShapeError:
    return ShapeError(
        f"cannot shrink {source.name} to {target.name}: layer {layer.name!r}, {reason}; to leave it at its start, give skip={(layer.name,)}"
    )


def _shrunk(source: keras.Model, larger: keras.Layer, target: keras.Model, layer: keras.Layer, rescale: bool) -> list[Array]:
    """The weights of `layer`, from those of its counterpart `larger`."""
    arrays, wanted = larger.get_weights(), [tuple(weight.shape) for weight in layer.weights]
    shapes = [array.shape for array in arrays]
    pixels = _pixels(source, larger), _pixels(target, layer)
    if [shape[:-2] for shape in shapes] != [shape[:-2] for shape in wanted] or [*map(len, shapes)] != [*map(len, wanted)]:
        raise _error(source, target, layer, f"with weights {shapes} there and {wanted} here")
    if pixels[0] != pixels[1]:
        raise _error(source, target, layer, f"which reads maps of {pixels[0]} pixels there and of {pixels[1]} here")
    return [_of_channels(array, shape, pixels[0], rescale) for array, shape in zip(arrays, wanted, strict=True)]


def _of_channels(array: Array, shape: tuple[int, ...], pixels: int, rescale: bool) -> Array:
    """`array` with the channels that `shape` asks for; the rows of a matrix are channels of so many pixels."""
    if len(shape) == 4 and rescale:
        array = array * math.sqrt(array.shape[-1] / shape[-1])
    if len(shape) == 2:
        array = _cycled(array.reshape(pixels, -1, array.shape[1]), 1, shape[0] // pixels).reshape(shape[0], -1)
    elif len(shape) > 2:
        array = _cycled(array, -2, shape[-2])
    return _cycled(array, -1, shape[-1]) if shape else array


def _cycled(array: Array, axis: int, count: int) -> Array:
    return np.take(array, np.arange(count) % array.shape[axis], axis)


def _pixels(model: keras.Model, layer: keras.Layer) -> int:
    """Of the flattened maps that a layer reads; 1 if there are none."""
    makers = {id(other.output): other for other in model.layers}
    before = makers.get(id(read_by(layer)))
    while before is not None and not isinstance(before, keras.layers.InputLayer) and not hasattr(_inner(before), "kernel"):
        if isinstance(_inner(before), keras.layers.Flatten) and len(before.input.shape) > 3:
            return math.prod(before.input.shape[-3:-1])
        before = makers.get(id(read_by(before)))
    return 1


def _inner(layer: keras.Layer) -> keras.Layer:
    return getattr(layer, "layer", layer)
