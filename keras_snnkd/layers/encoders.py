"""Encoders: a static image becomes a sequence of T time steps, `[B, ...] -> [B, T, ...]`."""

import dataclasses
import math
from typing import Any, TypeGuard

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.neurons.currents import currents_of, note
from keras_snnkd.neurons.lanes import Lanes


class Encoder(keras.Layer):
    """Base of all encoders.

    Args:
        timesteps: Number of time steps T, at least 1.

    Raises:
        ValueError: If `timesteps` is not a whole number above 0.
    """

    def __init__(self, timesteps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.timesteps = check_timesteps(timesteps)

    needs_clock = False
    """Whether `at` reads the number of the step."""

    def at(self, inputs: Tensor, step: int | Tensor | None = None) -> Tensor:
        """What comes out at one time step.

        Args:
            inputs: `[B, ...]`.
            step: Its number, 0 to T - 1, as a float32 tensor that goes with the inputs.

        Returns:
            `[B, ...]`.

        Raises:
            NotImplementedError: If the steps of this encoder can only be had together.
        """
        raise NotImplementedError(f"{self.name} ({type(self).__name__}) gives its time steps only together")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.timesteps, *input_shape[1:])

    def get_config(self) -> Config:
        return {**super().get_config(), "timesteps": self.timesteps}


def is_count(value: object) -> TypeGuard[int]:
    """Whether `value` is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_timesteps(timesteps: object) -> int:
    """`timesteps`, or a `ValueError` if it is not a whole number above 0."""
    if not is_count(timesteps):
        raise ValueError(f"the number of time steps T must be a whole number above 0, got {timesteps!r}")
    return timesteps


@public
class Direct(Encoder):
    """Direct encoding: the same input at every step, ``y[b, t] = x[b]``.

    Put after the first synapse, it makes a static image pass that synapse once instead of T times. Rueckauer et al. (2017), Frontiers
    in Neuroscience 11:682, and Wu et al. (2019), arXiv:1809.05793, give a network real-valued inputs in this way.

    Args:
        timesteps: Number of time steps T, at least 1.

    Call arguments:
        inputs: `[B, ...]`.

    Returns:
        `[B, T, ...]`.

    Example:
        >>> Direct(timesteps=4)(keras.ops.ones((2, 28, 28, 1))).shape  # (2, 4, 28, 28, 1)
    """

    def call(self, inputs: Tensor) -> Tensor:
        outputs = ops.broadcast_to(ops.expand_dims(inputs, 1), self.compute_output_shape(ops.shape(inputs)))
        note(outputs, dataclasses.replace(currents_of(inputs), target=inputs, repeated=True))
        return outputs

    def call_on_rates(self, inputs: Any, training: bool = False) -> Lanes:
        """The call for rate-based backpropagation: the mean over time is the input itself."""
        inputs = ops.cast(inputs, self.compute_dtype)
        return Lanes(self(inputs), inputs)

    def at(self, inputs: Tensor, step: int | Tensor | None = None) -> Tensor:
        return inputs


@public
class Poisson(Encoder):
    """Rate encoding: at every step each input spikes with probability ``min(max(x, 0), 1)``, independently.

    Args:
        timesteps: Number of time steps T, at least 1.
        seed: Of the random numbers; the sequence of batches is the same in each run, and starts again when a saved model is loaded.

    Call arguments:
        inputs: Intensities `[B, ...]` in 0..1.

    Returns:
        Spikes `[B, T, ...]`, 0 or 1, with expected rate x.

    Example:
        >>> spikes = Poisson(timesteps=16, seed=1)(images)
    """

    def __init__(self, timesteps: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(timesteps, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor) -> Tensor:
        draws = keras.random.uniform(self.compute_output_shape(ops.shape(inputs)), dtype="float32", seed=self.seed_generator)
        return ops.cast(draws < ops.cast(ops.expand_dims(inputs, 1), "float32"), self.compute_dtype)

    def get_config(self) -> Config:
        return {**super().get_config(), "seed": self.seed}


@public
class Latency(Encoder):
    """Time-to-first-spike encoding: each input above 0 spikes once, strong ones early, at step ``round((1 - x) (T - 1))``.

    Args:
        timesteps: Number of time steps T, at least 1.

    Call arguments:
        inputs: Intensities `[B, ...]`; values outside 0..1 are clipped, and 0 never spikes.

    Returns:
        Spikes `[B, T, ...]`, 0 or 1.

    Example:
        >>> Latency(timesteps=3)(keras.ops.array([[1.0, 0.5, 0.0]]))[0]  # [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    """

    needs_clock = True

    def call(self, inputs: Tensor) -> Tensor:
        clock = ops.reshape(ops.arange(self.timesteps, dtype="float32"), (1, -1, *[1] * (len(inputs.shape) - 1)))
        return self.at(ops.expand_dims(inputs, 1), clock)

    def at(self, inputs: Tensor, step: int | Tensor | None = None) -> Tensor:
        x = ops.clip(ops.cast(inputs, "float32"), 0, 1)
        moment = ops.floor((1 - x) * (self.timesteps - 1) + 0.5)
        return ops.cast(ops.logical_and(moment == step, x > 0), self.compute_dtype)
