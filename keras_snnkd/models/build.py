"""From a specification, which is data, to a model; and from one model's weights to another's."""

import inspect
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_snnkd.errors import FileFormatError, ShapeError, unknown_name
from keras_snnkd.models.convnet import ConvNet
from keras_snnkd.models.mlp import MLP
from keras_snnkd.models.network import neuron_arguments
from keras_snnkd.models.presets import PRESETS
from keras_snnkd.models.resnet import ResNet

BUILDERS = {"ConvNet": ConvNet, "MLP": MLP, "ResNet": ResNet}


def specification(text: str | Mapping[str, Any]) -> dict[str, Any]:
    """The specification for a preset's name, a short form or a mapping.

    Args:
        text: A preset (`"cifar10_student"`), a short form (`"convnet:16,pool,32"`, `"mlp:256,128"`, `"resnet:64,128/2,2"` with the
            blocks of each stage behind the slash), or a mapping with `builder` and its arguments.

    Returns:
        `{"builder": ..., "widths": [...], ...}`.

    Raises:
        UnknownNameError: For an unknown preset, builder or argument.
        ValueError: For a short form that cannot be read.

    Example:
        >>> kd.models.specification("convnet:16,pool,32")  # {"builder": "ConvNet", "widths": [16, "pool", 32]}
    """
    if not isinstance(text, (str, Mapping)):
        raise ValueError(f"a model is a preset's name, a short form such as convnet:16,pool,32, or a mapping with a builder, got {text!r}")
    if isinstance(text, Mapping):
        spec = dict(text)
    elif ":" in text:
        spec = _read_short_form(text)
    elif text in PRESETS:
        spec = dict(PRESETS[text])
    else:
        raise unknown_name("model preset", text, PRESETS)
    builder = spec.get("builder")
    if builder not in list(BUILDERS):
        raise unknown_name("model builder", builder, BUILDERS)
    known = [*list(inspect.signature(BUILDERS[builder]).parameters)[2:-1], *neuron_arguments("relu")]
    for name in spec:
        if name not in ("builder", *known):
            raise unknown_name(f"argument of {builder}", name, known)
    return spec


def _read_short_form(text: str) -> dict[str, Any]:
    kind, _, shape = text.partition(":")
    builders = {name.lower(): name for name in BUILDERS}
    if kind.lower() not in builders:
        raise unknown_name("model builder", kind, builders)
    widths, _, blocks = shape.partition("/")
    try:
        spec = {
            "builder": builders[kind.lower()],
            "widths": [part if part == "pool" else int(part) for part in widths.replace(" ", "").split(",")],
        }
        if blocks:
            spec["blocks"] = [int(part) for part in blocks.split(",")]
    except ValueError:
        raise ValueError(
            f"cannot read the model {text!r}; expected something like convnet:16,pool,32 or mlp:256 or resnet:64,128/2,2"
        ) from None
    return spec


def build(spec: str | Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int, **overrides: Any) -> keras.Model:
    """A new model.

    Args:
        spec: See `specification`.
        image_shape: `(H, W, C)`.
        num_classes: Number of classes.
        **overrides: Arguments that go before those of the specification, such as `timesteps` or `neuron`.

    Returns:
        The model, with fresh weights.

    Raises:
        UnknownNameError, ShapeError, ValueError: If the specification does not fit; see `specification` and the builders.

    Example:
        >>> kd.models.build("convnet:16,pool,32", (28, 28, 1), 10, timesteps=4)
    """
    spec = specification({**specification(spec), **overrides})
    return BUILDERS[spec.pop("builder")](image_shape, num_classes, **spec)


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
