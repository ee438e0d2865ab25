"""How the firing rate of a neuron changes with its mean current: the derivative that rate-based backpropagation takes for a neuron.

Where the current of every step grows by the same ``d``, the rate ``(1/T) sum of s[t]`` grows by ``e d``, with the eligibility ``e`` that
follows from the equations of `keras_snnkd.neurons.dynamics` and the surrogate's derivative ``f'``, going forward in time::

    charge   dh[t] = k + (1 - k) dv[t-1]                       decay_input=True
             dh[t] = 1 + (1 - k) dv[t-1]                       decay_input=False
    fire     ds[t] = f'(h[t] - theta[t]) (dh[t] - beta da[t-1])
    reset    dv[t] = (1 - s[t]) dh[t] + (r - h[t]) ds[t]       reset="hard"; the second term not if detached
             dv[t] = dh[t] - theta[t] ds[t] - s[t] beta da[t-1]  reset="soft"; the second term not if detached
    adapt    da[t] = rho da[t-1] + ds[t]
    e = (1/T) sum of ds[t]

A learned leak has one too, with ``dh[t] = x[t] - (v[t-1] - r) + ...`` or ``- (v[t-1] - r) + ...`` in place of the first term.

Source: Yu et al., NeurIPS 2024, arXiv:2410.11488. Its official code has a sigmoid surrogate and a soft reset that is detached, which are
checked against its numbers; hard resets, resets that are not detached, adaptation and learned leaks follow from its formula.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

from keras import ops

from keras_snnkd._types import Shape, Tensor
from keras_snnkd.neurons.dynamics import Dynamics, summed_to
from keras_snnkd.neurons.lanes import Lanes
from keras_snnkd.neurons.scan import _made, _Plan, state_dtype
from keras_snnkd.surrogates import Surrogate, step


@dataclasses.dataclass(frozen=True)
class Eligibility:
    """`Dynamics` whose state holds, beside the neuron's, its derivatives and the sums over time of the spikes and of their derivatives.

    Args:
        dynamics: The neuron's.
        learns_leak: Whether there is a second direction, that of the leak.
    """

    dynamics: Dynamics
    learns_leak: bool = False

    def given(self, learned: Sequence[Tensor]) -> Any:
        """The leak; see `Dynamics.given`."""
        return self.dynamics.given(learned)

    @property
    def directions(self) -> int:
        """How many derivatives there are: by the current, and by the leak."""
        return 1 + self.learns_leak

    @property
    def state_size(self) -> int:
        """Number of arrays in the state."""
        return self.dynamics.state_size * (1 + self.directions) + 1 + self.directions

    def initial_state(self, shape: Shape, dtype: str = "float32") -> tuple[Tensor, ...]:
        """The neuron's resting state, and zeros."""
        state = self.dynamics.initial_state(shape, dtype)
        return (*state, *(ops.zeros(shape, dtype) for _ in range(self.state_size - len(state))))

    def step(self, x: Tensor, state: tuple[Tensor, ...], leak: Any, fire: Any = None) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """One time step; see `Dynamics.step`."""
        size = self.dynamics.state_size
        before, derivatives, sums = state[:size], state[size : -1 - self.directions], state[-1 - self.directions :]
        output, h, after = self.dynamics.step(x, before, leak, fire)
        rows = [self.derivative(x, before, h, leak, derivatives[i * size : (i + 1) * size], i) for i in range(self.directions)]
        moved = [output, *(d_output for d_output, _ in rows)]
        more = [total + part for total, part in zip(sums, moved, strict=True)]
        return output, h, (*after, *(part for _, d_state in rows for part in d_state), *more)

    def derivative(
        self, x: Tensor, state: tuple[Tensor, ...], h: Tensor, leak: Any, d_state: tuple[Tensor, ...], direction: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The change of the output and of the state after the step, where the direction changes by 1 and the state before by `d_state`."""
        dynamics, surrogate = self.dynamics, cast(Surrogate, self.dynamics.surrogate)
        by_x, by_v, by_leak = dynamics.charge_adjoint(x, state[0], leak, ops.ones_like(h))  # element by element
        d_h = by_v * d_state[0] + (by_leak if direction else by_x)
        theta = dynamics.theta(state)
        spike = step(h - theta)
        d_theta = dynamics.adaptation * d_state[1] if dynamics.adapts else 0.0
        d_spike = surrogate.derivative(h - theta) * (d_h - d_theta)
        if dynamics.reset == "hard":
            d_v = (1 - spike) * d_h
            d_v = d_v if dynamics.detach_reset else d_v + (dynamics.v_reset - h) * d_spike
        else:
            d_v = d_h - spike * d_theta if dynamics.adapts else d_h
            d_v = d_v if dynamics.detach_reset else d_v - theta * d_spike
        return d_spike, (d_v, dynamics.adaptation_decay * d_state[1] + d_spike) if dynamics.adapts else (d_v,)


@dataclasses.dataclass(frozen=True)
class _RatePlan(_Plan):
    """A plan whose dynamics are an `Eligibility`; of the last state it hands on the means alone."""

    dynamics: Any

    def rates(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Spikes `[B, T, ...]`, and `[B, ...]` each the rate and the eligibilities."""
        return self.means(tensors, self.forward(*tensors))

    def rates_in_chunks(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`rates` by a chain of kernels."""
        return self.means(tensors, self.forward_in_chunks(*tensors))

    def means(self, tensors: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Spikes and the means over time of what the last state sums up."""
        spikes, *state = outputs
        steps = self.repeats or tensors[0].shape[1]
        sums = state[-1 - self.dynamics.directions :]
        return (spikes, *(ops.cast(total / steps, self.dtype) for total in sums))


def has_eligibility(dynamics: Dynamics) -> bool:
    """Whether the equations above are those of a neuron: it fires, and has no others."""
    return dynamics.threshold is not None and type(dynamics).step_adjoint is Dynamics.step_adjoint


def on_rates(dynamics: Dynamics, lanes: Lanes, learned: Sequence[Tensor] = (), dtype: str | None = None) -> Lanes:
    """Neurons over the time steps of one lane, and their rates, with the gradient of the eligibility, in the other.

    Args:
        dynamics: The neuron, which has an eligibility.
        lanes: Currents, T known.
        learned: As for `scan`.
        dtype: Of the spikes and rates.

    Returns:
        Spikes `[B, T, ...]` and rates `[B, ...]`.
    """
    made = _made(lanes.sequence)
    repeats = lanes.sequence.shape[1] if made.repeated else None
    plan = _RatePlan(
        Eligibility(dynamics, bool(learned)), repeats, bool(made.scale_and_shift), len(learned), False, True, dtype or lanes.mean.dtype
    )
    tensors = map(ops.stop_gradient, (made.source, *made.scale_and_shift, *learned))
    spikes, rate, *eligibilities = map(ops.stop_gradient, plan.run("rates", *tensors))

    return Lanes(spikes, _with_eligibility(rate, [lanes.mean, *learned], eligibilities))


def _with_eligibility(rate: Tensor, sources: Sequence[Tensor], eligibilities: Sequence[Tensor]) -> Tensor:
    """`rate`, whose gradient goes to each source by its eligibility."""

    @ops.custom_gradient
    def run(rate: Tensor, *tensors: Tensor) -> Any:
        sources, eligibilities = tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :]

        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            upstream = args[0] if upstream is None else upstream
            dtype = state_dtype(upstream.dtype)
            moved = [ops.cast(upstream, dtype) * ops.cast(eligibility, dtype) for eligibility in eligibilities]
            g_sources = [ops.cast(summed_to(g, source), source.dtype) for g, source in zip(moved, sources, strict=True)]
            return (ops.zeros_like(rate), *g_sources, *map(ops.zeros_like, eligibilities))

        return rate, grad

    return run(rate, *sources, *eligibilities)
