"""What spiking neurons answer to a current that does not change, as the activation of a network without time steps."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.layers.encoders import Direct
from keras_snnkd.neurons.currents import in_tensorflow_graph


@public
class RateActivation(keras.layers.Layer):
    """The firing rate of neurons whose current is the same in all T steps: ``y = 1/T sum_t s[t]`` with ``x[t] = x``.

    Spikes ``s`` are those of `neuron`, and the gradient is that of its surrogate through all steps. In place of ReLU it makes an ANN
    that knows what its spiking twin can say: nothing below the current at which the neurons fire, and T + 1 values in all. A synapse runs
    once for an image, as in any ANN, and T times in the twin.

    Args:
        neuron: A layer of `keras_snnkd.neurons`; its weights, such as a learned time constant, are trained too.
        timesteps: T.

    Call arguments:
        inputs: Currents `[B, ...]`.

    Returns:
        Rates of the same shape, from 0 to 1.

    Raises:
        ValueError: If T is below 1.

    Example:
        >>> RateActivation(kd.neurons.LIF(tau=2.0), 4)(keras.ops.array([[0.5, 1.5, 2.0]]))  # 0, 0.5, 1

    Source: ours; near to tandem learning, in which an ANN's activations are the spike counts of the network beside it (Wu et al., 2021,
    arXiv:1907.01167), and to training on spike representations (Meng et al., 2022, arXiv:2205.00459).
    """

    def __init__(self, neuron: keras.Layer, timesteps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.neuron = neuron
        self.encoder = Direct(timesteps)

    @property
    def timesteps(self) -> int:
        """T."""
        return self.encoder.timesteps

    def build(self, input_shape: Shape) -> None:
        if not self.neuron.built:  # one from a file has built itself
            self.neuron.build(self.encoder.compute_output_shape(input_shape))
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        if self.neuron.trainable_variables or not in_tensorflow_graph():
            return self._rates(inputs)
        return self._in_kernels(inputs)

    def _rates(self, inputs: Tensor) -> Tensor:
        return ops.mean(self.neuron(self.encoder(inputs)), axis=1)

    def _in_kernels(self, inputs: Tensor) -> Tensor:
        """The same as one compiled kernel forward and one backward, so that no spike is written to memory."""
        import tensorflow as tf

        def gradient(currents: Tensor, upstream: Tensor) -> Tensor:
            with tf.GradientTape() as tape:
                tape.watch(currents)
                rates = self._rates(currents)
            return tape.gradient(rates, currents, output_gradients=upstream)

        forward, backward = (tf.function(function, jit_compile=True, autograph=False) for function in (self._rates, gradient))

        @ops.custom_gradient
        def run(currents: Tensor) -> Any:
            return forward(currents), lambda upstream: backward(currents, upstream)

        return run(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        neuron = keras.saving.serialize_keras_object(self.neuron)
        return {**super().get_config(), "neuron": neuron, "timesteps": self.timesteps}

    @classmethod
    def from_config(cls, config: Config) -> "RateActivation":
        return cls(**{**config, "neuron": keras.saving.deserialize_keras_object(config["neuron"])})
