"""Leaky integrate-and-fire neuron that learns its time constant."""

import math
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd.neurons.base import ResettingLayer, SpikingCell, check_tau
from keras_snnkd.surrogates import Surrogate


@public
class PLIF(ResettingLayer):
    """Parametric LIF neurons: a `LIF` whose leak ``1 / tau = sigmoid(w)`` is learned, one ``w`` for the layer.

    Fang et al. (2021), "Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural Networks",
    arXiv:2007.05785.

    Args:
        tau: Membrane time constant in ms at the start, greater than 1; ``w = -log(tau - 1)``.
        threshold: Membrane potential at which the neuron fires.
        reset: `"hard"` (to `v_reset`) or `"soft"` (subtract the threshold).
        v_reset: Reset and resting potential of a hard reset.
        decay_input: Whether the current is divided by `tau` too.
        detach_reset: Whether the gradient stops at the reset.
        surrogate: Name or instance; see `keras_snnkd.surrogates`.
        return_state: Whether the state after the last step is returned too.

    Call arguments, returns, raises: as `LIF`.

    Example:
        >>> layer = kd.neurons.PLIF(tau=4.0)
        >>> spikes = layer(currents)  # [B, T, ...]; layer.w is trainable
    """

    def __init__(
        self,
        tau: float = 2.0,
        threshold: float = 1.0,
        reset: str = "hard",
        v_reset: float = 0.0,
        decay_input: bool = True,
        detach_reset: bool = True,
        surrogate: str | Surrogate = "atan",
        **kwargs,
    ):
        super().__init__(threshold, reset, v_reset, decay_input, detach_reset, surrogate, **kwargs)
        self.tau = check_tau(self, "tau", tau)
        self.dynamics = self.make_dynamics(leak=None)

    def build(self, input_shape):
        start = keras.initializers.Constant(-math.log(self.tau - 1))
        self.w = self.add_weight(shape=(), initializer=start, dtype="float32", autocast=False, name="w")
        super().build(input_shape)

    @property
    def leak(self):
        return ops.sigmoid(ops.convert_to_tensor(self.w))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tau": self.tau}


@public
class PLIFCell(SpikingCell):
    """One time step of `PLIF`, by Keras' RNN-cell protocol: `PLIFCell(units, **arguments of PLIF)`. See `LIFCell`."""

    layer_class = PLIF
