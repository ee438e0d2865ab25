"""A network made again with some of its layers in another form, and weights of its own."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.keras_internals import call_again
from keras_snnkd.layers import OverTime


@dataclasses.dataclass(frozen=True)
class Form:
    """What stands in a layer's place.

    Args:
        layers: One after the other, not built; none for a layer that is left out.
        fill: Called with them once they are built, to give them their weights.
        bare: Whether they take all time steps themselves, without `OverTime`.
        random: Whether they draw numbers, so that spikes before them are kept and not made again (`remat` of `OverTime`).
    """

    layers: Sequence[keras.layers.Layer]
    fill: Callable[..., None] = lambda *layers: None
    bare: bool = False
    random: bool = False


Place = Callable[[keras.layers.Layer], Form | None]
"""The form of a layer, taken out of `OverTime`, whose name is the one inside; `None` for a layer that stays as it is."""


def rebuilt(model: keras.Model, place: Place, name: str | None = None) -> keras.Model:
    """A network with some layers in another form. It shares no weights with the first one.

    Args:
        model: A functional or sequential model; of models inside it the layers are laid open. It is not changed.
        place: The form of each layer. What stands for a layer in `OverTime` is put into `OverTime` again, and the last of several layers
            gets the name that the one had.
        name: Of the new model; the old one by default.

    Returns:
        A functional model, not compiled.

    Raises:
        ValueError: If the model is no graph.
    """
    graphs.check_built(model)
    if not graphs.is_graph(model):
        raise ValueError(f"{model.name} is a {type(model).__name__}, whose layers cannot be exchanged; build it with the functional API")
    graph = graphs.flat(model)
    made: dict[int, list[keras.layers.Layer]] = {}
    fills: list[Callable[[], None]] = []

    def call(operation: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(operation, keras.layers.Layer):
            return operation(*arguments, **named)
        if id(operation) not in made:
            made[id(operation)], fill = _formed(operation, place)
            fills.append(fill)
        layers = made[id(operation)]
        if not layers:
            return arguments[0]
        outputs = layers[0](*arguments, **named)
        for layer in layers[1:]:
            outputs = layer(outputs)
        return outputs

    inputs = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name) for tensor in graph.inputs]
    outputs = keras.tree.flatten(call_again(graph, inputs, call))
    again = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs, name=name or model.name)
    for fill in fills:
        fill()
    return again


def copied(model: keras.Model, name: str | None = None) -> keras.Model:
    """The same network with weights of its own."""
    return rebuilt(model, lambda layer: None, name)


def inner(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer without the `OverTime` around it."""
    return layer.layer if isinstance(layer, OverTime) else layer


def _formed(layer: keras.layers.Layer, place: Place) -> tuple[list[keras.layers.Layer], Callable[[], None]]:
    form = place(inner(layer))
    if form is None:
        twin = type(layer).from_config(layer.get_config())
        return [twin], lambda: twin.set_weights(layer.get_weights())
    new = list(form.layers)
    if not isinstance(layer, OverTime) or form.bare:
        return new, lambda: form.fill(*new)
    names = [*(one.name for one in new[:-1]), layer.name]
    outer = [OverTime(one, layer.remat and not form.random, name=name) for one, name in zip(new, names, strict=True)]
    return outer, lambda: form.fill(*new)
