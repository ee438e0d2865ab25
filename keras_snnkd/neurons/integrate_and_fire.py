"""Integrate-and-fire neuron: no leak."""

from typing import Any

from keras_snnkd._public import public
from keras_snnkd._types import Config
from keras_snnkd.neurons.base import ResettingLayer, SpikingCell
from keras_snnkd.surrogates import Surrogate


@public
class IF(ResettingLayer):
    """Integrate-and-fire neurons, a `LIF` without leak: ``h[t] = v[t-1] + x[t]``, then fire and reset as `LIF` does.

    Args:
        threshold: Membrane potential at which the neuron fires.
        reset: `"hard"` (to `v_reset`) or `"soft"` (subtract the threshold).
        v_reset: Reset potential of a hard reset, and the potential at the start.
        detach_reset: Whether the gradient stops at the reset.
        surrogate: Name or instance; see `keras_snnkd.surrogates`.
        return_state: Whether the state after the last step is returned too.

    Call arguments, returns, raises: as `LIF`.

    Example:
        >>> kd.neurons.IF(reset="soft")(keras.ops.ones((1, 4, 3)) * 0.5)[0, :, 0]  # 0, 1, 0, 1
    """

    def __init__(
        self,
        threshold: float = 1.0,
        reset: str = "hard",
        v_reset: float = 0.0,
        detach_reset: bool = True,
        surrogate: str | Surrogate = "atan",
        **kwargs: Any,
    ) -> None:
        super().__init__(threshold, reset, v_reset, False, detach_reset, surrogate, **kwargs)
        self.dynamics = self.make_dynamics(leak=0.0)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["decay_input"]
        return config


@public
class IFCell(SpikingCell):
    """One time step of `IF`, by Keras' RNN-cell protocol: `IFCell(units, **arguments of IF)`. See `LIFCell`."""

    layer_class = IF
