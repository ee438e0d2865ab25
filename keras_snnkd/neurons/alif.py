"""Leaky integrate-and-fire neuron with an adaptive threshold."""

import math
from typing import Any

from keras_snnkd._public import public
from keras_snnkd.neurons.base import ResettingLayer, SpikingCell, check_number, check_tau
from keras_snnkd.surrogates import Surrogate


@public
class ALIF(ResettingLayer):
    """LIF neurons whose threshold rises with each spike and falls back exponentially.

    Charge as `LIF`, then with ``rho = exp(-1 / tau_adaptation)``::

        theta[t] = threshold + adaptation a[t-1]
        s[t] = 1 if h[t] >= theta[t] else 0
        v[t] = v_reset where s[t] else h[t]      reset="hard"
        v[t] = h[t] - theta[t] s[t]              reset="soft"
        a[t] = rho a[t-1] + s[t]

    Bellec et al. (2020), "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature Communications 11:3625
    (there with a soft reset by `threshold` alone).

    Args:
        tau: Membrane time constant in ms, greater than 1.
        adaptation: Rise of the threshold per spike, greater than 0.
        tau_adaptation: Time constant of the adaptation in ms, greater than 1.
        threshold: Threshold at rest.
        reset: `"hard"` (to `v_reset`) or `"soft"` (subtract the threshold of that moment).
        v_reset: Reset and resting potential of a hard reset.
        decay_input: Whether the current is divided by `tau` too.
        detach_reset: Whether the gradient stops at the reset. The gradient through the adaptation is always kept.
        surrogate: Name or instance; see `keras_snnkd.surrogates`.
        return_state: Whether the state after the last step (potential and adaptation) is returned too.

    Call arguments, returns, raises: as `LIF`; the state is the membrane potential and the adaptation.

    Example:
        >>> kd.neurons.ALIF(adaptation=1.0)(keras.ops.ones((1, 6, 1)) * 2.5)[0, :, 0]  # 1, 0, 0, 1, 0, 0
    """

    def __init__(
        self,
        tau: float = 2.0,
        adaptation: float = 0.2,
        tau_adaptation: float = 20.0,
        threshold: float = 1.0,
        reset: str = "hard",
        v_reset: float = 0.0,
        decay_input: bool = True,
        detach_reset: bool = True,
        surrogate: str | Surrogate = "atan",
        **kwargs: Any,
    ) -> None:
        super().__init__(threshold, reset, v_reset, decay_input, detach_reset, surrogate, **kwargs)
        self.tau = check_tau(self, "tau", tau)
        self.adaptation = check_number(self, "adaptation", adaptation)
        if self.adaptation <= 0:
            raise ValueError(f"{self.name}: adaptation must be greater than 0, got {adaptation}; use LIF for none")
        self.tau_adaptation = check_tau(self, "tau_adaptation", tau_adaptation)
        decay = math.exp(-1 / self.tau_adaptation)
        self.dynamics = self.make_dynamics(leak=1 / self.tau, adaptation=self.adaptation, adaptation_decay=decay)

    def get_config(self) -> dict[str, Any]:
        more = {"tau": self.tau, "adaptation": self.adaptation, "tau_adaptation": self.tau_adaptation}
        return {**super().get_config(), **more}


@public
class ALIFCell(SpikingCell):
    """One time step of `ALIF`, by Keras' RNN-cell protocol: `ALIFCell(units, **arguments of ALIF)`. See `LIFCell`."""

    layer_class = ALIF
