"""Adaptive and recurrent neurons: their equations, one step forward and one step back.

With the membrane potential ``u`` before its reset, the adaptation ``w``, the current ``x``, and parameters for each neuron::

    fire        s[t] = 1 if u[t] > threshold else 0
    reset       v[t] = u[t] - threshold s[t]     reset="soft";   (1 - s[t]) u[t]     reset="hard"
    adapt       w[t] = beta w[t-1] + a u[t-1] + b s[t-1]          coupling="before_reset"
                w[t] = beta w[t-1] + a v[t-1] + b s[t-1]          coupling="symplectic"
    charge      u[t] = alpha v[t-1] + (1 - alpha) (x[t] + s[t-1] V - w[t])

The state is ``u`` and ``w``: the spikes of the step before are found again from ``u``. In `step_adjoint`, with the carried ``gu``, ``gw``
(adjoints of ``u[t]``, ``w[t]``), ``gs`` of the spikes ``s[t]``, ``f'`` the surrogate's derivative, and a dash for the step before::

    gu += gs f'(u - threshold),   gx = (1 - alpha) gu,   gw -= gx
    g alpha += gu (v' - u) / (1 - alpha),   g V += s'^T gx (of all steps at once),   g beta += gw w',   g a += gw (u' or v'),   g b += gw s'
    gv' = alpha gu [+ a gw, symplectic],   gs' = b gw + gx V^T [- threshold gv' or - u' gv', not if detached]
    gu' = gv' [(1 - s') gv', hard] [+ a gw, before_reset] + gs' f'(u' - threshold),   gw' = beta gw
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.neurons.dynamics import Dynamics, export_spike, summed_to
from keras_snnkd.surrogates import step

COUPLINGS = ("before_reset", "symplectic")


class Parameters(NamedTuple):
    """What is learned. One number for each neuron (index of the last axis), `[C]`; `V` is `[C, C]`, with a diagonal of zeros."""

    alpha: object
    beta: object = None
    a: object = None
    b: object = None
    V: object = None


@dataclasses.dataclass(frozen=True)
class AdaptiveDynamics(Dynamics):
    """`Dynamics` with an adaptation current, with recurrent synapses, or with both. See this module's equations.

    Args:
        coupling: What the adaptation couples to, one of `COUPLINGS`; `None` without adaptation.
        recurrent: Whether the neurons' spikes come back by ``V``.
    """

    coupling: str | None = None
    recurrent: bool = False

    @property
    def adapts(self) -> bool:
        return self.coupling is not None

    @property
    def feeds_back(self) -> bool:
        return self.recurrent

    @property
    def first_above(self) -> float:
        """The smallest potential at which the neuron fires."""
        return float(np.nextafter(np.float32(self.threshold), np.float32(np.inf)))

    def given(self, learned: Sequence[Tensor]) -> Tensor:
        count = 4 if self.adapts else 1
        adaptation = dict(zip(("alpha", "beta", "a", "b"), learned[:count], strict=False))
        return Parameters(**adaptation, V=learned[count] if self.recurrent else None)

    def theta(self, state: Sequence[Tensor]) -> Tensor:
        return self.first_above

    def fire(self, h: Tensor, theta: Tensor, spike: Callable[[Tensor], Tensor]) -> Tensor:
        return spike(h - self.first_above)

    def after_reset(self, h: Tensor, spike: Tensor, theta: Tensor | None = None) -> Tensor:
        return super().after_reset(h, spike, self.threshold)

    def step(
        self, x: Tensor, state: Sequence[Tensor], given: Any, fire: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        spike_of: Any = export_spike() or fire or self.surrogate
        u = state[0]
        spike = self.fire(u, None, spike_of)
        v = self.after_reset(u, ops.stop_gradient(spike) if self.detach_reset else spike)
        current = x + ops.matmul(spike, given.V) if self.recurrent else x
        after: tuple[Tensor, ...] = ()
        if self.adapts:
            after = (given.beta * state[1] + given.a * self._coupled(u, v) + given.b * spike,)
            current = current - after[0]
        u = given.alpha * v + (1 - given.alpha) * current
        return self.fire(u, None, spike_of), u, (u, *after)

    def step_adjoint(
        self, x: Tensor, state: Sequence[Tensor], h: Tensor, given: Any, g_output: Tensor, g_state: Sequence[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...], Any]:
        assert self.surrogate is not None
        u = state[0]
        spike = step(u - self.first_above)
        v = self.after_reset(u, spike)
        g_u = g_state[0] + g_output * self.surrogate.derivative(h - self.first_above)
        g_x = (1 - given.alpha) * g_u
        g_v = given.alpha * g_u
        g_learned = [summed_to(g_u * (v - h) / (1 - given.alpha), given.alpha)]
        g_spike, g_coupled = 0.0, 0.0
        before: tuple[Tensor, ...] = ()
        if self.adapts:
            g_w = g_state[1] - g_x
            before = (given.beta * g_w,)
            terms = (g_w * state[1], g_w * self._coupled(u, v), g_w * spike)
            g_learned += [summed_to(term, given.beta) for term in terms]
            g_coupled = given.a * g_w
            g_spike = given.b * g_w
        if self.recurrent:
            g_spike = g_spike + ops.matmul(g_x, ops.transpose(given.V))
        if self.coupling == "symplectic":
            g_v = g_v + g_coupled
        hard = self.reset == "hard"
        if not self.detach_reset:
            g_spike = g_spike - g_v * (u if hard else self.threshold)
        g_u = g_v * (1 - spike) if hard else g_v
        if self.coupling == "before_reset":
            g_u = g_u + g_coupled
        g_u = g_u + g_spike * self.surrogate.derivative(u - self.first_above)
        return g_x, (g_u, *before), tuple(g_learned)

    def feedback_adjoint(self, potentials: Tensor, g_currents: Tensor) -> Tensor:
        channels = potentials.shape[-1]
        spikes = step(potentials - self.first_above)
        return ops.matmul(ops.transpose(ops.reshape(spikes, (-1, channels))), ops.reshape(g_currents, (-1, channels)))

    def _coupled(self, u: Tensor, v: Tensor) -> Tensor:
        return v if self.coupling == "symplectic" else u
