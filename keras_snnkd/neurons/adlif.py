"""Neurons with an adaptation current and with recurrent synapses, after Bittar and Garner."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.neurons.adaptation import COUPLINGS, AdaptiveDynamics
from keras_snnkd.neurons.base import ResettingLayer, SpikingCell, check_number, check_tau
from keras_snnkd.surrogates import Surrogate

Limits = Sequence[float]
"""The smallest and the largest value that a parameter may take, and between which it starts."""


class ParameterizedLayer(ResettingLayer):
    """Base of the neurons whose parameters are learned, one for each index of the last axis, within limits."""

    recurrent = False

    def __init__(
        self,
        tau: Limits = (5.0, 25.0),
        threshold: float = 1.0,
        reset: str = "soft",
        detach_reset: bool = False,
        surrogate: str | Surrogate = "rectangle",
        **kwargs: Any,
    ) -> None:
        super().__init__(threshold, reset, 0.0, True, detach_reset, surrogate, **kwargs)
        self.tau = _limits(self, "tau", tau, check_tau)
        self.dynamics = self.dynamics_of(None)

    def dynamics_of(self, coupling: str | None) -> AdaptiveDynamics:
        """The dynamics with these arguments and the adaptation's coupling."""
        return AdaptiveDynamics(
            None,
            self.threshold,
            self.reset,
            detach_reset=self.detach_reset,
            surrogate=self.surrogate,
            coupling=coupling,
            recurrent=self.recurrent,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None:
            raise ShapeError(f"{self.name}: its parameters need a known number of neurons, got shape {tuple(input_shape)}")
        self._limited: list[tuple[keras.Variable, float, float]] = []
        self._add("alpha", channels, *map(_decay, self.tau))
        self._add_parameters(channels)
        if self.recurrent:
            initializer = keras.initializers.Orthogonal()
            self.V = self.add_weight(shape=(channels, channels), initializer=initializer, dtype="float32", autocast=False, name="V")
        super().build(input_shape)

    def _add_parameters(self, channels: int) -> None:
        """Add what is learned beside the leak and the recurrent weights."""

    def _add(self, name: str, channels: int, low: float, high: float) -> None:
        initializer = keras.initializers.RandomUniform(low, high)
        weight = self.add_weight(shape=(channels,), initializer=initializer, dtype="float32", autocast=False, name=name)
        setattr(self, name, weight)
        self._limited.append((weight, low, high))

    @property
    def learned(self) -> tuple[Tensor, ...]:
        limited = tuple(ops.clip(ops.convert_to_tensor(weight), low, high) for weight, low, high in self._limited)
        return (*limited, self.recurrent_kernel) if self.recurrent else limited

    @property
    def recurrent_kernel(self) -> Tensor:
        """The recurrent weights that are used: ``V`` with a diagonal of zeros, `[C, C]`, from row to column."""
        V = ops.convert_to_tensor(self.V)
        return V * (1.0 - ops.eye(V.shape[0], dtype=V.dtype))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for constant in ("v_reset", "decay_input"):
            del config[constant]
        return {**config, "tau": list(self.tau)}


class AdaptingLayer(ParameterizedLayer):
    """Base of the neurons with an adaptation current."""

    def __init__(
        self,
        tau: Limits = (5.0, 25.0),
        tau_adaptation: Limits = (30.0, 120.0),
        a_limits: Limits = (-1.0, 1.0),
        b_limits: Limits = (0.0, 2.0),
        coupling: str = "before_reset",
        threshold: float = 1.0,
        reset: str = "soft",
        detach_reset: bool = False,
        surrogate: str | Surrogate = "rectangle",
        **kwargs: Any,
    ) -> None:
        super().__init__(tau, threshold, reset, detach_reset, surrogate, **kwargs)
        if coupling not in COUPLINGS:
            raise unknown_name("coupling", coupling, COUPLINGS)
        self.tau_adaptation = _limits(self, "tau_adaptation", tau_adaptation, check_tau)
        self.a_limits = _limits(self, "a_limits", a_limits, check_number)
        self.b_limits = _limits(self, "b_limits", b_limits, check_number)
        self.coupling = coupling
        self.dynamics = self.dynamics_of(coupling)

    def _add_parameters(self, channels: int) -> None:
        self._add("beta", channels, *map(_decay, self.tau_adaptation))
        self._add("a", channels, *self.a_limits)
        self._add("b", channels, *self.b_limits)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tau_adaptation": list(self.tau_adaptation),
            "a_limits": list(self.a_limits),
            "b_limits": list(self.b_limits),
            "coupling": self.coupling,
        }


@public
class AdLIF(AdaptingLayer):
    """Adaptive LIF neurons: an adaptation current follows the membrane potential and the spikes, and works against both.

    With the membrane potential ``u`` before its reset, the adaptation ``w`` and the current ``x``, one step is::

        w[t] = beta w[t-1] + a u[t-1] + b s[t-1]
        u[t] = alpha (u[t-1] - threshold s[t-1]) + (1 - alpha) (x[t] - w[t])
        s[t] = 1 if u[t] > threshold else 0

    ``alpha``, ``beta``, ``a`` and ``b`` are learned, one of each for each index of the last axis. They start uniformly between their limits
    and are clipped to them when they are used. Equations and limits are those of Bittar and Garner (2022), Frontiers in Neuroscience
    16:865897, as in their code, where the neuron fires only above the threshold.

    `coupling="symplectic"` couples to the new potential, after its reset: ``w[t] = beta w[t-1] + a (u[t-1] - threshold s[t-1]) +
    b s[t-1]``, the symplectic Euler step of Baronig et al. (2024, arXiv:2408.07517). A spike then does not enter twice, by its height and
    by ``b``. Their factor ``1 - beta`` is in ``a`` and ``b`` here; their reset is `reset="hard"`.

    Args:
        tau: Limits of the membrane time constant in ms, ``alpha = exp(-1 / tau)``, greater than 1.
        tau_adaptation: Limits of that of the adaptation, ``beta = exp(-1 / tau_adaptation)``.
        a_limits: Limits of ``a``, the coupling to the membrane potential.
        b_limits: Limits of ``b``, the jump of the adaptation with each spike.
        coupling: `"before_reset"` or `"symplectic"`.
        threshold: Membrane potential above which the neuron fires.
        reset: `"soft"` (subtract the threshold) or `"hard"` (to 0).
        detach_reset: Whether the gradient stops at the reset. Through adaptation and recurrence it is always kept.
        surrogate: Name or instance; see `keras_snnkd.surrogates`. The authors' is `"rectangle"`.
        return_state: Whether the state after the last step is returned too.

    Call arguments:
        inputs: Currents, `[B, T, ..., C]`.
        initial_state: List with the potential before the reset and the adaptation, `[B, ..., C]`, float32; zeros by default.

    Returns:
        Spikes `[B, T, ..., C]`, 0 or 1; with `return_state`, a list of spikes, potential and adaptation.

    Raises:
        ValueError: If an argument is outside its range.
        UnknownNameError: For another `coupling`.
        ShapeError: If the inputs have no time axis, or C is not known.

    Example:
        >>> spikes = kd.neurons.AdLIF()(currents)  # [B, T, C]; alpha, beta, a and b are trainable
    """


@public
class RLIF(ParameterizedLayer):
    """Recurrent LIF neurons: the spikes of a step are currents of the next one.

    ``u[t] = alpha (u[t-1] - threshold s[t-1]) + (1 - alpha) (x[t] + s[t-1] V)``, ``s[t] = 1 if u[t] > threshold else 0``, where ``V`` is a
    learned matrix `[C, C]` whose diagonal counts as zero. It starts orthogonal. ``alpha`` is learned as in `AdLIF`. On maps the
    recurrence is at each place among its channels. Bittar and Garner (2022), Frontiers in Neuroscience 16:865897.

    Args:
        tau, threshold, reset, detach_reset, surrogate, return_state: As for `AdLIF`.

    Call arguments, returns, raises: as `AdLIF`; the state is the potential before the reset alone.

    Example:
        >>> spikes = kd.neurons.RLIF()(currents)  # [B, T, C]; alpha and V are trainable
    """

    recurrent = True


@public
class RadLIF(AdaptingLayer):
    """Recurrent adaptive LIF neurons: `AdLIF` with the recurrent weights of `RLIF`, ``x[t] + s[t-1] V`` in place of ``x[t]``.

    Bittar and Garner (2022), Frontiers in Neuroscience 16:865897.

    Args:
        tau, tau_adaptation, a_limits, b_limits, coupling, threshold, reset, detach_reset, surrogate, return_state: As for `AdLIF`.

    Call arguments, returns, raises: as `AdLIF`.

    Example:
        >>> spikes = kd.neurons.RadLIF(coupling="symplectic")(currents)  # [B, T, C]
    """

    recurrent = True


@public
class AdLIFCell(SpikingCell):
    """One time step of `AdLIF`, by Keras' RNN-cell protocol: `AdLIFCell(units, **arguments of AdLIF)`. See `LIFCell`."""

    layer_class = AdLIF


@public
class RLIFCell(SpikingCell):
    """One time step of `RLIF`, by Keras' RNN-cell protocol: `RLIFCell(units, **arguments of RLIF)`. See `LIFCell`."""

    layer_class = RLIF


@public
class RadLIFCell(SpikingCell):
    """One time step of `RadLIF`, by Keras' RNN-cell protocol: `RadLIFCell(units, **arguments of RadLIF)`. See `LIFCell`."""

    layer_class = RadLIF


def _decay(tau: float) -> float:
    return math.exp(-1 / tau)


def _limits(layer: keras.Layer, name: str, limits: Limits, check: Callable[[keras.Layer, str, Any], float]) -> tuple[float, float]:
    """Two numbers in order, or a `ValueError`."""
    if not isinstance(limits, (list, tuple)) or len(limits) != 2:
        raise ValueError(f"{layer.name}: {name} must be two numbers, the smallest and the largest value, got {limits!r}")
    low, high = (check(layer, name, limit) for limit in limits)
    if low > high:
        raise ValueError(f"{layer.name}: {name} must be in order, got {limits!r}")
    return low, high
