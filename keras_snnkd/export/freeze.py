"""From a model as it was trained to the model that exporters start from."""

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd.compress import is_plain, plain
from keras_snnkd.errors import ExportError, UnsupportedError, unknown_name
from keras_snnkd.files.logits import LOGITS
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers import Poisson, Standardize, logits_of
from keras_snnkd.neurons import SpikingLayer

IMAGE = "image"
"""What files call the input of a model that has one."""


def freeze(model: keras.Model, batch_size: int | None = None, taps: Sequence[str] = ()) -> keras.Model:
    """Rebuild a model in float32 with its trained weights.

    Every layer is made again from its config with the dtype policy float32, whatever policy it was trained with: under a mixed policy a
    converter would write operators that edge runtimes do not have. T is static in our models and stays as it is.

    Args:
        model: A functional (or built sequential) Keras model with one output.
        batch_size: Fixed batch size B, or `None` to leave it open.
        taps: Names of layers whose outputs become outputs too.

    Returns:
        A functional model, input `[B, ...]` to output `[B, C]`; with taps to a dict of `"logits"` and each tap's name. One input is
        called `image`; several keep their names.

    Raises:
        ExportError: If Keras does not run on TensorFlow, or the model is not functional, has more than one output, encodes with random
            numbers, or has weights that are not finite.
        UnknownNameError: If there is no layer of a tap's name.

    Example:
        >>> frozen = freeze(student, batch_size=1)
    """
    _check_backend(model)
    model = functional(model)
    _check_deterministic(model)
    _check_finite(model)
    names = input_names(model)
    starts = [
        keras.Input(batch_shape=(batch_size, *tensor.shape[1:]), dtype=tensor.dtype, name=name)
        for name, tensor in zip(names, model.inputs, strict=True)
    ]
    try:
        frozen = keras.models.clone_model(model, input_tensors=starts, clone_function=_in_float32)
        for source, layer in zip(model.layers, frozen.layers, strict=True):
            layer.set_weights(source.get_weights())
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise ExportError(
            f"{model.name} cannot be rebuilt from its config in float32: {first_line(error)}. Every layer has to give all its constructor "
            "arguments in get_config(), and a model quantized with model.quantize() has to be exported before that."
        ) from error
    return tapped(frozen, taps) if taps else keras.Model(graphs.inputs_of(frozen), frozen.outputs[0], name=model.name)


def functional(model: keras.Model) -> keras.Model:
    """The same layers as a functional model of one output, the logits.

    Models inside it are laid open, a softmax or sigmoid at its end is left out, and masks and tensor trains become plain kernels.

    Raises:
        ExportError: If that cannot be had.
    """
    inputs, outputs = (getattr(model, name, None) or [] for name in ("inputs", "outputs"))
    if not isinstance(model, keras.Model) or not inputs or not outputs:
        raise ExportError(
            f"{getattr(model, 'name', model)!r} ({type(model).__name__}) is not a functional model, so its layers are not known to an "
            "exporter. Build it as keras.Model(inputs, outputs), as keras_snnkd.models does; of a Distiller export its student."
        )
    if len(outputs) != 1:
        raise ExportError(
            f"{model.name} has {len(outputs)} outputs, and a file gives one, such as a vector of logits; export "
            "keras.Model(model.inputs, model.outputs[0])."
        )
    for name in input_names(model) if len(inputs) > 1 else ():
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
            raise ExportError(
                f"{model.name} has an input called {name!r}, and files call several inputs by their names; take letters, digits and _, "
                "keras.Input(shape, name=...)."
            )
    logits = logits_of(graphs.flat(model))
    logits = logits if is_plain(logits) else plain(logits, strict=False)
    return keras.Model(list(logits.inputs), list(logits.outputs), name=model.name)


def input_names(model: keras.Model) -> list[str]:
    """What a file calls the inputs of a model, in the model's order: `image`, or of several the names of the input layers."""
    return [IMAGE] if len(model.inputs) == 1 else [tensor.name for tensor in model.inputs]


def check_one_input(model: keras.Model, target: str, instead: str) -> None:
    """An `UnsupportedError` for a model of several inputs.

    Args:
        model: A functional model.
        target: What takes one input.
        instead: What to do.
    """
    if len(model.inputs) > 1:
        raise UnsupportedError(f"{model.name} has the inputs {', '.join(input_names(model))}, and {target} takes one; {instead}.")


def tapped(model: keras.Model, taps: Sequence[str]) -> keras.Model:
    """A model of the same layers that gives a dict: the output as `"logits"`, and the output of each layer named in `taps`.

    Raises:
        UnknownNameError: If there is no layer of a tap's name.
    """
    layers = {layer.name: layer for layer in model.layers}
    for name in taps:
        if name not in layers:
            raise unknown_name("layer to tap", name, layers)
    outputs = {name: graphs.first_output(layers[name]) for name in taps}
    return keras.Model(graphs.inputs_of(model), {LOGITS: model.outputs[0], **outputs}, name=model.name)


def spiking_layers(model: keras.Model) -> list[str]:
    """The names of the layers that fire, own ones too, in the order in which they are computed."""
    return [layer.name for layer in graphs.flat(model).layers if graphs.fires(layer)]


def timesteps(model: keras.Model) -> int | None:
    """T of a model with neurons; `None` for an ANN, or if T is open."""
    layers = graphs.flat(model).layers
    return next((graphs.first_output(layer).shape[1] for layer in layers if isinstance(layer, SpikingLayer) or graphs.fires(layer)), None)


def takes_padding(model: keras.Model) -> bool:
    """Whether a model takes series that are padded at the end, and has to tell where they end."""
    return any(isinstance(layer, Standardize) and layer.padded for layer in graphs.flat(model).layers)


def is_float32(model: keras.Model) -> bool:
    """Whether all layers hold and compute in float32."""
    return all(layer.dtype_policy.name == "float32" for layer in all_layers(model))


def _in_float32(layer: keras.Layer) -> keras.Layer:
    return layer.__class__.from_config(_policies_to_float32(layer.get_config()))


def _policies_to_float32(config: Any) -> Any:
    """A config in which each dtype policy, of the layer or of one that it wraps, is float32."""
    if isinstance(config, dict):
        if str(config.get("class_name", "")).endswith("DTypePolicy"):
            return "float32"
        return {key: _policies_to_float32(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_policies_to_float32(value) for value in config)
    return config


def _check_backend(model: keras.Model) -> None:
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ExportError(
            f"files are written by TensorFlow, and Keras runs on {backend} here. Save the model, model.save('{model.name}.keras'), and "
            f"export that in a process with KERAS_BACKEND=tensorflow: by keras_snnkd.models.load('{model.name}.keras') and this function, "
            f"or by train.py --mode export --model {model.name}.keras"
        )


def _check_deterministic(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, Poisson):
            raise ExportError(
                f"{model.name} encodes with random numbers (layer {layer.name!r}, Poisson), so no file can be compared with it. "
                "Build it with encoder='direct' or encoder='latency'."
            )


def _check_finite(model: keras.Model) -> None:
    for weight in model.weights:
        if not np.all(np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32")))):
            raise ExportError(
                f"{model.name}: weight {weight.path} holds NaN or infinite values; training diverged, export an earlier checkpoint."
            )


def first_line(error: Exception) -> str:
    """The first line of an error's message, cut to a length fit for another message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
