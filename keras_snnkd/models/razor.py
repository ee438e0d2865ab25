"""Networks that learn which of their frames they need, and networks of these frames alone."""

from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd.keras_internals import call_again, unconnected
from keras_snnkd.layers import FrameGate, Frames, KeptFrames, Standardize
from keras_snnkd.layers.frame_gate import KEPT_AT

GATE = "gate"
"""The name of the gate."""


def with_frame_gate(model: keras.Model, penalty: float = 0.1) -> keras.Model:
    """A network with a `keras_snnkd.layers.FrameGate` behind the frames or the scaled series that it takes; weights are shared.

    Args:
        model: A functional network of events or series.
        penalty: Of the gate.

    Raises:
        ValueError: If its input has no time.

    Example:
        >>> gated = with_frame_gate(kd.models.ConvNet((6, 8, 8, 2), 10, timesteps=6))
    """
    last = next((layer for _, layer, _, _ in reversed(graphs.calls(model)) if isinstance(layer, (Frames, Standardize))), None)
    if last is None:
        raise ValueError(f"{model.name} takes no frames and no series, so there is none to drop; razor is for data with time")
    gate = FrameGate(penalty, name=GATE)

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        outputs = unconnected(layer)(*args, **kwargs)
        return gate(outputs) if layer is last else outputs

    image = keras.Input(model.inputs[0].shape[1:], name=model.inputs[0].name)
    return keras.Model(image, keras.tree.flatten(call_again(model, image, call))[0], name=model.name)


def keep_frames(model: keras.Model, name: str | None = None) -> keras.Model:
    """The network that sees the frames alone which its gate keeps: its T is their number. Weights are copies.

    Of a gate that keeps none, the frame of the highest score stays.

    Args:
        model: A trained network by `with_frame_gate`.
        name: Of the new one; the same by default.

    Raises:
        ValueError: If it has no gate.

    Example:
        >>> keep_frames(gated).get_layer("gate").kept  # [0, 2, 3]
    """
    gate = next((layer for layer in model.layers if isinstance(layer, FrameGate)), None)
    if gate is None:
        raise ValueError(f"{model.name} has no FrameGate; make one by keras_snnkd.models.with_frame_gate, and train it")
    scores = keras.ops.convert_to_numpy(gate.scores)
    kept = np.flatnonzero(scores >= KEPT_AT) if (scores >= KEPT_AT).any() else [int(scores.argmax())]

    def place(layer: keras.Layer) -> keras.Layer:
        return KeptFrames(list(kept), name=layer.name) if layer is gate else type(layer).from_config(layer.get_config())

    graph = keras.Model(model.inputs[0], model.outputs[0], name=name or model.name)
    shorter = keras.models.clone_model(graph, clone_function=place)
    for layer in graph.layers:
        if layer.weights and layer is not gate:
            shorter.get_layer(layer.name).set_weights(layer.get_weights())
    return shorter
