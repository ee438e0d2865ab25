"""Whether a network is the ANN twin of another: the same layers, with ReLU in place of the neurons, and no time."""

from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.errors import ShapeError
from keras_snnkd.graphs import calls
from keras_snnkd.layers import OverTime

SYNAPSES = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)

PLACED = ("kernel_size", "strides", "padding", "dilation_rate", "groups", "pool_size")
"""The arguments that say where a layer looks."""

ACTIVE = "neurons or ReLU"


def check_twin(model: keras.Model, twin: keras.Model, called: str = "") -> None:
    """Refuse a network that is not a model's ANN twin.

    Compared are, in the order in which they run, the layers that multiply (their kind, shape and place), pool, add, or are active: neurons
    in the model, ReLU in the twin. Normalization, dropout, encoders and readouts do not count, nor do neurons behind the last weights.

    Args:
        model: A functional model, spiking or not.
        twin: Another one.
        called: What to call the twin; its name by default.

    Raises:
        ShapeError: With the first layer that differs.
    """
    called = called or twin.name
    spiking = [layer.name for layer in twin.layers if graphs.fires(layer)]
    if spiking:
        raise ShapeError(f"{called} is no ANN twin: its layer {spiking[0]!r} is of spiking neurons; train the twin with --neuron relu")
    ours, theirs = _parts(model), _parts(twin)
    for number in range(max(len(ours), len(theirs))):
        expected, found = (parts[number] if number < len(parts) else "nothing" for parts in (ours, theirs))
        if expected != found:
            raise ShapeError(
                f"{called} is not the ANN twin of {model.name}: where the model has {expected} (part {number + 1} of {len(ours)}), it has "
                f"{found}. A twin is the same network with ReLU in place of the neurons: train.py --student with --neuron relu"
            )


def _parts(model: keras.Model) -> list[str]:
    """The layers that count, in words."""
    parts: list[str] = []
    for _, outer, _, _ in calls(model):
        layer = outer.layer if isinstance(outer, OverTime) else outer
        if isinstance(layer, SYNAPSES) or "Pooling" in type(layer).__name__:
            parts.append(_said(layer))
        elif isinstance(layer, (keras.layers.Add, keras.layers.Concatenate, keras.layers.Multiply)):
            parts.append(type(layer).__name__)
        if graphs.fires(layer) or _is_relu(layer):
            parts.append(ACTIVE)
        elif _activation(layer) not in (None, "linear"):
            parts.append(f"the activation {_activation(layer)}")
    while parts and parts[-1] == ACTIVE:
        parts.pop()
    return parts


def _said(layer: keras.Layer) -> str:
    """Kind, place and weights of a layer."""
    shapes = [list(weight.shape) for weight in layer.weights if len(weight.shape) > 1]
    placed: dict[str, Any] = {name: getattr(layer, name) for name in PLACED if getattr(layer, name, None) is not None}
    return " ".join([type(layer).__name__, *map(str, shapes), *(f"{name}={value}" for name, value in placed.items())])


def _is_relu(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.ReLU) or _activation(layer) == "relu"


def _activation(layer: keras.Layer) -> str | None:
    return getattr(getattr(layer, "activation", None), "__name__", None)
