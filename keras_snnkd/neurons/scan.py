"""The scan over time: neurons over a whole sequence, in one custom gradient.

Its backward pass keeps nothing but the inputs: it runs the charge again and then goes back in time by `Dynamics.step_adjoint`. Inside a
TensorFlow graph a sequence of up to `KERNEL_LIMIT` steps becomes one compiled kernel forward and one backward, which read and write each
number once; where the currents are known to be a scaled or repeated tensor (`keras_snnkd.neurons.currents`), they are made in there too.
A longer sequence is a chain of such kernels, `CHUNK` steps each, and one of more than `CHAIN_LIMIT` steps a loop, compiled as a whole.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.neurons.currents import Currents, currents_of, in_tensorflow_graph
from keras_snnkd.neurons.dynamics import Dynamics, exporting
from keras_snnkd.neurons.loops import over_time
from keras_snnkd.neurons.recompute import note_again
from keras_snnkd.surrogates import step

UNROLL_LIMIT = 16
"""Sequences up to this length are unrolled, longer ones run in a while-loop: where all of a model is compiled, the time that takes grows
faster than T."""

KERNEL_LIMIT = 8
"""Sequences up to this length are one kernel in a TensorFlow graph."""

CHUNK = 4
"""Steps in a kernel of a longer sequence. XLA writes a kernel's outputs one after the other and runs all earlier steps again for each, so
that the work in a kernel grows with the square of its steps."""

CHAIN_LIMIT = 64
"""Sequences up to this length are a chain of kernels, with which the graph grows; longer ones one loop."""


def scan(
    dynamics: Dynamics,
    currents: Tensor,
    learned: Sequence[Tensor] = (),
    initial_state: Sequence[Tensor] | None = None,
    return_state: bool = False,
    dtype: str | None = None,
) -> Tensor | tuple[Tensor, tuple[Tensor, ...]]:
    """Run neurons over a sequence; differentiable by the hand-written adjoint.

    Args:
        dynamics: The neuron.
        currents: `[B, T, ...]`.
        learned: The tensors that `dynamics` takes instead of constants (`Dynamics.given`): of a learned leak, the leak.
        initial_state: Tuple of `[B, ...]` arrays; the resting state by default.
        return_state: Whether the state after the last step is wanted.
        dtype: Of the outputs; that of the currents by default. The state is float32 (float64 for float64 currents).

    Returns:
        Outputs `[B, T, ...]` and, if wanted, the tuple of states `[B, ...]`.
    """
    made = _made(currents)
    plan = _Plan(
        dynamics,
        currents.shape[1] if made.repeated else None,
        bool(made.scale_and_shift),
        len(learned),
        initial_state is not None,
        return_state,
        dtype or keras.backend.standardize_dtype(currents.dtype),
    )
    known = () if made.source is made.target else (made.source,)  # constants for the gradient
    parameters = [*learned, *(initial_state or ())]
    if exporting():
        outputs = plan.forward(made.source, *parameters)
    else:

        @ops.custom_gradient
        def run(target: Tensor, *parameters: Tensor) -> Any:
            tensors = [*(known or (target,)), *made.scale_and_shift, *parameters]

            def grad(*args: Any, upstream: Tensor | None = None) -> Any:
                upstream = keras.tree.flatten(args if upstream is None else upstream)  # JAX gives one tuple, TensorFlow each by itself
                g_target, *more = plan.run("backward", *tensors, *upstream)
                g_target = ops.cast(g_target, target.dtype)
                return (g_target, *more) if more else g_target

            return plan.run("forward", *tensors), grad

        outputs = run(made.target, *parameters)
        note_again(outputs[0], lambda: plan.run("forward", made.source, *made.scale_and_shift, *parameters)[0])
    return (outputs[0], tuple(outputs[1:])) if return_state else outputs[0]


def _made(currents: Tensor) -> Currents:
    """How the currents were made, as far as that is used: all of it in kernels, in a file that every step has the same ones."""
    if _compiles(currents) and currents.shape[1] <= CHAIN_LIMIT:
        return currents_of(currents)
    made = currents_of(currents) if exporting() else None
    if made and made.repeated:
        return Currents(made.target, made.target, repeated=True)
    return Currents(currents, currents)


def charge(dynamics: Dynamics, currents: Tensor, learned: Sequence[Tensor] = ()) -> Tensor:
    """The membrane potentials before the reset, `[B, T, ...]`, of neurons that start at rest.

    Differentiated by the backend, step by step: the adjoint of `scan` knows the spikes alone.

    Args:
        dynamics: The neuron.
        currents: `[B, T, ...]`.
        learned: As for `scan`.
    """
    dtype = state_dtype(currents.dtype)
    given = dynamics.given([ops.cast(tensor, dtype) for tensor in learned])
    shape = ops.shape(currents)

    def body(state: Sequence[Tensor], x: Tensor) -> tuple[Any, tuple[Tensor, ...]]:
        _, h, state = dynamics.step(ops.cast(x[0], dtype), state, given)
        return state, (h,)

    steps = ops.unstack(currents, axis=1) if _unrolls(currents) else currents
    return over_time(body, dynamics.initial_state((shape[0], *shape[2:]), dtype), [steps])[1][0]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One use of `scan`: which tensors come in and go out, forward and backward."""

    dynamics: Dynamics
    repeats: int | None
    scaled: bool
    learned: int
    given_state: bool
    return_state: bool
    dtype: str

    def run(self, method: str, *tensors: Tensor) -> Any:
        """`forward` or `backward`, compiled where that is possible."""
        if not (self.repeats or self.scaled or _compiles(tensors[0])):
            return getattr(self, method)(*tensors)
        if KERNEL_LIMIT < (self.repeats or tensors[0].shape[1]) <= CHAIN_LIMIT:
            return getattr(self, f"{method}_in_chunks")(*tensors)
        return _compile(self, method)(*tensors)

    def unpack(self, tensors: Sequence[Tensor]) -> tuple[Any, Sequence[Tensor], Sequence[Tensor]]:
        """Currents as `[B, T, ...]` or a list of T arrays, the learned tensors, and the state, both in its dtype."""
        source, *rest = tensors
        dtype = state_dtype(source.dtype)
        scale, shift = (rest.pop(0), rest.pop(0)) if self.scaled else (None, None)
        learned = [ops.cast(rest.pop(0), dtype) for _ in range(self.learned)]
        if self.given_state:
            state = tuple(ops.cast(part, dtype) for part in rest)
        else:
            shape = ops.shape(source)
            state = self.dynamics.initial_state((shape[0], *shape[1 if self.repeats else 2 :]), dtype)

        def current(x: Tensor) -> Tensor:
            x = ops.cast(x, dtype)
            return x * scale + shift if self.scaled else x

        if self.repeats:
            return [current(source)] * self.repeats, learned, state
        return [current(x) for x in ops.unstack(source, axis=1)] if _unrolls(source) else source, learned, state

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        currents, learned, state = self.unpack(tensors)
        given = self.dynamics.given(learned)

        def body(state: Sequence[Tensor], x: Tensor) -> tuple[Any, tuple[Tensor, ...]]:
            output, _, state = self.dynamics.step(ops.cast(x[0], state[0].dtype), state, given, step)
            return state, (ops.cast(output, self.dtype),)

        state, (outputs,) = over_time(body, state, [currents])
        return (outputs, *state) if self.return_state else (outputs,)

    def backward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs = 1 + 2 * self.scaled + self.learned + self.given_state * self.dynamics.state_size
        tensors, (g_outputs, *given_back) = tensors[:inputs], tensors[inputs:]
        currents, learned, state = self.unpack(tensors)
        given = self.dynamics.given(learned)
        dtype = state[0].dtype
        g_state = tuple(ops.cast(g, dtype) for g in given_back) or tuple(ops.zeros_like(part) for part in state)

        def charge_again(state: Sequence[Tensor], x: Tensor) -> tuple[Any, tuple[Tensor, ...]]:
            before = state
            _, h, state = self.dynamics.step(ops.cast(x[0], dtype), state, given, step)
            return state, (h, *before)

        _, remembered = over_time(charge_again, state, [currents], stack=False)
        feeds_back = self.dynamics.feeds_back
        kept = dtype if self.repeats or feeds_back else tensors[0].dtype  # summed over time before it is rounded

        def back(carry: Any, xs: Any) -> tuple[Any, tuple[Tensor, ...]]:
            g_state, g_learned = carry
            x, g_output, h, *before = xs
            g_x, g_state, more = self.dynamics.step_adjoint(ops.cast(x, dtype), tuple(before), h, given, ops.cast(g_output, dtype), g_state)
            g_learned = tuple(g + g_step for g, g_step in zip(g_learned, more, strict=True))
            return (g_state, g_learned), (ops.cast(g_x, kept),)

        (g_state, g_learned), (g_currents,) = over_time(
            back,
            (g_state, tuple(ops.zeros_like(tensor) for tensor in (learned[:-1] if feeds_back else learned))),
            [currents, g_outputs, *remembered],
            reverse=True,
            stack=not self.repeats,
        )
        parameters = tensors[1 + 2 * self.scaled :]
        if feeds_back:
            g_learned = (*g_learned, self.dynamics.feedback_adjoint(_stacked(remembered[1]), _stacked(g_currents)))
        gradients = (*g_learned, *(g_state if self.given_state else ()))
        return (sum(g_currents) if self.repeats else ops.cast(g_currents, tensors[0].dtype), *map(_cast_like, gradients, parameters))

    def last_state(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`forward` without outputs."""
        return dataclasses.replace(self, return_state=True).forward(*tensors)[1:]

    def forward_in_chunks(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`forward` by a chain of kernels that hand on the state."""
        pieces, _, state, _ = self.chunks(tensors)
        outputs = []
        for plan, piece in pieces:
            output, *state = _compile(plan, "forward")(*piece, *state)
            outputs.append(output)
        outputs = ops.concatenate(outputs, axis=1)
        return (outputs, *state) if self.return_state else (outputs,)

    def backward_in_chunks(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`backward` likewise, from the last kernel to the first; each starts from the state that comes in again by `last_state`."""
        pieces, sizes, state, (g_outputs, *g_state) = self.chunks(tensors)
        states = [state]
        for plan, piece in pieces[:-1]:
            states.append(_compile(plan, "last_state")(*piece, *states[-1]))
        g_state = g_state or [ops.zeros_like(part) for part in state]
        g_pieces: list[Tensor] = []
        g_learned: list[Sequence[Tensor]] = []
        for (plan, piece), before, g_output in reversed(list(zip(pieces, states, _split(g_outputs, sizes), strict=True))):
            g_piece, *more = _compile(plan, "backward")(*piece, *before, g_output, *g_state)
            g_pieces.insert(0, g_piece)
            g_learned.append(more[: self.learned])
            g_state = more[self.learned :]
        g_currents = sum(g_pieces) if self.repeats else ops.concatenate(g_pieces, axis=1)
        return (g_currents, *map(sum, zip(*g_learned, strict=True)), *(g_state if self.given_state else ()))

    def chunks(self, tensors: Sequence[Tensor]) -> tuple[list[Any], list[int], Sequence[Tensor], Sequence[Tensor]]:
        """Of each chunk the plan and its tensors up to the state; the chunks' sizes; the initial state; the upstream gradients."""
        count = 1 + 2 * self.scaled + self.learned
        (source, *constants), more = tensors[:count], tensors[count:]
        if self.given_state:
            state, upstream = more[: self.dynamics.state_size], more[self.dynamics.state_size :]
        else:
            state, upstream = self.unpack(tensors[:count])[2], more
        steps = self.repeats or source.shape[1]
        sizes = [min(CHUNK, steps - start) for start in range(0, steps, CHUNK)]
        sources = [source] * len(sizes) if self.repeats else _split(source, sizes)
        common = dataclasses.replace(self, given_state=True, return_state=True)
        plans = [dataclasses.replace(common, repeats=size if self.repeats else None) for size in sizes]
        return [(plan, [piece, *constants]) for plan, piece in zip(plans, sources, strict=True)], sizes, state, upstream


def _stacked(steps: Any) -> Tensor:
    """A list of T arrays `[B, ...]` as `[B, T, ...]`."""
    return ops.stack(steps, axis=1) if isinstance(steps, list) else steps


def _cast_like(gradient: Tensor, tensor: Tensor) -> Tensor:
    return ops.cast(gradient, tensor.dtype)


def _split(sequence: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """`[B, T, ...]` in pieces of these lengths."""
    import tensorflow as tf

    return tf.split(sequence, sizes, axis=1)


def _unrolls(currents: Tensor) -> bool:
    steps = currents.shape[1]
    return steps is not None and (steps <= UNROLL_LIMIT or exporting())  # converters want no loops


def _compiles(currents: Tensor) -> bool:
    return in_tensorflow_graph() and currents.shape[1] is not None and not exporting()


def state_dtype(dtype: Any) -> str:
    """The dtype of the state of neurons whose currents have this one."""
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


@functools.cache
def _compile(plan: "_Plan", method: str) -> Callable[..., Any]:
    """The element-wise loop as one XLA kernel. Convolutions around it stay with the libraries that do them best."""
    import tensorflow as tf

    return tf.function(getattr(plan, method), jit_compile=True, autograph=False)
