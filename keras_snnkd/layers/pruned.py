"""Synapses whose kernels are pruned while they train: by a threshold that rises, or by masks that are learned."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import unknown_name
from keras_snnkd.keras_internals import kernel_variable


def soft_threshold(theta: Tensor, width: Tensor) -> Tensor:
    """``w = sign(theta) max(0, |theta| - D)``; its gradient is 1 where a weight is left, and 0 where it is pruned."""
    return ops.sign(theta) * ops.relu(ops.abs(theta) - width)


def soft_threshold_through(theta: Tensor, width: Tensor) -> Tensor:
    """As `soft_threshold`, but the gradient passes pruned weights too, so that they can come back; not at ``theta = 0``."""
    passed = ops.where(theta != 0, theta, ops.stop_gradient(theta))
    return passed + ops.stop_gradient(soft_threshold(theta, width) - passed)


def hard_threshold(theta: Tensor, width: Tensor) -> Tensor:
    """``w = theta`` where ``|theta| > D``, else 0: pruning by magnitude."""
    return ops.where(ops.abs(theta) > width, theta, ops.zeros_like(theta))


def inverse_soft_threshold(weight: Tensor, width: Tensor) -> Tensor:
    """``theta = w + sign(w) D``, of which `soft_threshold` makes ``w`` again."""
    return weight + ops.sign(weight) * width


MAPPINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"st": soft_threshold, "stmod": soft_threshold_through, "hard": hard_threshold}


def gate(score: Tensor, temperature: Tensor, hard: Tensor, cut: Tensor | float = 0.0) -> Tensor:
    """The mask of scores ``m``: ``sigmoid(beta (m - cut))`` while it is soft; 1 where ``m > cut``, else 0, once it is hard.

    A hard mask gives its scores no gradient.

    Args:
        score: ``m``, of any shape.
        temperature: ``beta``, above 0.
        hard: 0 or 1.
        cut: 0 in the official code.
    """
    soft = ops.sigmoid(temperature * (score - cut))
    return ops.where(hard > 0, ops.cast(score > cut, soft.dtype), soft)


def penalty(score: Tensor, temperature: Tensor, factor: float, cut: Tensor | float = 0.0) -> Tensor:
    """``factor sum of sigmoid(beta (m - cut))``: what is paid for connections that are left."""
    return factor * ops.sum(ops.sigmoid(temperature * (score - cut)))


class Reparametrized(keras.layers.Layer):
    """Base of synapses whose kernel is computed in each call; all who read `kernel` get the one that counts.

    A subclass comes before the Keras layer among the bases, and implements `reparametrized`.
    """

    @property
    def kernel(self) -> Tensor:
        """The kernel with which the layer computes."""
        return ops.cast(self.reparametrized(super().kernel), self.compute_dtype)

    @property
    def trained_kernel(self) -> keras.Variable:
        """The variable of which the kernel is made."""
        return kernel_variable(self)

    def reparametrized(self, kernel: Tensor) -> Tensor:
        """The kernel that counts, of the one that is trained."""
        raise NotImplementedError(f"{type(self).__name__} must define reparametrized(kernel)")

    def save_own_variables(self, store: Any) -> None:
        keras.layers.Layer.save_own_variables(self, store)  # Dense and Conv2D would leave all but kernel and bias out

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)

    def number(self, name: str, value: float) -> keras.Variable:
        """A number that a callback moves, kept with the weights."""
        start = keras.initializers.Constant(value)
        return self.add_weight(shape=(), initializer=start, trainable=False, dtype="float32", autocast=False, name=name)


class Thresholded(Reparametrized):
    """What both thresholded synapses share."""

    def __init__(self, *sizes: Any, mapping: str = "st", **kwargs: Any) -> None:
        super().__init__(*sizes, **kwargs)
        if mapping not in MAPPINGS:
            raise unknown_name("mapping", mapping, MAPPINGS)
        self.mapping = mapping

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.width = self.number("width", 0.0)

    def reparametrized(self, kernel: Tensor) -> Tensor:
        return MAPPINGS[self.mapping](kernel, ops.cast(self.width, kernel.dtype))

    def get_config(self) -> Config:
        return {**super().get_config(), "mapping": self.mapping}


@public
class ThresholdedConv2D(Thresholded, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` whose weights are pruned by a threshold `width` that rises while it trains.

    With the trained parameters ``theta`` and the width ``D``, 0 at the start::

        mapping="st":    w = sign(theta) max(0, |theta| - D),  gradient 1 where |theta| > D, else 0
        mapping="stmod": the same w,                           gradient 1, and 0 at theta = 0
        mapping="hard":  w = theta where |theta| > D, else 0,  gradient 1 where |theta| > D, else 0 (pruning by magnitude)

    Args:
        filters, kernel_size: Of `keras.layers.Conv2D`.
        mapping: `"st"`, `"stmod"` or `"hard"`.
        **kwargs: Of `keras.layers.Conv2D`.

    Call arguments:
        inputs: `[B, H, W, C]`.

    Returns:
        `[B, H', W', filters]`.

    Raises:
        UnknownNameError: For an unknown mapping.

    Example:
        >>> ThresholdedConv2D(8, 3, mapping="stmod")(keras.ops.ones((2, 8, 8, 1))).shape  # (2, 6, 6, 8)

    Source: STDS, Chen et al. (ICML 2022), official code; `"hard"` is the usual control.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], mapping: str = "st", **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, mapping=mapping, **kwargs)


@public
class ThresholdedDense(Thresholded, keras.layers.Dense):
    """A `keras.layers.Dense` whose weights are pruned by a threshold that rises while it trains. As `ThresholdedConv2D`.

    Args:
        units: Of `keras.layers.Dense`.
        mapping: `"st"`, `"stmod"` or `"hard"`.
        **kwargs: Of `keras.layers.Dense`.

    Call arguments:
        inputs: `[B, F]`.

    Returns:
        `[B, units]`.

    Example:
        >>> ThresholdedDense(10)(keras.ops.ones((2, 64))).shape  # (2, 10)
    """

    def __init__(self, units: int, mapping: str = "st", **kwargs: Any) -> None:
        super().__init__(units, mapping=mapping, **kwargs)


FIRST_TEMPERATURE = 5.0
"""Of masks, where their training starts."""


class Gated(keras.layers.Layer):
    """What has a mask of learned scores: its variables, and the penalty for what is left of it."""

    penalty_factor: float
    score: keras.Variable
    temperature: keras.Variable
    hard: keras.Variable
    cut: keras.Variable

    def add_gate(self, shape: Shape) -> None:
        """Make the variables; the scores start at 1."""
        values = {"temperature": FIRST_TEMPERATURE, "hard": 0.0, "cut": 0.0}
        for name, value in values.items():
            start = keras.initializers.Constant(value)
            setattr(self, name, self.add_weight(shape=(), initializer=start, trainable=False, dtype="float32", autocast=False, name=name))
        self.score = self.add_weight(shape=shape, initializer="ones", regularizer=self._paid, autocast=False, name="score")

    def _paid(self, score: Tensor) -> Tensor:
        return (1.0 - self.hard) * penalty(score, self.temperature, self.penalty_factor, self.cut)

    @property
    def mask(self) -> Tensor:
        """The mask as it is now."""
        return gate(self.score, self.temperature, self.hard, self.cut)


class Masked(Gated, Reparametrized):
    """What both masked synapses share."""

    def __init__(self, *sizes: Any, penalty_factor: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*sizes, **kwargs)
        self.penalty_factor = float(penalty_factor)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.add_gate(self.trained_kernel.shape)

    def reparametrized(self, kernel: Tensor) -> Tensor:
        return kernel * ops.cast(self.mask, kernel.dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "penalty_factor": self.penalty_factor}


@public
class MaskedConv2D(Masked, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` with a learned mask over its weights, first soft, then hard.

    With a score ``m`` for each weight::

        soft:  w <- w sigmoid(beta (m - cut)),   beta rises from 5 to 1000
        hard:  w <- w where m > cut, else 0,     m has no gradient
        added to the loss while soft:  penalty_factor sum of sigmoid(beta (m - cut))

    Args:
        filters, kernel_size: Of `keras.layers.Conv2D`.
        penalty_factor: The price of a connection; in the official code ``lambda H W / stride^2``, so that operations count.
        **kwargs: Of `keras.layers.Conv2D`.

    Call arguments:
        inputs: `[B, H, W, C]`.

    Returns:
        `[B, H', W', filters]`.

    Example:
        >>> MaskedConv2D(8, 3)(keras.ops.ones((2, 8, 8, 1))).shape  # (2, 6, 6, 8)

    Source: Shi et al. (ICLR 2024), official code, where the cut is 0.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], penalty_factor: float = 0.0, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, penalty_factor=penalty_factor, **kwargs)


@public
class MaskedDense(Masked, keras.layers.Dense):
    """A `keras.layers.Dense` with a learned mask over its weights, first soft, then hard. As `MaskedConv2D`.

    Args:
        units: Of `keras.layers.Dense`.
        penalty_factor: The price of a connection.
        **kwargs: Of `keras.layers.Dense`.

    Call arguments:
        inputs: `[B, F]`.

    Returns:
        `[B, units]`.

    Example:
        >>> MaskedDense(10)(keras.ops.ones((2, 64))).shape  # (2, 10)
    """

    def __init__(self, units: int, penalty_factor: float = 0.0, **kwargs: Any) -> None:
        super().__init__(units, penalty_factor=penalty_factor, **kwargs)


@public
class NeuronMask(Gated):
    """A learned mask over the neurons of each channel, first soft, then hard: it multiplies their spikes.

    ``s <- s sigmoid(beta (m - cut))``, then ``s`` where ``m > cut``, else 0; see `MaskedConv2D`. The official code has a score for each
    neuron of a map; here those of one channel share one, so that the mask can become part of plain kernels.

    Args:
        penalty_factor: The price of a channel.

    Call arguments:
        inputs: Spikes `[B, T, ..., C]`.

    Returns:
        The same shape.

    Example:
        >>> NeuronMask()(keras.ops.ones((2, 4, 8))).shape  # (2, 4, 8)

    Source: Shi et al. (ICLR 2024), official code, but for the sharing.
    """

    def __init__(self, penalty_factor: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.penalty_factor = float(penalty_factor)

    def build(self, input_shape: Shape) -> None:
        self.add_gate(input_shape[-1:])
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * ops.cast(self.mask, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "penalty_factor": self.penalty_factor}
