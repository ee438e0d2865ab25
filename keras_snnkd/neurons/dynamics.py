"""Charge, fire, reset: the equations of every neuron, and the scan over time with its hand-written adjoint.

With the membrane potential ``v``, the input current ``x``, the leak ``k = dt / tau`` and the resting potential ``r``::

    charge   h[t] = v[t-1] + k (x[t] - (v[t-1] - r))          decay_input=True
             h[t] = v[t-1] - k (v[t-1] - r) + x[t]            decay_input=False
    fire     s[t] = 1 if h[t] >= theta[t] else 0,             theta[t] = threshold + beta a[t-1]
    reset    v[t] = (1 - s[t]) h[t] + s[t] r                  reset="hard"
             v[t] = h[t] - s[t] theta[t]                      reset="soft" (r = 0)
    adapt    a[t] = rho a[t-1] + s[t]                         only where beta is not 0

`Dynamics.step` is one step for automatic differentiation; `scan` runs a whole sequence in one custom gradient. Its backward pass keeps
nothing but the inputs: it runs the charge again and then goes back in time. With upstream gradients ``gs`` of the spikes and the carried
``gv``, ``ga`` (adjoints of ``v[t]``, ``a[t]``), and the surrogate's derivative ``f'``::

    hard     gs += ga + gv (r - h)  [not if detached],  gh = gv (1 - s)
    soft     gs += ga - gv theta    [not if detached],  gh = gv
    fire     gu  = gs f'(h - theta),                    gh += gu
    charge   gx  = k gh  or  gh,                        gv <- (1 - k) gh
             gk += sum gh (x - (v - r))  or  - gh (v - r)
    adapt    ga <- rho ga - beta gu - [soft] beta s gv
"""

import contextlib
import dataclasses
import functools

import keras
from keras import ops

from keras_snnkd.surrogates import Surrogate, step

UNROLL_LIMIT = 16
"""Sequences up to this length are unrolled and compiled, longer ones run in a while-loop: compilation time grows faster than T."""

RESETS = ("hard", "soft")

_EXPORT_SPIKES = {
    "floor": lambda u: ops.clip(ops.floor(u) + 1.0, 0.0, 1.0),
    "where": lambda u: ops.where(u >= 0.0, 1.0, 0.0),
}
_export_spike = None


@contextlib.contextmanager
def export_form(spike: str = "floor"):
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

    def __post_init__(self):
        if self.reset not in RESETS:
            raise ValueError(f"reset must be one of {', '.join(map(repr, RESETS))}, got {self.reset!r}")
        if self.reset == "soft" and self.v_reset != 0:
            raise ValueError(f"a soft reset subtracts the threshold and takes no v_reset, got v_reset={self.v_reset}; use reset='hard'")
        if self.threshold is not None and not self.threshold > max(self.v_reset, 0):
            raise ValueError(f"threshold must be greater than 0 and than v_reset={self.v_reset}, got {self.threshold}")

    @property
    def adapts(self) -> bool:
        """Whether the state holds an adaptation beside the membrane potential."""
        return self.adaptation != 0

    @property
    def state_size(self) -> int:
        """Number of arrays in the state: the membrane potential, and the adaptation if there is one."""
        return 2 if self.adapts else 1

    def initial_state(self, shape, dtype="float32"):
        """The resting state for neurons of `shape`."""
        return (ops.full(shape, self.v_reset, dtype), ops.zeros(shape, dtype))[: self.state_size]

    def above_rest(self, v):
        """``v - r``."""
        return v - self.v_reset if self.v_reset else v

    def charge(self, x, v, leak):
        """The membrane potential before the reset, ``h``."""
        if self.decay_input:
            return v + (x - self.above_rest(v)) * leak
        return v - self.above_rest(v) * leak + x if self.leak != 0 else v + x

    def theta(self, state):
        """The threshold in this state."""
        return self.threshold + self.adaptation * state[1] if self.adapts else self.threshold

    def after_reset(self, h, spike, theta):
        """The membrane potential after the reset."""
        if self.reset == "soft":
            return h - spike * theta
        kept = (1 - spike) * h
        return kept + spike * self.v_reset if self.v_reset else kept

    def step(self, x, state, leak, fire=None):
        """One time step.

        Args:
            x: Input current, `[...]`.
            state: Tuple of `state_size` arrays `[...]`.
            leak: ``k``, a number or a scalar tensor.
            fire: What turns ``h - theta`` into spikes; the surrogate by default.

        Returns:
            The output `[...]` (spikes, or the membrane potential where there is no threshold), the potential before the reset, and the
            new state.
        """
        h = self.charge(x, state[0], leak)
        if self.threshold is None:
            return h, h, (h,)
        theta = self.theta(state)
        spike = (fire or _export_spike or self.surrogate)(h - theta)
        reset = ops.stop_gradient(spike) if self.detach_reset else spike
        state_after = (self.after_reset(h, reset, theta),)
        if self.adapts:
            state_after += (self.adaptation_decay * state[1] + spike,)
        return spike, h, state_after

    def step_adjoint(self, x, state, h, leak, g_output, g_state):
        """The step's derivative, backward.

        Args:
            x: Input current of the step.
            state: State before the step.
            h: Potential before the reset.
            leak: As in `step`.
            g_output: Gradient of the output.
            g_state: Gradients of the state after the step.

        Returns:
            The gradients of the current, of the state before, and, element by element, of the leak.
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
            g_u = g_spike * self.surrogate.derivative(h - theta)
            g_h = g_u + (g_v * (1 - spike) if hard else g_v)
        above = self.above_rest(state[0])
        g_x, g_leak = (g_h * leak, g_h * (x - above)) if self.decay_input else (g_h, -g_h * above)
        g_before = (g_h * (1 - leak),)
        if self.adapts:
            g_a = self.adaptation_decay * g_state[1] - self.adaptation * g_u
            g_before += (g_a if hard else g_a - self.adaptation * spike * g_v,)
        return g_x, g_before, g_leak


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
    plan = _Plan(
        dynamics, leak is not None, initial_state is not None, return_state, dtype or keras.backend.standardize_dtype(currents.dtype)
    )
    tensors = [currents, *([leak] if leak is not None else []), *(initial_state or ())]
    if _export_spike:
        outputs = plan.forward(*tensors)
    else:

        @ops.custom_gradient
        def run(*tensors):
            def grad(*args, upstream=None):
                upstream = args if upstream is None else upstream
                return plan.compiled("backward", *tensors, *upstream)

            return plan.compiled("forward", *tensors), grad

        outputs = run(*tensors)
    return (outputs[0], tuple(outputs[1:])) if return_state else outputs[0]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """One use of `scan`: which tensors come in and go out, forward and backward."""

    dynamics: Dynamics
    learned_leak: bool
    given_state: bool
    return_state: bool
    dtype: str

    def compiled(self, method, *tensors):
        if keras.backend.backend() != "tensorflow" or _eager() or not _unrolls(tensors[0]):
            return getattr(self, method)(*tensors)
        return _compile(self, method)(*tensors)

    def unpack(self, tensors):
        """Currents and states in the state's dtype, and the leak."""
        currents, *rest = tensors
        dtype = state_dtype(currents.dtype)
        leak = ops.cast(rest.pop(0), dtype) if self.learned_leak else self.dynamics.leak
        if self.given_state:
            state = tuple(ops.cast(part, dtype) for part in rest)
        else:
            shape = ops.shape(currents)
            state = self.dynamics.initial_state((shape[0], *shape[2:]), dtype)
        return currents, leak, state

    def forward(self, *tensors):
        currents, leak, state = self.unpack(tensors)

        def body(state, x):
            output, _, state = self.dynamics.step(ops.cast(x[0], state[0].dtype), state, leak, _export_spike or step)
            return state, (ops.cast(output, self.dtype),)

        state, (outputs,) = _over_time(body, state, [currents])
        return (outputs, *state) if self.return_state else (outputs,)

    def backward(self, *tensors):
        inputs = 1 + self.learned_leak + self.given_state * self.dynamics.state_size
        tensors, (g_outputs, *g_state) = tensors[:inputs], tensors[inputs:]
        currents, leak, state = self.unpack(tensors)
        dtype = state[0].dtype
        g_state = tuple(ops.cast(g, dtype) for g in g_state) or tuple(ops.zeros_like(part) for part in state)

        def charge_again(state, x):
            before = state
            _, h, state = self.dynamics.step(ops.cast(x[0], dtype), state, leak, step)
            return state, (h, *before)

        _, remembered = _over_time(charge_again, state, [currents], stack=False)

        def back(carry, xs):
            g_state, g_leak = carry
            x, g_output, h, *before = xs
            g_x, g_state, more = self.dynamics.step_adjoint(ops.cast(x, dtype), tuple(before), h, leak, ops.cast(g_output, dtype), g_state)
            return (g_state, g_leak + ops.sum(more) if self.learned_leak else g_leak), (ops.cast(g_x, currents.dtype),)

        (g_state, g_leak), (g_currents,) = _over_time(
            back, (g_state, ops.zeros((), dtype)), [currents, g_outputs, *remembered], reverse=True
        )
        gradients = (g_currents,)
        if self.learned_leak:
            gradients += (ops.cast(g_leak, tensors[1].dtype),)
        if self.given_state:
            gradients += tuple(ops.cast(g, t.dtype) for g, t in zip(g_state, tensors[-len(g_state) :], strict=True))
        return gradients if len(gradients) > 1 else gradients[0]


def _unrolls(currents):
    steps = currents.shape[1]
    return steps is not None and (steps <= UNROLL_LIMIT or _export_spike is not None)  # converters want no loops


def _over_time(body, carry, sequences, reverse=False, stack=True):
    """`body(carry, [x_t, ...]) -> carry, (y_t, ...)` for each step of `[B, T, ...]` sequences, or of lists of T arrays.

    Returns the last carry and the outputs, each `[B, T, ...]`, or as the caller will hand them back to this function if not `stack`.
    """
    if _unrolls(sequences[0]):
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
    return carry, [row.stack() for row in rows]


def state_dtype(dtype) -> str:
    """The dtype of the state of neurons whose currents have this one."""
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def _eager():
    import tensorflow as tf

    return tf.executing_eagerly()


@functools.cache
def _compile(plan, method):
    """The element-wise loop as one XLA kernel. Convolutions around it stay with the libraries that do them best."""
    import tensorflow as tf

    return tf.function(getattr(plan, method), jit_compile=True, autograph=False)
