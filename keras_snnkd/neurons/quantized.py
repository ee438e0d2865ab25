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


MOST_LEFT_OUT = 6
"""Low bits of eight that arithmetic may leave out: the sign and one more are left."""


def check_left_out(name: str, bits: object, range_exponent: int = 1, layer: str = "") -> None:
    """Raise a `ValueError` for a number of low bits that arithmetic cannot leave out.

    Args:
        name: Of the setting.
        bits: Its value.
        range_exponent: Of the neurons; their threshold has to be a whole step of what is left.
        layer: Their name.
    """
    most = max(0, min(MOST_LEFT_OUT, 7 - max(range_exponent, 1)))
    if isinstance(bits, bool) or not isinstance(bits, int) or not 0 <= bits <= most:
        where = f"{layer}: " if layer else ""
        raise ValueError(f"{where}{name} is how many low bits the arithmetic leaves out, a whole number from 0 to {most}, got {bits!r}")


@dataclasses.dataclass(frozen=True)
class QuantizedDynamics(Dynamics):
    """`Dynamics` on a grid: potentials are whole steps ``R / 128`` in ``-R .. R - R/128``.

    With the rounding ``Q_b`` to whole ``2^b`` steps, the low bits ``a`` that an approximate adder leaves out and those ``m`` of an
    approximate multiplier, the charge becomes ``h[t] = Q_0(Q_max(a, m)((1 - k) v[t-1]) + Q_a(k x[t]))`` (or ``Q_a(x[t])``). Threshold and
    resting potential are on the grid, so that the comparison and both resets are exact in integers.

    Args:
        membrane_range: ``R``, the threshold times a power of two.
        adder_bits: ``a``, 0 for an exact adder.
        multiplier_bits: ``m``, 0 for an exact multiplier.
    """

    membrane_range: float = 2.0
    adder_bits: int = 0
    multiplier_bits: int = 0

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

    def operand(self, bits: int) -> tuple[float, float]:
        """The range of 8 bits whose steps are ``2^bits`` steps of the membrane: what arithmetic without these low bits sees."""
        low, high = self.limits
        return low * 2**bits, high * 2**bits

    @property
    def product_bits(self) -> int:
        """The low bits that are missing where the product with the leak is added."""
        return max(self.adder_bits, self.multiplier_bits)

    @property
    def kept(self) -> float:
        """What the leak leaves of a potential in one step."""
        exact = not (self.leak or self.product_bits)
        return 1.0 if exact else (1 - (self.leak or 0.0)) * HALF_ROUNDS_TO_REST

    @property
    def gain(self) -> float:
        """The factor of the current."""
        factor = float(self.leak or 0.0) if self.decay_input else 1.0
        return factor * HALF_ROUNDS_TO_REST if self.adder_bits else factor

    def initial_state(self, shape: Shape, dtype: str = "float32") -> tuple[Tensor, ...]:
        """The resting state; one zero that stands for all where a file is written, which would hold each of them."""
        return super().initial_state((1,) * len(shape) if exporting() else shape, dtype)

    def charge(self, x: Tensor, v: Tensor, leak: Tensor) -> Tensor:
        return fake_quant(self._sum(x, v), *self.limits)

    def _sum(self, x: Tensor, v: Tensor) -> Tensor:
        driven = fake_quant(x if self.gain == 1 else x * self.gain, *self.operand(self.adder_bits))
        return (v if self.kept == 1 else fake_quant(v * self.kept, *self.operand(self.product_bits))) + driven

    def charge_adjoint(self, x: Tensor, v: Tensor, leak: Tensor, g_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g_h = g_h * inside(self._sum(x, v), *self.limits)
        driven = inside(x * self.gain, *self.operand(self.adder_bits))
        return g_h * self.gain * driven, g_h * self.kept, None  # the leak is a constant

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

    With `adder_bits` ``a`` and `multiplier_bits` ``m``, the arithmetic of the charge is approximate: it sees whole ``2^b`` steps, so that
    its low bits need no circuit::

        h[t] = Q(Q_max(a, m)((1 - leak) v[t-1]) + Q_a(x[t])),  Q_b(y) = 2^b R/128 round(128 y / (2^b R))

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
        adder_bits: Low bits that the adder leaves out, from 0 to ``7 - range_exponent``, with which the threshold is a whole step.
        multiplier_bits: Those that the multiplier of the leak leaves out, likewise.
        return_state: Whether the state after the last step is returned too.

    Call arguments, returns, raises: as `LIF`.

    Example:
        >>> kd.neurons.QuantizedNeuron(leak=0.5)(keras.ops.ones((1, 4, 3)) * 0.7)[0, :, 0]  # 0, 1, 0, 1

    Source: fake quantization after Jacob et al. (CVPR 2018, arXiv:1712.05877); the grid around the threshold is ours. Neurons of
    approximate adders and multipliers: Siddique and Hoque (TCAD 2024, doi:10.1109/TCAD.2023.3327093); truncation is the kind that is
    exact in a file of integers.
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
        adder_bits: int = 0,
        multiplier_bits: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if threshold is not None and range_exponent < 1:
            raise ValueError(f"{self.name}: range_exponent must be at least 1, so that membranes reach the threshold, got {range_exponent}")
        for name, bits in (("adder_bits", adder_bits), ("multiplier_bits", multiplier_bits)):
            check_left_out(name, bits, range_exponent, self.name)
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
            adder_bits=adder_bits,
            multiplier_bits=multiplier_bits,
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
        own = (
            "leak",
            "threshold",
            "reset",
            "decay_input",
            "detach_reset",
            "adaptation",
            "adaptation_decay",
            "adder_bits",
            "multiplier_bits",
        )
        return {
            **super().get_config(),
            **{name: getattr(self.dynamics, name) for name in own},
            "surrogate": surrogates.serialize(self.surrogate),
            "range_exponent": self.range_exponent,
        }
