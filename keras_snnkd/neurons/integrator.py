"""Leaky integrator: a neuron that never fires, for readouts."""

from typing import Any

from keras_snnkd._public import public
from keras_snnkd.neurons.base import SpikingCell
from keras_snnkd.neurons.dynamics import Dynamics
from keras_snnkd.neurons.time_constants import TimeConstant


@public
class LeakyIntegrator(TimeConstant):
    """Membranes that integrate and leak but never fire; the output is the membrane potential.

    ``v[t] = v[t-1] + (x[t] - v[t-1]) / tau`` with `decay_input`, else ``v[t] = v[t-1] - v[t-1] / tau + x[t]``.

    Args:
        tau: Membrane time constant in ms, greater than 1.
        decay_input: Whether the current is divided by `tau` too.
        learn_tau: Whether, and for whom, the time constant is learned; see `LIF`.
        return_state: Whether the state after the last step is returned too.

    Call arguments:
        inputs: Currents, `[B, T, ...]`.
        initial_state: List with the membrane potential, `[B, ...]`; 0 by default.

    Returns:
        Membrane potentials, `[B, T, ...]`.

    Raises:
        ValueError: If `tau` is not greater than 1.
        UnknownNameError: For another `learn_tau`.

    Example:
        >>> kd.neurons.LeakyIntegrator(tau=2.0)(keras.ops.ones((1, 3, 1)))[0, :, 0]  # 0.5, 0.75, 0.875
    """

    def __init__(self, tau: float = 2.0, decay_input: bool = True, learn_tau: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decay_input = bool(decay_input)
        self.dynamics = Dynamics(leak=self.set_tau(tau, learn_tau), threshold=None, decay_input=self.decay_input)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.tau_config(), "decay_input": self.decay_input}


@public
class LeakyIntegratorCell(SpikingCell):
    """One time step of `LeakyIntegrator`, by Keras' RNN-cell protocol: `LeakyIntegratorCell(units, tau=2.0)`. See `LIFCell`."""

    layer_class = LeakyIntegrator
