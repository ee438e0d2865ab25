"""Readouts: from what the output neurons do over T steps to one vector of logits, `[B, T, C] -> [B, C]`, in float32."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.neurons.base import check_mask
from keras_snnkd.neurons.dynamics import exporting_integers


class Readout(keras.Layer):
    """Base of all readouts; float32 whatever the policy, so that the loss is exact. Of a single step each gives that step.

    A mask `[B, T]` says which steps count; the others are padding at the end.

    Raises:
        ShapeError: If the inputs have no time axis.
    """

    over_time: str
    """How steps become one vector: `"mean"`, `"sum"` or `"last"`, the words of `keras_snnkd.edge`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.supports_masking = True

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> None:
        return None

    def of_steps(self, inputs: Tensor) -> Tensor:
        """What of each step is averaged, added up or taken, `[B, T, C] -> [B, T, C]`."""
        return inputs

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3:
            raise ShapeError(f"{self.name}: a readout takes [B, T, C], got shape {tuple(input_shape)}; an ANN needs none")
        super().build(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *input_shape[2:])


@public
class MeanOverTime(Readout):
    """Mean of the per-step logits: ``y[b] = (1/T) sum over t of x[b, t]``, `[B, T, C] -> [B, C]`.

    Example:
        >>> MeanOverTime()(keras.ops.ones((2, 4, 10))).shape  # (2, 10)
    """

    over_time = "mean"

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            count = ops.sum(ops.cast(mask, inputs.dtype), axis=1, keepdims=True)
            return ops.sum(_real(inputs, mask), axis=1) / ops.maximum(count, 1.0)
        if not exporting_integers():
            return ops.mean(inputs, axis=1)
        steps, units = inputs.shape[1:]  # a product, since runtimes differ in how they round a mean of integers
        by_unit = ops.reshape(ops.transpose(inputs, (0, 2, 1)), (-1, steps))
        return ops.reshape(ops.matmul(by_unit, ops.full((steps, 1), 1 / steps)), (-1, units))


@public
class SpikeCount(Readout):
    """Number of output spikes: ``y[b] = sum over t of s[b, t]``, `[B, T, C] -> [B, C]`, values 0..T.

    Example:
        >>> SpikeCount()(spikes)  # [B, C]
    """

    over_time = "sum"

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return ops.sum(_real(inputs, mask), axis=1)


@public
class LastStep(Readout):
    """The last step: ``y[b] = x[b, T-1]``, `[B, T, C] -> [B, C]`; after a `LeakyIntegrator` the final membrane potential.

    Example:
        >>> LastStep()(LeakyIntegrator(tau=4.0)(currents))  # [B, C]
    """

    over_time = "last"

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return inputs[:, -1]
        check_mask(self.name, inputs, mask)
        last = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True) - 1
        return ops.squeeze(ops.take_along_axis(inputs, ops.maximum(last, 0)[:, :, None], axis=1), 1)


@public
class SoftmaxSum(Readout):
    """Sum of the steps' class probabilities: ``y[b] = sum over t of softmax(x[b, t])``, `[B, T, C] -> [B, C]`, values 0..T.

    A loss takes it as logits. Behind a `LeakyIntegrator` with learned time constants it is the readout of Bittar and Garner (2022),
    Frontiers in Neuroscience 16:865897: each step has one vote, however large its potentials are.

    Example:
        >>> SoftmaxSum()(LeakyIntegrator(tau=10.0, learn_tau="channel")(currents))  # [B, C]
    """

    over_time = "sum"

    def of_steps(self, inputs: Tensor) -> Tensor:
        return ops.softmax(inputs, axis=-1)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return ops.sum(_real(self.of_steps(inputs), mask), axis=1)


def _real(inputs: Tensor, mask: Tensor | None) -> Tensor:
    """`inputs` `[B, T, C]` with 0 in the steps that do not count."""
    if mask is None:
        return inputs
    check_mask("readout", inputs, mask)
    return inputs * ops.cast(mask, inputs.dtype)[:, :, None]
