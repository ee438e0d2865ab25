"""Weights and whole models: from files, and from one model to another."""

import contextlib
import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras

from keras_snnkd.errors import FileFormatError, ShapeError
from keras_snnkd.files.keras_file import check_keras_file, check_model_file
from keras_snnkd.files.staging import as_path
from keras_snnkd.teachers import shipped


def load(path: str | Path) -> keras.Model:
    """Load a `.keras` file, in Keras' safe mode, and after a look at all that it names (see `keras_snnkd.files.keras_file`).

    Args:
        path: The file, or the name of a teacher that comes with the package (see `keras_snnkd.teachers.shipped`).

    Raises:
        KDError: If no teacher of this name comes with the package.
        FileFormatError: If the file is missing, damaged, no Keras model, holds code (a Lambda layer) or anything but layers that compute,
            or claims more than it holds. Own layers must be registered with Keras before.

    Returns:
        The model, not compiled.

    Example:
        >>> teacher = kd.models.load("teacher.keras")
        >>> teacher = kd.models.load("cifar10_teacher")
    """
    path = (
        shipped.path(path)
        if isinstance(path, str) and path.isidentifier() and not Path(path).exists()
        else as_path(path, "the file of a model")
    )
    check_model_file(path)
    try:
        check_keras_file(path)
        with all_weights():
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its readers raise: zip, h5, JSON, its own
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise FileFormatError(
            f"{path} cannot be read as a Keras model ({type(error).__name__}: {reason}); is it whole, by model.save() and without code?"
        ) from error


@contextlib.contextmanager
def all_weights() -> Iterator[None]:
    """In the block, Keras raises an error for a layer that has no weights in a file, for which it has a warning otherwise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Skipping nested container")
        yield


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
