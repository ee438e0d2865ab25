"""Charge, fire, reset: the equations of every neuron, one step forward and one step back.

With the membrane potential ``v``, the input current ``x``, the leak ``k = dt / tau`` and the resting potential ``r``::

    charge   h[t] = v[t-1] + k (x[t] - (v[t-1] - r))          decay_input=True
             h[t] = v[t-1] - k (v[t-1] - r) + x[t]            decay_input=False
    fire     s[t] = 1 if h[t] >= theta[t] else 0,             theta[t] = threshold + beta a[t-1]
    reset    v[t] = (1 - s[t]) h[t] + s[t] r                  reset="hard"
             v[t] = h[t] - s[t] theta[t]                      reset="soft" (r = 0)
    adapt    a[t] = rho a[t-1] + s[t]                         only where beta is not 0

`Dynamics.step` is one step, `Dynamics.step_adjoint` its derivative, written by hand for `scan`, which runs whole sequences. With upstream
gradients ``gs`` of the spikes, the carried ``gv``, ``ga`` (adjoints of ``v[t]``, ``a[t]``) and the surrogate's derivative ``f'``::

    hard     gs += ga + gv (r - h)  [not if detached],  gh = gv (1 - s)
    soft     gs += ga - gv theta    [not if detached],  gh = gv
    fire     gu  = gs f'(h - theta),                    gh += gu
    charge   gx  = k gh  or  gh,                        gv <- (1 - k) gh
             gk += sum gh (x - (v - r))  or  - gh (v - r)
    adapt    ga <- rho ga - beta gu - [soft] beta s gv
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras import ops

from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import unknown_name
from keras_snnkd.surrogates import Surrogate, step

RESETS = ("hard", "soft")

_EXPORT_SPIKES = {
    "floor": lambda u: ops.clip(ops.floor(u) + 1.0, 0.0, 1.0),
    "where": lambda u: ops.where(u >= 0.0, 1.0, 0.0),
}
_export_spike = None


@contextlib.contextmanager
def export_form(spike: str = "floor") -> Iterator[None]:
    """While it lasts, neurons are traced in plain operators without gradients, for converters.

    Args:
        spike: The operators of the step, with the same values. `"floor"`: clip(floor(u) + 1, 0, 1), which LiteRT's float kernels take
            whole; `"where"`: a comparison and a select, which stay integer in a fully quantized graph.
    """
    global _export_spike
    before, _export_spike = _export_spike, _EXPORT_SPIKES[spike]
    try:
        yield
    finally:
        _export_spike = before


def export_spike() -> Callable[[Tensor], Tensor] | None:
    """The operators of the step while neurons are traced for a converter, else `None`."""
    return _export_spike


def exporting() -> bool:
    """Whether neurons are being traced for a converter."""
    return _export_spike is not None


def exporting_integers() -> bool:
    """Whether they are traced for a file that computes in integers."""
    return _export_spike is _EXPORT_SPIKES["where"]


@dataclasses.dataclass(frozen=True)
class Dynamics:
    """The constants of one neuron model. See this module's equations.

    Args:
        leak: ``k = dt / tau`` in 0..1, 0 for none; `None` where it is learned and comes as a tensor.
        threshold: Firing threshold greater than 0; `None` for an integrator that never fires.
        reset: `"hard"` or `"soft"`.
        v_reset: Reset and resting potential of a hard reset.
        decay_input: Whether the leak multiplies the input too.
        detach_reset: Whether the gradient stops at the reset.
        surrogate: The derivative of the step.
        adaptation: Rise ``beta`` of the threshold per spike.
        adaptation_decay: Factor ``rho`` by which the rise shrinks in one step.

    Raises:
        ValueError: If a value is outside its range.
    """

    leak: float | None = 0.5
    threshold: float | None = 1.0
    reset: str = "hard"
    v_reset: float = 0.0
    decay_input: bool = True
    detach_reset: bool = True
    surrogate: Surrogate | None = None
    adaptation: float = 0.0
    adaptation_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.reset not in RESETS:
            raise unknown_name("reset", self.reset, RESETS)
        if self.reset == "soft" and self.v_reset != 0:
            raise ValueError(f"a soft reset subtracts the threshold and takes no v_reset, got v_reset={self.v_reset}; use reset='hard'")
        if self.threshold is not None and not self.threshold > max(self.v_reset, 0):
            raise ValueError(f"threshold must be greater than 0 and than v_reset={self.v_reset}, got {self.threshold}")

    @property
    def adapts(self) -> bool:
        """Whether the state holds an adaptation beside the membrane potential."""
        return self.adaptation != 0

    @property
    def feeds_back(self) -> bool:
        """Whether the neurons' spikes are currents of the next step, by weights that are the last of the learned tensors."""
        return False

    @property
    def resolution(self) -> float:
        """The step in which membrane potentials are kept; 0 for real numbers."""
        return 0.0

    @property
    def state_size(self) -> int:
        """Number of arrays in the state: the membrane potential, and the adaptation if there is one."""
        return 2 if self.adapts else 1

    def initial_state(self, shape: Shape, dtype: str = "float32") -> tuple[Tensor, ...]:
        """The resting state for neurons of `shape`."""
        return (ops.full(shape, self.v_reset, dtype), ops.zeros(shape, dtype))[: self.state_size]

    def given(self, learned: Sequence[Tensor]) -> Tensor:
        """What `step` and `step_adjoint` take as `leak`, from the tensors that are learned: the leak, or nothing."""
        return learned[0] if learned else self.leak

    def above_rest(self, v: Tensor) -> Tensor:
        """``v - r``."""
        return v - self.v_reset if self.v_reset else v

    def charge(self, x: Tensor, v: Tensor, leak: Tensor) -> Tensor:
        """The membrane potential before the reset, ``h``."""
        if self.decay_input:
            return v + (x - self.above_rest(v)) * leak
        return v - self.above_rest(v) * leak + x if self.leak != 0 else v + x

    def charge_adjoint(self, x: Tensor, v: Tensor, leak: Tensor, g_h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of the charge's arguments, that of the leak element by element, for the gradient ``gh``."""
        above = self.above_rest(v)
        g_x, g_leak = (g_h * leak, g_h * (x - above)) if self.decay_input else (g_h, -g_h * above)
        return g_x, g_h * (1 - leak), g_leak

    def feedback_adjoint(self, potentials: Tensor, g_currents: Tensor) -> Tensor:
        """The gradient of the weights by which spikes come back, where they do.

        Args:
            potentials: Those before the reset, before each step, `[B, T, ..., C]`.
            g_currents: Gradients of each step's currents, `[B, T, ..., C]`.

        Returns:
            `[C, C]`.
        """
        raise NotImplementedError

    def theta(self, state: Sequence[Tensor]) -> Tensor:
        """The threshold in this state."""
        return self.threshold + self.adaptation * state[1] if self.adapts else self.threshold

    def fire(self, h: Tensor, theta: Tensor, spike: Callable[[Tensor], Tensor]) -> Tensor:
        """Spikes, made by the function `spike` of ``h - theta``."""
        return spike(h - theta)

    def after_reset(self, h: Tensor, spike: Tensor, theta: Tensor) -> Tensor:
        """The membrane potential after the reset."""
        if self.reset == "soft":
            return h - spike * theta
        kept = (1 - spike) * h
        return kept + spike * self.v_reset if self.v_reset else kept

    def adapt(self, a: Tensor, spike: Tensor) -> Tensor:
        """The adaptation after the step, ``a``."""
        return self.adaptation_decay * a + spike

    def step(
        self, x: Tensor, state: Sequence[Tensor], leak: Tensor, fire: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """One time step.

        Args:
            x: Input current, `[...]`.
            state: Tuple of `state_size` arrays `[...]`.
            leak: ``k``, a number, or a tensor that broadcasts over the last axes of `x`.
            fire: What turns ``h - theta`` into spikes; the surrogate by default.

        Returns:
            The output `[...]` (spikes, or the membrane potential where there is no threshold), the potential before the reset, and the
            new state.
        """
        h = self.charge(x, state[0], leak)
        if self.threshold is None:
            return h, h, (h,)
        theta = self.theta(state)
        spike_of: Any = _export_spike or fire or self.surrogate
        spike = self.fire(h, theta, spike_of)
        reset = ops.stop_gradient(spike) if self.detach_reset else spike
        state_after: tuple[Tensor, ...] = (self.after_reset(h, reset, theta),)
        if self.adapts:
            state_after += (self.adapt(state[1], spike),)
        return spike, h, state_after

    def step_adjoint(
        self, x: Tensor, state: Sequence[Tensor], h: Tensor, leak: Tensor, g_output: Tensor, g_state: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """The step's derivative, backward.

        Args:
            x: Input current of the step.
            state: State before the step.
            h: Potential before the reset.
            leak: As in `step`.
            g_output: Gradient of the output.
            g_state: Gradients of the state after the step.

        Returns:
            The gradients of the current, of the state before, and a tuple of those of the learned tensors (see `given`), but for the
            weights by which spikes come back, whose gradient is that of all steps at once.
        """
        g_v = g_state[0]
        if self.threshold is None:
            g_h = g_output + g_v
        else:
            theta = self.theta(state)
            spike = step(h - theta)
            hard = self.reset == "hard"
            g_spike = g_output + g_state[1] if self.adapts else g_output
            if not self.detach_reset:
                g_spike = g_spike + g_v * (self.v_reset - h if hard else -theta)
            assert self.surrogate is not None
            g_u = g_spike * self.surrogate.derivative(h - theta)
            g_h = g_u + (g_v * (1 - spike) if hard else g_v)
        g_x, g_v_before, g_leak = self.charge_adjoint(x, state[0], leak, g_h)
        g_learned = (summed_to(g_leak, leak),) if self.leak is None else ()
        if not self.adapts:
            return g_x, (g_v_before,), g_learned
        g_a = self.adaptation_decay * g_state[1] - self.adaptation * g_u
        return g_x, (g_v_before, g_a if hard else g_a - self.adaptation * spike * g_v), g_learned


def summed_to(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The gradient of a parameter that was broadcast over the first axes, from that of each use."""
    return ops.sum(gradient, axis=tuple(range(len(gradient.shape) - len(parameter.shape))))
