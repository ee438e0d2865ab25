"""Weights and whole models: from files, and from one model to another."""

import hashlib
import json
import math
import zipfile
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.errors import FileFormatError, ShapeError

INT8_ELEMENTS = 1024
"""LiteRT's dynamic-range quantization stores kernels of so many elements, and larger ones, in 8 bits; smaller ones stay float."""


def load(path: str | Path) -> keras.Model:
    """Load a `.keras` file, in Keras' safe mode.

    Args:
        path: The file.

    Raises:
        FileFormatError: If it is missing, damaged, no Keras model, or holds code (a Lambda layer).

    Returns:
        The model, not compiled.

    Example:
        >>> teacher = kd.models.load("teacher.keras")
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no model file {path}; train one first (train.py --mode teacher), or check the path")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise FileFormatError(f"{path} is not a .keras file, or it is cut short; models are saved with model.save('name.keras')")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its readers raise: zip, h5, JSON, its own
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise FileFormatError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}: {reason}); is it whole, by model.save() and without code?"
        ) from error


def copy_weights(source: keras.Model, target: keras.Model) -> int:
    """Copy weights between layers of the same name, such as from an ANN to its spiking twin.

    Args:
        source: Where the weights come from.
        target: Where they go. Weights that the source does not have (a learned time constant, say) stay as they are.

    Returns:
        The number of layers copied.

    Raises:
        ShapeError: If a layer of the same name has weights of other shapes, or if there is no such layer; then nothing is copied.

    Example:
        >>> kd.models.copy_weights(ann, snn)
    """
    layers = {layer.name: layer for layer in source.layers if layer.weights}
    pairs = [(layers[layer.name], layer) for layer in target.layers if layer.weights and layer.name in layers]
    if not pairs:
        raise ShapeError(f"cannot copy weights: {source.name} and {target.name} have no layer with weights in common")
    for layer, twin in pairs:
        theirs, ours = [tuple(w.shape) for w in layer.weights], [tuple(w.shape) for w in twin.weights]
        if theirs != ours:
            raise ShapeError(f"cannot copy weights: layer {layer.name!r} has {theirs} in {source.name} and {ours} in {target.name}")
    for layer, twin in pairs:
        twin.set_weights(layer.get_weights())
    return len(pairs)


def fingerprint(model: keras.Model) -> str:
    """SHA-256, in hex, of a model's architecture and weights: equal for a model and for what `load` makes of its file.

    Example:
        >>> fingerprint(teacher) == fingerprint(kd.models.load("teacher.keras"))
    """
    config = keras.saving.serialize_keras_object(model)["config"]
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for weight in model.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()


def restart_random_layers(model: keras.Model, number: int) -> bool:
    """Let the random layers of a model go on from a state that depends on their seed and `number` alone; whether it has any.

    Keras stores their state nowhere, so that work which is resumed has to set it.
    """
    states = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
    for state in states:
        seed, _ = keras.ops.convert_to_numpy(state)
        state.assign([seed, number << 20])
    return bool(states)


def round_kernels(model: keras.Model) -> int:
    """Round the kernels to the values that LiteRT's 8-bit dynamic-range files can hold, so that such a file computes what the model does.

    Each output channel ``c`` of a convolution or dense layer with kernel ``w`` of at least `INT8_ELEMENTS` elements gets

        ``s_c = max |w_c| / 127,    w_c <- s_c round(w_c / s_c)``

    A batch norm that follows scales whole channels and changes nothing of that. Spikes are 0 and 1, so that no other rounding is left in a
    dynamic-range file of a spiking network; in an ANN, or after a real-valued input, activations are still rounded as the file runs.

    Args:
        model: Its kernels are changed in place.

    Returns:
        The number of kernels rounded.

    Example:
        >>> kd.models.round_kernels(student)
        >>> kd.export.litert(student, "student.tflite", quantize="dynamic", samples=images)

    Source: the symmetric scheme per channel of Jacob et al. (CVPR 2018, arXiv:1712.05877) and Krishnamoorthi (arXiv:1806.08342).
    """
    rounded = 0
    for layer in model.layers:
        layer = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
        axes = _summed_axes(layer)
        if axes is None or math.prod(layer.kernel.shape) < INT8_ELEMENTS:
            continue
        kernel = keras.ops.convert_to_numpy(layer.kernel).astype("float64")
        scale = np.abs(kernel).max(axis=axes, keepdims=True) / 127
        layer.kernel.assign(np.round(kernel / np.where(scale > 0, scale, 1)) * scale)
        rounded += 1
    return rounded


def _summed_axes(layer):
    """The kernel's axes within one output channel; `None` for a layer without such a kernel."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return (0, 1)
    if isinstance(layer, (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense)):
        return tuple(range(len(layer.kernel.shape) - 1))
    return None
