"""From an ANN to a spiking network whose firing rates say the same: clip-floor activations, and the conversion of their weights."""

from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.errors import ShapeError
from keras_snnkd.keras_internals import unconnected
from keras_snnkd.layers import ClipFloor, OverTime
from keras_snnkd.neurons import SpikingLayer

LEVELS = 8
"""Stairs of the activations."""


def with_clip_floor(model: keras.Model, levels: int = LEVELS) -> keras.Model:
    """The same ANN with `keras_snnkd.layers.ClipFloor` in place of each ReLU, of the same names; all weights are shared.

    Args:
        model: A functional ANN, the twin of a spiking network.
        levels: Of the activations.

    Raises:
        ValueError: If it has no ReLU layers.

    Example:
        >>> ann = with_clip_floor(kd.models.ConvNet((8, 8, 1), 10, neuron="relu"))
    """
    if not any(isinstance(layer, keras.layers.ReLU) for layer in model.layers):
        raise ValueError(f"{model.name} has no ReLU layers to replace; take the ANN twin of a network, neuron='relu'")

    def place(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.ReLU):
            return ClipFloor(levels, name=layer.name, dtype=layer.dtype_policy)
        return unconnected(layer)

    return keras.models.clone_model(model, clone_function=place)


def convert_weights(source: keras.Model, target: keras.Model) -> int:
    """Take an ANN's weights over into its spiking twin so that rates say what activations said.

    A neuron of threshold ``theta`` behind currents ``theta / s`` as large as the ANN's fires, in the mean over its steps, ``1 / s`` of what
    the activation of height s gave; the next synapse multiplies by s. Exact for integrate-and-fire neurons (`neuron="if"`) with a soft
    reset and many steps; for others, and few, a start. The authors start potentials at half the threshold, which is left out here.

    Args:
        source: The ANN, with `ClipFloor` activations (see `with_clip_floor`).
        target: Its spiking twin: the same layer names, one behind the other.

    Returns:
        The number of layers taken over.

    Raises:
        ShapeError: If layers do not fit, or branches come together, which have several heights.

    Example:
        >>> kd.models.convert_weights(ann, student)

    Source: HSD (Zhong et al., 2024, arXiv:2409.12507), after Bu et al. (ICLR 2022).
    """
    layers = {layer.name: layer for layer in source.layers}
    scale, taken = 1.0, 0
    behind: tuple[keras.Layer, list[Any]] | None = None  # the last layer with currents, and its weights
    chosen: dict[str, list[Any]] = {}
    for name, layer, _, _ in graphs.calls(target):
        if isinstance(layer, keras.layers.Add):
            raise ShapeError(f"cannot convert {source.name}: layer {name!r} adds branches of several heights; take a network without them")
        twin = layers.get(name)
        inner = layer.layer if isinstance(layer, OverTime) else layer
        if isinstance(layer, SpikingLayer):
            if not isinstance(twin, ClipFloor):
                continue  # the membrane of a readout
            assert behind is not None
            height = float(keras.ops.convert_to_numpy(twin.height))
            threshold = float(layer.dynamics.threshold or 1.0)
            chosen[behind[0].name] = _currents(behind[0], behind[1], threshold / height)
            scale = height
        elif layer.weights:
            weights = [] if twin is None else twin.get_weights()
            if [tuple(weight.shape) for weight in weights] != [tuple(weight.shape) for weight in layer.weights]:
                raise ShapeError(f"cannot convert {source.name}: layer {name!r} of {target.name} has no twin of the same shapes in it")
            if hasattr(inner, "kernel"):
                weights, scale = [weights[0] * scale, *weights[1:]], 1.0
            behind = layer, weights
            chosen[name] = weights
            taken += 1
    for name, weights in chosen.items():
        target.get_layer(name).set_weights(weights)
    return taken


def _currents(layer: keras.Layer, weights: list[Any], factor: float) -> list[Any]:
    """The weights of a batch norm or a synapse whose outputs are to be so many times as large."""
    inner = layer.layer if isinstance(layer, OverTime) else layer
    if isinstance(inner, keras.layers.BatchNormalization):
        return [weights[0] * factor, weights[1] * factor, *weights[2:]]
    return [weight * factor for weight in weights]
