"""Apply an ordinary layer to every time step at once."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.neurons.lanes import Lanes, joined, lanes_of, valued
from keras_snnkd.neurons.recompute import again_of, forgetting, note_again


@public
class OverTime(keras.layers.Wrapper):
    """Run a layer on all time steps as one large batch: ``y[b, t] = layer(x[b, t])``.

    Batch and time are folded into one axis, so that a convolution or a matrix product runs once, not T times. For layers that treat
    every sample alike (Dense, convolutions, pooling, padding). Batch normalization needs no wrapper: on `[B, T, ...]` with `axis=-1`
    it already takes its moments over batch, time and space.

    Args:
        layer: The layer to apply. With `remat`, one without random numbers and without state that a call changes.
        remat: Whether training makes the spikes that come in again, instead of keeping them for the backward pass (rematerialization):
            less memory, some more time, the same result. For inputs from neurons, or from another such layer without weights (pooling),
            in a TensorFlow graph; elsewhere it has no effect.

    Call arguments:
        inputs: `[B, T, ...]`, T known.

    Returns:
        `[B, T, ...]`, the trailing axes as `layer` makes them.

    Raises:
        ShapeError: If the inputs have no time axis of known length.

    Example:
        >>> OverTime(keras.layers.Conv2D(8, 3))(keras.ops.ones((2, 4, 32, 32, 3))).shape  # (2, 4, 30, 30, 8)
    """

    def __init__(self, layer: keras.Layer, remat: bool = False, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True  # of steps, which stay
        self.remat = bool(remat)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3 or not input_shape[1]:
            raise ShapeError(
                f"{self.name}: expected inputs [B, T, ...] with a known number of time steps, got shape {tuple(input_shape)}. "
                "Put an encoder such as keras_snnkd.layers.Direct(timesteps=4) before it."
            )
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        again = again_of(inputs) if self.remat else None
        if again is None:
            return self._folded(inputs)
        outputs = forgetting(self._folded, inputs, again)
        if not self.layer.weights:
            note_again(outputs, lambda: self._folded(again()))
        return outputs

    def call_on_rates(self, inputs: Any, training: bool = False) -> Any:
        """The call for rate-based backpropagation: the gradient is that of the layer on the mean of its inputs.

        Of a layer with random numbers, or with state that a call changes, it is that of all steps.
        """
        if any(not variable.trainable for variable in self.layer.variables):
            return self(joined(inputs))
        lanes = lanes_of(inputs)
        sequence = ops.stop_gradient(self._folded(lanes.sequence))
        return Lanes(sequence, valued(self.layer(lanes.mean), ops.mean(sequence, axis=1)))

    def _folded(self, inputs: Tensor) -> Tensor:
        outputs = self.layer(ops.reshape(inputs, (-1, *ops.shape(inputs)[2:])))
        return ops.reshape(outputs, (-1, inputs.shape[1], *ops.shape(outputs)[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:2], *self.layer.compute_output_shape((None, *input_shape[2:]))[1:])

    def get_config(self) -> Config:
        return {**super().get_config(), "remat": self.remat}
