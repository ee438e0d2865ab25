"""Neurons whose membranes are 8-bit integers."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from keras_snnkd import surrogates
from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.neurons.base import SpikingLayer
from keras_snnkd.neurons.dynamics import Dynamics, exporting, exporting_integers
from keras_snnkd.neurons.fake_quant import fake_quant, in_range, inside
from keras_snnkd.surrogates import Surrogate

HALF_ROUNDS_TO_REST = 1 - 2**-9
"""Factor of the decay: of two equally near steps it takes the one nearer to rest, whatever a runtime's kernels do with halves."""


@dataclasses.dataclass(frozen=True)
class QuantizedDynamics(Dynamics):
    """`Dynamics` on a grid: potentials are whole steps ``R / 128`` in ``-R .. R - R/128``.

    With the rounding ``Q`` to that grid the charge becomes ``h[t] = Q(Q((1 - k) v[t-1]) + Q(k x[t]))`` (or ``Q(x[t])``). Threshold and
    resting potential are on the grid, so that the comparison and both resets are exact in integers.

    Args:
        membrane_range: ``R``, the threshold times a power of two.
    """

    membrane_range: float = 2.0

    @property
    def resolution(self) -> float:
        """The step of the grid."""
        return self.membrane_range / 128

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest potential."""
        return -self.membrane_range, self.membrane_range - self.resolution

    @property
    def adaptation_limits(self) -> tuple[float, float]:
        """Those of the adaptation ``a``, so that ``beta a`` has the steps of the membrane."""
        low, high = self.limits
        return low / self.adaptation, high / self.adaptation

    @property
    def kept(self) -> float:
        """What the leak leaves of a potential in one step."""
        return (1 - self.leak) * HALF_ROUNDS_TO_REST if self.leak else 1.0

    def initial_state(self, shape: Shape, dtype: str = "float32") -> tuple[Tensor, ...]:
        """The resting state; one zero that stands for all where a file is written, which would hold each of them."""
        return super().initial_state((1,) * len(shape) if exporting() else shape, dtype)

    def charge(self, x: Tensor, v: Tensor, leak: Tensor) -> Tensor:
        return fake_quant(self._sum(x, v), *self.limits)

    def _sum(self, x: Tensor, v: Tensor) -> Tensor:
        driven = fake_quant(x * self.leak if self.decay_input else x, *self.limits)
        return (fake_quant(v * self.kept, *self.limits) if self.leak else v) + driven

    def charge_adjoint(self, x: Tensor, v: Tensor, leak: Tensor, g_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g_h = g_h * inside(self._sum(x, v), *self.limits)
        gain = self.leak if self.decay_input else 1.0
        return g_h * gain * inside(x * gain, *self.limits), g_h * self.kept, None  # the leak is a constant

    def theta(self, state: Sequence[Tensor]) -> Tensor:
        if not self.adapts:
            return self.threshold
        rise = in_range(self.adaptation * state[1], *self.limits)
        return fake_quant(self.threshold + rise, *self.limits)

    def fire(self, h: Tensor, theta: Tensor, spike: Callable[[Tensor], Tensor]) -> Tensor:
        if not exporting_integers():
            return spike(h - theta)
        # whole steps apart, the step function is a clipped line, which integers compute by saturation, without a comparison
        below = in_range(theta - self.resolution, *self.limits) if self.adapts else theta - self.resolution
        return in_range(in_range(h - below, *self.limits) / self.resolution, 0, 1)

    def after_reset(self, h: Tensor, spike: Tensor, theta: Tensor) -> Tensor:
        if self.reset == "soft":
            return in_range(h - in_range(spike * theta, *self.limits), *self.limits)
        return in_range(in_range(1 - spike, 0, 1) * h, *self.limits)

    def adapt(self, a: Tensor, spike: Tensor) -> Tensor:
        kept = fake_quant(self.adaptation_decay * a, *self.adaptation_limits)
        return fake_quant(kept + spike, *self.adaptation_limits)


@public
class QuantizedNeuron(SpikingLayer):
    """Neurons of any kind with membranes in 8 bits, as `keras_snnkd.models.quantize_aware` makes them.

    With ``Q(y)``, `y` rounded to whole steps ``R / 128`` and clipped to ``-R .. R - R/128``, and ``R = threshold 2^range_exponent``::

        h[t] = Q(Q((1 - leak) v[t-1]) + Q(x[t]))     decay_input=False;  Q(leak x[t]) with it
        s[t] = 1 if h[t] >= threshold else 0
        v[t] = 0 where s[t] else h[t]                reset="hard"
        v[t] = h[t] - threshold s[t]                 reset="soft"

    The file of integers computes the same numbers. Halves are rounded towards 0, the resting potential: runtimes differ there. A membrane
    of fewer than ``1 / (2 leak)`` steps does not decay further. The gradient passes the rounding unchanged, but not where it clips.

    Args:
        leak: ``k = dt / tau`` in 0..1.
        threshold: Membrane potential at which the neuron fires; `None` for an integrator, with ``R = 2^range_exponent``.
        reset: `"hard"` (to 0) or `"soft"` (subtract the threshold).
        decay_input: Whether the leak multiplies the input too.
        detach_reset: Whether the gradient stops at the reset.
        surrogate: Name or instance; see `keras_snnkd.surrogates`.
        adaptation: Rise of the threshold per spike, 0 for none; see `ALIF`.
        adaptation_decay: Factor by which the rise shrinks in one step.
        range_exponent: How many powers of two the range is above the threshold, at least 1 where there is one.
        return_state: Whether the state after the last step is returned too.

    Call arguments, returns, raises: as `LIF`.

    Example:
        >>> kd.neurons.QuantizedNeuron(leak=0.5)(keras.ops.ones((1, 4, 3)) * 0.7)[0, :, 0]  # 0, 1, 0, 1

    Source: fake quantization after Jacob et al. (CVPR 2018, arXiv:1712.05877); the grid around the threshold is ours.
    """

    def __init__(
        self,
        leak: float = 0.5,
        threshold: float | None = 1.0,
        reset: str = "hard",
        decay_input: bool = False,
        detach_reset: bool = True,
        surrogate: str | Surrogate = "atan",
        adaptation: float = 0.0,
        adaptation_decay: float = 0.0,
        range_exponent: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if threshold is not None and range_exponent < 1:
            raise ValueError(f"{self.name}: range_exponent must be at least 1, so that membranes reach the threshold, got {range_exponent}")
        self.range_exponent = range_exponent
        self.surrogate = surrogates.get(surrogate)
        self.dynamics = QuantizedDynamics(
            leak,
            threshold,
            reset,
            0.0,
            bool(decay_input),
            bool(detach_reset),
            self.surrogate,
            adaptation,
            adaptation_decay,
            membrane_range=(1.0 if threshold is None else threshold) * 2.0**range_exponent,
        )

    @classmethod
    def of(cls, layer: SpikingLayer, range_exponent: int, **changes: Any) -> "QuantizedNeuron":
        """The 8-bit twin of a layer of neurons of any kind, of the same name, with potentials counted from rest.

        Args:
            layer: A built layer; a learned leak is taken as it is.
            range_exponent: See this class.
            **changes: Other arguments than the layer's.

        Example:
            >>> QuantizedNeuron.of(keras_snnkd.neurons.LIF(tau=4.0), range_exponent=2)
        """
        dynamics: Any = layer.dynamics
        leak: Any = dynamics.leak if layer.leak is None else layer.leak
        arguments = {
            "leak": float(leak),
            "threshold": None if dynamics.threshold is None else dynamics.threshold - dynamics.v_reset,
            "reset": dynamics.reset,
            "decay_input": dynamics.decay_input,
            "detach_reset": dynamics.detach_reset,
            "surrogate": dynamics.surrogate or "atan",
            "adaptation": dynamics.adaptation,
            "adaptation_decay": dynamics.adaptation_decay,
            "name": layer.name,
            "dtype": "float32",
        }
        return cls(**{**arguments, **changes}, range_exponent=range_exponent)

    def step(self, inputs: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        dynamics: Any = self.dynamics
        ranges = [dynamics.limits, *([dynamics.adaptation_limits] if dynamics.adapts else [])]
        return super().step(inputs, [in_range(state, *limits) for state, limits in zip(states, ranges, strict=True)])

    def get_config(self) -> dict[str, Any]:
        own = ("leak", "threshold", "reset", "decay_input", "detach_reset", "adaptation", "adaptation_decay")
        return {
            **super().get_config(),
            **{name: getattr(self.dynamics, name) for name in own},
            "surrogate": surrogates.serialize(self.surrogate),
            "range_exponent": self.range_exponent,
        }
