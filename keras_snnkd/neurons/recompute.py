"""Recompute instead of remember: spikes made again in the backward pass from the currents, which are kept anyway.

A convolution's gradient needs the spikes that it read, and max pooling its input, so that training holds all spikes of all steps until the
backward pass has used them. Making them again is one more run of the neurons, a fraction of the convolution's cost. In a TensorFlow graph
the neurons leave on their spikes how to make them again; a layer that wants to, calls that in its gradient and lets go of its input.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras_snnkd._types import Tensor
from keras_snnkd.neurons.currents import in_tensorflow_graph

_NOTE = "_keras_snnkd_again"


def note_again(tensor: Tensor, again: Callable[[], Tensor]) -> None:
    """Leave on `tensor` a function that makes it again; no effect outside a TensorFlow graph."""
    if in_tensorflow_graph():
        setattr(tensor, _NOTE, again)


def again_of(tensor: Tensor) -> Callable[[], Tensor] | None:
    """The function noted on `tensor`, if there is one."""
    return getattr(tensor, _NOTE, None)


def forgetting(function: Callable[..., Tensor], inputs: Tensor, again: Callable[[], Tensor]) -> Tensor:
    """``function(inputs)``, whose gradient calls ``again()`` instead of keeping `inputs`.

    Args:
        function: Of one tensor; it may read variables.
        inputs: The tensor.
        again: Makes an equal tensor.

    Returns:
        The function's value.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(inputs: Tensor) -> Any:
        def grad(upstream: Tensor, variables: Sequence[Any] = ()) -> Any:
            with tf.control_dependencies([upstream]):  # not before the backward pass comes here
                remade = again()
            with tf.GradientTape() as tape:
                tape.watch(remade)
                outputs = function(remade)
            g_inputs, *g_variables = tape.gradient(outputs, [remade, *variables], upstream)
            if not variables:
                return g_inputs
            with tf.control_dependencies(g_variables):  # what is remade is let go before the backward pass goes on
                return tf.identity(g_inputs), g_variables

        return function(inputs), grad

    return run(inputs)
