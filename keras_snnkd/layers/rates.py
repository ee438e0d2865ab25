"""A model's forward pass for rate-based backpropagation: spikes in one lane, rates and their gradient in the other."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_snnkd.keras_internals import run_through
from keras_snnkd.neurons.lanes import Lanes, joined

LINEAR = (keras.layers.Add, keras.layers.Subtract, keras.layers.Average, keras.layers.Identity)
"""Keras' layers that do the same with means over time as with each step."""


class OnRates(keras.Layer):
    """What a model returns, with the gradient of its firing rates: the same for every time step.

    The forward pass is the model's own and keeps nothing. Backward, every synapse and every batch norm runs once, on means over time, and
    every neuron multiplies by its eligibility, so that of 3 T passes of the convolutions T + 2 are left, and the memory does not grow with
    T. Layers with a method `call_on_rates` do that; from a layer without it on, the gradient is that of all time steps, and starts anew
    at the next synapse or neurons. It does not learn when a neuron fires, only how often.

    Args:
        model: A functional model.

    Call arguments:
        inputs: A batch, as for the model.

    Returns:
        As the model does. What has time is `[B, T, ...]`, and its gradient is summed over T.

    Example:
        >>> OnRates(student)(images, training=True)  # [B, C]

    Source: Yu et al., NeurIPS 2024, arXiv:2410.11488.
    """

    def __init__(self, model: keras.Model, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.model = model
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        tensors = [ops.convert_to_tensor(x, like.dtype) for x, like in zip(keras.tree.flatten(inputs), self.model.inputs, strict=True)]
        outputs = run_through(self.model, tensors, lambda operation: _on_lanes(operation, bool(training)))
        return keras.tree.map_structure(joined, outputs)


def _on_lanes(operation: Any, training: bool) -> Callable[..., Any]:
    """A layer as a function of lanes, if it can be one; otherwise of sequences."""

    def call(*arguments: Any, **more: Any) -> Any:
        more = {name: value for name, value in more.items() if value is not None}  # masks that are not there
        if hasattr(operation, "call_on_rates") and len(arguments) == 1 and not more:
            return operation.call_on_rates(arguments[0], training)
        given = keras.tree.flatten(arguments)
        if isinstance(operation, LINEAR) and all(isinstance(x, Lanes) for x in given):
            sequences = keras.tree.map_structure(lambda lanes: lanes.sequence, arguments)
            means = keras.tree.map_structure(lambda lanes: lanes.mean, arguments)
            return Lanes(operation(*sequences), operation(*means))
        arguments, more = keras.tree.map_structure(joined, (arguments, more))
        return operation(*arguments, **more)

    return call
