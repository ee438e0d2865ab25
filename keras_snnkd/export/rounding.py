"""Whether spikes that differ between two runtimes differ by the rounding of float32 alone."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array
from keras_snnkd.files.samples import Samples, count
from keras_snnkd.files.samples import rows as some
from keras_snnkd.keras_internals import read_by
from keras_snnkd.layers import RateActivation
from keras_snnkd.neurons import SpikingLayer
from keras_snnkd.surrogates import step


def unexplained(model: keras.Model, images: Samples, differs: dict[str, np.ndarray], rounding: float) -> list[str]:
    """Find spikes that differ although the membrane potential was not at the threshold.

    Only a sample's first differing layer is judged, and in it each neuron's first differing step: up to there both runtimes saw the same
    spikes, so that their currents are the same up to rounding. What comes after follows from it.

    Args:
        model: The reference.
        images: `[n, ...]`, or a mapping by input.
        differs: Where the spikes of each layer differ, booleans `[n, T, ...]`, in the order in which the layers are computed.
        rounding: Largest ``|h - theta|`` as a share of ``theta + max |x|``. Membranes that are kept on a grid may be one of its steps
            further away for each time step: a current that falls between two steps is rounded to one or the other.

    Returns:
        A sentence for each layer with a fault.
    """
    faults, pending = [], np.ones(count(images), bool)
    for name, where in differs.items():
        rows = pending & where.reshape(len(where), -1).any(1)
        if not rows.any():
            continue
        pending &= ~rows
        layer = model.get_layer(name)
        shown = graphs.in_order(model, some(images, rows))
        currents = keras.Model(graphs.inputs_of(model), read_by(layer))(shown, training=False)
        if not can_be_judged(layer):
            continue
        distance = distance_to_threshold(layer, currents)
        allowed = rounding * (threshold_of(layer) + float(ops.max(ops.abs(currents))))
        neuron = neurons_of(layer)
        allowed += neuron.dynamics.resolution * where.shape[1] if isinstance(neuron, SpikingLayer) else 0.0
        first = where[rows] & (np.cumsum(where[rows], axis=1) == 1)
        wrong = int((distance[first] > allowed).sum())
        if wrong:
            faults.append(
                f"layer {name}: {wrong} of its {where[rows].size:,} spikes in {int(rows.sum())} samples differ with the membrane up to "
                f"{float(distance[first].max()):.3g} from the threshold (rounding explains {allowed:.1g})"
            )
    return faults


def can_be_judged(layer: keras.Layer) -> bool:
    """Whether a layer tells membrane and threshold; an own neuron may leave them out, and then its spikes are judged by their share."""
    return isinstance(neurons_of(layer), SpikingLayer) or (hasattr(layer, "membrane") and hasattr(layer, "threshold"))


def neurons_of(layer: keras.Layer) -> keras.Layer:
    """The layer itself, or the neurons whose rates it gives."""
    return layer.neuron if isinstance(layer, RateActivation) else layer


def threshold_of(layer: keras.Layer) -> float:
    """At which membrane potential a layer's neurons fire."""
    layer = neurons_of(layer)
    threshold: Any = layer.dynamics.threshold if isinstance(layer, SpikingLayer) else layer.threshold
    return float(threshold)


def distance_to_threshold(layer: keras.Layer, currents: Array) -> np.ndarray:
    """``|h[t] - theta[t]|`` of each neuron and step, `[B, T, ...]`, for currents `[B, T, ...]`.

    Of rates, whose currents are `[B, ...]` and which do not tell which step differs, it is the least over time in each step.
    """
    if isinstance(layer, RateActivation):
        steps = distance_to_threshold(layer.neuron, layer.encoder(currents))
        return np.broadcast_to(steps.min(axis=1, keepdims=True), steps.shape)
    if not isinstance(layer, SpikingLayer):
        return np.abs(ops.convert_to_numpy(layer.membrane(currents)) - threshold_of(layer))
    dynamics = layer.dynamics
    given = dynamics.given(layer.learned)
    currents = ops.cast(currents, "float32")
    state = dynamics.initial_state((currents.shape[0], *currents.shape[2:]))
    distances = []
    for x in ops.unstack(currents, axis=1):
        theta = dynamics.theta(state)
        _, h, state = dynamics.step(x, state, given, step)
        distances.append(ops.abs(h - theta))
    return ops.convert_to_numpy(ops.stack(distances, axis=1))
