"""Leaky integrate-and-fire neuron that learns its time constant."""

from typing import Any

from keras_snnkd._public import public
from keras_snnkd.neurons.base import SpikingCell
from keras_snnkd.neurons.lif import LIF
from keras_snnkd.surrogates import Surrogate


@public
class PLIF(LIF):
    """Parametric LIF neurons: a `LIF` whose leak ``1 / tau = sigmoid(w)`` is learned, one ``w`` for the layer by default.

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
        learn_tau: `"layer"`, `"channel"` or `"neuron"`; see `LIF`.
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
        learn_tau: str = "layer",
        **kwargs: Any,
    ) -> None:
        super().__init__(tau, threshold, reset, v_reset, decay_input, detach_reset, surrogate, learn_tau, **kwargs)


@public
class PLIFCell(SpikingCell):
    """One time step of `PLIF`, by Keras' RNN-cell protocol: `PLIFCell(units, **arguments of PLIF)`. See `LIFCell`."""

    layer_class = PLIF
