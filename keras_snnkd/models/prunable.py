"""A network whose synapses are pruned while it trains."""

import collections
from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers import Direct
from keras_snnkd.layers.encoders import is_number
from keras_snnkd.layers.pruned import (
    Gated,
    MaskedConv2D,
    MaskedDense,
    NeuronMask,
    Reparametrized,
    Thresholded,
    ThresholdedConv2D,
    ThresholdedDense,
    inverse_soft_threshold,
)
from keras_snnkd.layers.synapses import parts
from keras_snnkd.models.rebuild import Form, inner, rebuilt
from keras_snnkd.weights.folding import readers

MAPPING = {"stds": "st", "stds_through": "stmod", "magnitude": "hard"}
"""The methods with a threshold, and the mapping of each."""

METHODS = (*MAPPING, "unstructured")

PRUNED: dict[Any, tuple[Any, Any]] = {
    keras.layers.Conv2D: (ThresholdedConv2D, MaskedConv2D),
    keras.layers.Dense: (ThresholdedDense, MaskedDense),
}
"""Layers of exactly these classes can be pruned: by a threshold, by masks."""


def prunable(
    model: keras.Model,
    method: str = "stds",
    skip: Collection[str] = (),
    width: float = 0.0,
    penalty: float = 0.0,
    neurons: bool = True,
    name: str | None = None,
) -> keras.Model:
    """A trained network in a form in which training prunes it; before that it computes what it did.

    Every `Conv2D` and `Dense`, also in `OverTime`, gets a threshold or masks (see `ThresholdedConv2D`, `MaskedConv2D`), which a
    `keras_snnkd.compress.Pruning` moves. Names of layers stay, so that a distillation from the network as it was reads the same taps.
    Masks of weights start with ``m = |w| / max |w|`` of the layer, and the weights divided by them; masks of neurons leave a spike 0.993
    of its size at the start.

    Args:
        model: A functional or sequential model. It is not changed.
        method: `"stds"` or `"stds_through"` (the mappings st and stmod of STDS, Chen et al., ICML 2022), `"magnitude"`, or
            `"unstructured"` (masks on weights and neurons, Shi et al., ICLR 2024).
        skip: Names of layers that stay dense.
        width: The threshold to start with. Parameters are the inverse mapping of the weights, so that the network stays as it is.
        penalty: Of `"unstructured"`: lambda, the price of an operation.
        neurons: Of `"unstructured"`: whether hidden neurons behind a synapse, perhaps with a batch norm, get masks too.
        name: Of the new model; `<name of the model>_pruned` by default.

    Returns:
        A functional model with weights of its own, not compiled.

    Raises:
        UnknownNameError: For an unknown method, or a layer in `skip` that is not there.
        ValueError: If a layer has weights that cannot be pruned, or none can.

    Example:
        >>> student = kd.models.prunable(trained, "stds")
        >>> distiller = kd.Distiller(student, trained, ["soft_targets"])
        >>> distiller.fit(data.train, epochs=10, callbacks=[kd.compress.Pruning(sparsity=0.9)])
    """
    if method not in METHODS:
        raise unknown_name("method of pruning", method, METHODS)
    if not all(is_number(value) and value >= 0 for value in (width, penalty)):
        raise ValueError(f"width and penalty must be finite numbers of at least 0, got {width!r} and {penalty!r}")
    if not graphs.is_graph(model):
        raise ValueError(f"{model.name} is a {type(model).__name__}, whose layers cannot be exchanged; build it with the functional API")
    graph = graphs.flat(model)
    kept = {id(inner(layer)) for layer in to_prune(graph, skip)}
    calls = graphs.calls(graph) if method == "unstructured" else ()
    positions = {id(inner(layer)): _positions(output, layer) for _, layer, _, output in calls}
    masked = {id(layer) for layer in _hidden(graph)} if method == "unstructured" and neurons else set()

    def place(layer: keras.layers.Layer) -> Form | None:
        if id(layer) in kept and method == "unstructured":
            return _with_mask(layer, penalty * positions[id(layer)])
        if id(layer) in kept:
            return _with_threshold(layer, MAPPING[method], width)
        if id(layer) in masked:
            twin = type(layer).from_config(layer.get_config())
            mask = NeuronMask(penalty * positions[id(layer)], name=f"{layer.name}_mask", dtype=layer.dtype_policy)
            return Form([twin, mask], lambda twin, mask: twin.set_weights(layer.get_weights()))
        return None

    return rebuilt(graph, place, name or f"{model.name}_pruned")


def prunable_layers(model: keras.Model) -> list[Any]:
    """The layers of a graph that training prunes: those with a threshold or a mask."""
    return [one for layer in graphs.flat(model).layers if isinstance(one := inner(layer), (Thresholded, Gated))]


def to_prune(graph: keras.Model, skip: Collection[str] | None) -> list[keras.layers.Layer]:
    """The synapses that are not skipped, or all where `skip` is `None`; an error for those that have no other form."""
    names = [layer.name for layer in graph.layers if layer.weights]
    for name in skip or ():
        if name not in names:
            raise unknown_name(f"layer of {graph.name} with weights", name, names)
    synapses = [layer for name, layer, *_ in graphs.calls(graph) if layer.name not in (skip or ()) and parts(name, layer)]
    others = [layer for layer in synapses if type(inner(layer)) not in PRUNED]
    if others:
        names = [*(skip or ()), *dict.fromkeys(layer.name for layer in others)]
        leave = "" if skip is None else f". Leave it as it is: skip={names!r} (--compress NAME:skip={'+'.join(names)})"
        raise ValueError(
            f"layer {others[0].name!r} is a {type(inner(others[0])).__name__}, which has no such form; only Conv2D and Dense have, bare or "
            f"in OverTime{leave}"
        )
    if not synapses:
        raise ValueError(f"{graph.name} has no layer left that could change: skip names every Conv2D and Dense, or there are none")
    return synapses


def _positions(output: Any, layer: keras.layers.Layer) -> float:
    """At how many positions of a map the weights of a layer are used in one step."""
    timed = inner(layer) is not layer or graphs.fires(layer)
    return float(np.prod(output.shape[2 if timed else 1 : -1], initial=1.0))


def _hidden(graph: keras.Model) -> list[keras.layers.Layer]:
    """The neurons whose spikes are read by a synapse, and that a synapse feeds alone."""
    calls = graphs.calls(graph)
    last = max(index for index, (name, layer, *_) in enumerate(calls) if parts(name, layer))
    times = collections.Counter(id(layer) for _, layer, *_ in calls)
    return [layer for _, layer, *_ in calls[:last] if graphs.fires(layer) and times[id(layer)] == 1 and feeding(graph, layer)]


def feeding(graph: keras.Model, neurons: keras.layers.Layer) -> list[keras.layers.Layer] | None:
    """The batch norm and the synapse that neurons read through, from behind; `None` where they read anything else, or others read it."""
    if getattr(neurons, "recurrent", False):
        return None
    found: list[keras.layers.Layer] = []
    tensor = keras.tree.flatten(neurons.input)[0]
    while (made := graphs.producer(graph, tensor)) is not None:
        layer, inputs = made
        if len(inputs) != 1 or len(readers(tensor, graph)) != 1:
            return None
        if isinstance(layer, keras.layers.BatchNormalization) and layer.axis in (-1, len(layer.output.shape) - 1):
            found.append(layer)
        elif type(inner(layer)) in PRUNED or isinstance(inner(layer), Reparametrized):
            return [*found, layer]
        elif not isinstance(layer, Direct):
            return None
        (tensor,) = inputs
    return None


def _with_threshold(layer: keras.layers.Layer, mapping: str, width: float) -> Form:
    threshold, _ = PRUNED[type(layer)]

    def fill(twin: Any) -> None:
        kernel = layer.kernel if mapping == "hard" else inverse_soft_threshold(layer.kernel, width)
        twin.trained_kernel.assign(kernel)
        copy_bias(layer, twin)
        twin.width.assign(width)

    return Form([threshold.from_config({**config_of(layer), "mapping": mapping})], fill)


def _with_mask(layer: keras.layers.Layer, penalty_factor: float) -> Form:
    _, mask = PRUNED[type(layer)]

    def fill(twin: Any) -> None:
        size = ops.abs(layer.kernel)
        twin.score.assign(size / ops.maximum(ops.max(size), 1e-12))
        twin.trained_kernel.assign(layer.kernel / twin.mask)
        copy_bias(layer, twin)

    return Form([mask.from_config({**config_of(layer), "penalty_factor": penalty_factor})], fill)


def config_of(layer: keras.layers.Layer, base: Any = None) -> dict[str, Any]:
    """The config of a layer, or the part of it that is its base's."""
    config = (base or type(layer)).get_config(layer)
    return {key: value for key, value in config.items() if key != "quantization_config"}


def copy_bias(layer: Any, twin: Any) -> None:
    """Give a layer the bias of another, if that has one."""
    if layer.use_bias:
        twin.bias.assign(layer.bias)
