"""The scan over time: neurons over a whole sequence, in one custom gradient.

Its backward pass keeps nothing but the inputs: it runs the charge again and then goes back in time by `Dynamics.step_adjoint`. Inside a
TensorFlow graph a sequence of up to `UNROLL_LIMIT` steps becomes one compiled kernel forward and one backward, which read and write each
number once; where the currents are known to be a scaled or repeated tensor (`keras_snnkd.neurons.currents`), they are made in there too.
"""

import dataclasses
import functools

import keras
from keras import ops

from keras_snnkd.neurons.currents import Currents, currents_of, in_tensorflow_graph
from keras_snnkd.neurons.dynamics import Dynamics, exporting
from keras_snnkd.neurons.recompute import note_again
from keras_snnkd.surrogates import step

UNROLL_LIMIT = 16
"""Sequences up to this length are unrolled and compiled, longer ones run in a while-loop: compilation time grows faster than T."""


def scan(dynamics: Dynamics, currents, leak=None, initial_state=None, return_state: bool = False, dtype: str | None = None):
    """Run neurons over a sequence; differentiable by the hand-written adjoint.

    Args:
        dynamics: The neuron.
        currents: `[B, T, ...]`.
        leak: Scalar tensor, only where `dynamics.leak` is `None`.
        initial_state: Tuple of `[B, ...]` arrays; the resting state by default.
        return_state: Whether the state after the last step is wanted.
        dtype: Of the outputs; that of the currents by default. The state is float32 (float64 for float64 currents).

    Returns:
        Outputs `[B, T, ...]` and, if wanted, the tuple of states `[B, ...]`.
    """
    made = currents_of(currents) if _compiles(currents) else Currents(currents, currents)
    plan = _Plan(
        dynamics,
        currents.shape[1] if made.repeated else None,
        bool(made.scale_and_shift),
        leak is not None,
        initial_state is not None,
        return_state,
        dtype or keras.backend.standardize_dtype(currents.dtype),
    )
    known = () if made.source is made.target else (made.source,)  # constants for the gradient
    parameters = [*([leak] if leak is not None else []), *(initial_state or ())]
    if exporting():
        outputs = plan.forward(currents, *parameters)
    else:

        @ops.custom_gradient
        def run(target, *parameters):
            tensors = [*(known or (target,)), *made.scale_and_shift, *parameters]

            def grad(*args, upstream=None):
                upstream = keras.tree.flatten(args if upstream is None else upstream)  # JAX gives one tuple, TensorFlow each by itself
                return plan.run("backward", *tensors, *upstream)

            return plan.run("forward", *tensors), grad

        outputs = run(made.target, *parameters)
        note_again(outputs[0], lambda: plan.run("forward", made.source, *made.scale_and_shift, *parameters)[0])
    return (outputs[0], tuple(outputs[1:])) if return_state else outputs[0]


def charge(dynamics: Dynamics, currents, leak=None):
    """The membrane potentials before the reset, `[B, T, ...]`, of neurons that start at rest.

    Differentiated by the backend, step by step: the adjoint of `scan` knows the spikes alone.

    Args:
        dynamics: The neuron.
        currents: `[B, T, ...]`.
        leak: Scalar tensor, only where `dynamics.leak` is `None`.
    """
    dtype = state_dtype(currents.dtype)
    leak = dynamics.leak if leak is None else ops.cast(leak, dtype)
    shape = ops.shape(currents)

    def body(state, x):
        _, h, state = dynamics.step(ops.cast(x[0], dtype), state, leak)
        return state, (h,)

    steps = ops.unstack(currents, axis=1) if _unrolls(currents) else currents
    return _over_time(body, dynamics.initial_state((shape[0], *shape[2:]), dtype), [steps])[1][0]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One use of `scan`: which tensors come in and go out, forward and backward."""

    dynamics: Dynamics
    repeats: int | None
    scaled: bool
    learned_leak: bool
    given_state: bool
    return_state: bool
    dtype: str

    def run(self, method, *tensors):
        """`forward` or `backward`, compiled where that is possible."""
        if self.repeats or self.scaled or _compiles(tensors[0]):
            return _compile(self, method)(*tensors)
        return getattr(self, method)(*tensors)

    def unpack(self, tensors):
        """Currents as `[B, T, ...]` or a list of T arrays, the leak, and the state in its dtype."""
        source, *rest = tensors
        dtype = state_dtype(source.dtype)
        scale, shift = (rest.pop(0), rest.pop(0)) if self.scaled else (None, None)
        leak = ops.cast(rest.pop(0), dtype) if self.learned_leak else self.dynamics.leak
        if self.given_state:
            state = tuple(ops.cast(part, dtype) for part in rest)
        else:
            shape = ops.shape(source)
            state = self.dynamics.initial_state((shape[0], *shape[1 if self.repeats else 2 :]), dtype)

        def current(x):
            x = ops.cast(x, dtype)
            return x * scale + shift if self.scaled else x

        if self.repeats:
            return [current(source)] * self.repeats, leak, state
        return [current(x) for x in ops.unstack(source, axis=1)] if _unrolls(source) else source, leak, state

    def forward(self, *tensors):
        currents, leak, state = self.unpack(tensors)

        def body(state, x):
            output, _, state = self.dynamics.step(ops.cast(x[0], state[0].dtype), state, leak, step)
            return state, (ops.cast(output, self.dtype),)

        state, (outputs,) = _over_time(body, state, [currents])
        return (outputs, *state) if self.return_state else (outputs,)

    def backward(self, *tensors):
        inputs = 1 + 2 * self.scaled + self.learned_leak + self.given_state * self.dynamics.state_size
        tensors, (g_outputs, *g_state) = tensors[:inputs], tensors[inputs:]
        currents, leak, state = self.unpack(tensors)
        dtype = state[0].dtype
        g_state = tuple(ops.cast(g, dtype) for g in g_state) or tuple(ops.zeros_like(part) for part in state)

        def charge_again(state, x):
            before = state
            _, h, state = self.dynamics.step(ops.cast(x[0], dtype), state, leak, step)
            return state, (h, *before)

        _, remembered = _over_time(charge_again, state, [currents], stack=False)
        kept = dtype if self.repeats else tensors[0].dtype  # summed over time before it is rounded

        def back(carry, xs):
            g_state, g_leak = carry
            x, g_output, h, *before = xs
            g_x, g_state, more = self.dynamics.step_adjoint(ops.cast(x, dtype), tuple(before), h, leak, ops.cast(g_output, dtype), g_state)
            return (g_state, g_leak + ops.sum(more) if self.learned_leak else g_leak), (ops.cast(g_x, kept),)

        (g_state, g_leak), (g_currents,) = _over_time(
            back, (g_state, ops.zeros((), dtype)), [currents, g_outputs, *remembered], reverse=True, stack=not self.repeats
        )
        gradients = (ops.cast(sum(g_currents), tensors[0].dtype) if self.repeats else g_currents,)
        if self.learned_leak:
            gradients += (ops.cast(g_leak, tensors[1 + 2 * self.scaled].dtype),)
        if self.given_state:
            gradients += tuple(ops.cast(g, t.dtype) for g, t in zip(g_state, tensors[-len(g_state) :], strict=True))
        return gradients if len(gradients) > 1 else gradients[0]


def _unrolls(currents):
    steps = currents.shape[1]
    return steps is not None and (steps <= UNROLL_LIMIT or exporting())  # converters want no loops


def _compiles(currents):
    return in_tensorflow_graph() and _unrolls(currents) and not exporting()


def _over_time(body, carry, sequences, reverse=False, stack=True):
    """`body(carry, [x_t, ...]) -> carry, (y_t, ...)` for each step of `[B, T, ...]` sequences, or of lists of T arrays.

    Returns the last carry and the outputs, each `[B, T, ...]`, or as the caller will hand them back to this function if not `stack`.
    """
    if isinstance(sequences[0], list):
        columns = [x if isinstance(x, list) else ops.unstack(x, axis=1) for x in sequences]
        rows = []
        for xs in reversed(list(zip(*columns, strict=True))) if reverse else zip(*columns, strict=True):
            carry, ys = body(carry, xs)
            rows.append(ys)
        outputs = [list(ys) for ys in zip(*(rows[::-1] if reverse else rows), strict=True)]
        return carry, [ops.stack(ys, axis=1) for ys in outputs] if stack else outputs
    time_major = tuple(ops.moveaxis(x, 1, 0) for x in sequences)
    loop = _while_loop if keras.backend.backend() == "tensorflow" else ops.scan
    carry, outputs = loop(body, carry, time_major, reverse=reverse)
    return carry, [ops.moveaxis(y, 0, 1) for y in outputs]


def _while_loop(body, carry, sequences, reverse):
    """`ops.scan`, which on TensorFlow takes only outputs of the carry's structure, shapes and dtypes."""
    import tensorflow as tf

    steps = tf.shape(sequences[0])[0]

    def step_at(i, carry):
        at = steps - 1 - i if reverse else i
        carry, ys = body(carry, [x[at] for x in sequences])
        return at, carry, ys

    def one_more(i, carry, rows):
        at, carry, ys = step_at(i, carry)
        return i + 1, carry, tuple(row.write(at, y) for row, y in zip(rows, ys, strict=True))

    at, carry, ys = step_at(0, carry)  # the first step tells the shapes and dtypes of the outputs
    rows = tuple(tf.TensorArray(y.dtype, size=steps, element_shape=y.shape).write(at, y) for y in ys)
    _, carry, rows = tf.while_loop(lambda i, *_: i < steps, one_more, (1, carry, rows))
    return carry, [tf.ensure_shape(row.stack(), (sequences[0].shape[0], *y.shape)) for row, y in zip(rows, ys, strict=True)]


def state_dtype(dtype) -> str:
    """The dtype of the state of neurons whose currents have this one."""
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


@functools.cache
def _compile(plan, method):
    """The element-wise loop as one XLA kernel. Convolutions around it stay with the libraries that do them best."""
    import tensorflow as tf

    return tf.function(getattr(plan, method), jit_compile=True, autograph=False)
