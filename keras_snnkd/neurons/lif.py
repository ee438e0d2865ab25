"""Leaky integrate-and-fire neuron."""

from typing import Any

from keras_snnkd._public import public
from keras_snnkd.neurons.base import ResettingLayer, SpikingCell
from keras_snnkd.neurons.time_constants import TimeConstant
from keras_snnkd.surrogates import Surrogate


@public
class LIF(TimeConstant, ResettingLayer):
    """Leaky integrate-and-fire neurons over a whole sequence of any shape.

    With membrane potential ``v``, current ``x``, time step 1 ms::

        h[t] = v[t-1] + (x[t] - (v[t-1] - v_reset)) / tau        decay_input=True
        h[t] = v[t-1] - (v[t-1] - v_reset) / tau + x[t]          decay_input=False
        s[t] = 1 if h[t] >= threshold else 0
        v[t] = v_reset where s[t] else h[t]                      reset="hard"
        v[t] = h[t] - threshold s[t]                             reset="soft"

    The neuron fires at equality, as SpikingJelly's does; snnTorch's and NIR's fire only above the threshold. The derivative of ``s`` is
    replaced by the surrogate's (Neftci et al., 2019, arXiv:1901.09948).

    With `learn_tau` the leak ``1 / tau = sigmoid(w)`` is learned, from ``w = -log(tau - 1)`` on: one ``w`` for the layer as in Fang et al.
    (2021, arXiv:2007.05785), or several, so that the neurons of one layer see different spans of time (Perez-Nieves et al., 2021,
    Nature Communications 12:5791).

    Args:
        tau: Membrane time constant in ms, greater than 1; where it is learned, at the start.
        threshold: Membrane potential at which the neuron fires.
        reset: `"hard"` (to `v_reset`) or `"soft"` (subtract the threshold).
        v_reset: Reset and resting potential of a hard reset.
        decay_input: Whether the current is divided by `tau` too.
        detach_reset: Whether the gradient stops at the reset.
        surrogate: Name or instance; see `keras_snnkd.surrogates`.
        learn_tau: `None` for a constant; `"layer"`, `"channel"` or `"neuron"` for one time constant for all neurons, for each index of
            the last axis, or for each neuron, whose number must then be known.
        return_state: Whether the state after the last step is returned too.

    Call arguments:
        inputs: Currents, `[B, T, ...]`: every element of the trailing axes is one neuron.
        initial_state: List with the membrane potential, `[B, ...]`, float32; `v_reset` by default.

    Returns:
        Spikes `[B, T, ...]`, 0 or 1, in the compute dtype; with `return_state`, a list of spikes and membrane potential.

    Raises:
        ValueError: If an argument is outside its range.
        UnknownNameError: For another `learn_tau`.
        ShapeError: If the inputs have no time axis, or not the known sizes that learned time constants need.

    Example:
        >>> kd.neurons.LIF(tau=2.0)(keras.ops.ones((1, 4, 3)) * 1.5)[0, :, 0]  # 0, 1, 0, 1
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
        learn_tau: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(threshold, reset, v_reset, decay_input, detach_reset, surrogate, **kwargs)
        self.dynamics = self.make_dynamics(leak=self.set_tau(tau, learn_tau))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.tau_config()}


@public
class LIFCell(SpikingCell):
    """One time step of `LIF`, by Keras' RNN-cell protocol.

    Args:
        units: Number of neurons, the last axis of the input.
        **neuron: The arguments of `LIF`.

    Call arguments:
        inputs: Currents, `[B, units]`.
        states: List with the membrane potential, `[B, units]`, float32.

    Returns:
        Spikes `[B, units]` in the policy's compute dtype, and the list with the new membrane potential.

    Under a mixed policy the membrane potential stays float32 from step to step. `keras.layers.StackedRNNCells` casts the states of its
    cells: give it `dtype="float32"`. `keras.layers.RNN` rounds the states that it takes and returns (`initial_state`, `return_state`):
    to stream exactly, use the layer.

    Example:
        >>> keras.layers.RNN(kd.neurons.LIFCell(16, tau=2.0), return_sequences=True)(currents)  # [B, T, 16]
    """

    layer_class = LIF
