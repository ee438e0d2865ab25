"""Batch normalization by given moments, those moments, and the gradient of both, in kernels that read each number as seldom as possible.

In a TensorFlow graph on CPUs every pass is compiled by XLA, for the instructions that the processor has. Sums over all axes but the last
are a loop over blocks of rows, whose accumulators stay in the cache: XLA's own column reductions go through memory once for each sum.
"""

import functools
import itertools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.neurons.currents import in_tensorflow_graph
from keras_snnkd.training import strategy

BLOCK = 64
"""Rows of `[..., C]` that are added up side by side, at most."""

PARTS = min(os.cpu_count() or 1, 8)
"""Loops that run at the same time, each over its part of the blocks: one loop keeps one core busy."""

Terms = Callable[..., tuple[Tensor, Tensor]]


def compiles() -> bool:
    """Whether passes are compiled: in a TensorFlow graph that will run on CPUs."""
    if not in_tensorflow_graph():
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over all axes but the last, in one pass; not differentiable.

    With the deviations ``d = x - c`` from the mean ``c`` of the first rows, so that the difference below loses no digits::

        mean = c + sum d / N,   variance = sum d^2 / N - (sum d / N)^2

    Args:
        x: `[B, ..., C]`, all sizes but B known.

    Returns:
        Float32, `[C]` each.
    """
    x = ops.stop_gradient(x)
    center = ops.mean(ops.cast(_blocks(x)[0], "float32"), axis=0)
    first, second = (total / _count(x) for total in _sums(_deviations, [x], [center]))
    return center + first, ops.maximum(second - first * first, 0.0)


def normalized(x: Tensor, beta: Tensor, gamma: Tensor, mean: Tensor, variance: Tensor, epsilon: float, of_batch: bool = True) -> Tensor:
    """``x`` normalized by given moments, with the gradient as if the moments were its own.

    ``y = gamma (x - mean) r + beta`` with ``r = 1 / sqrt(variance + epsilon)``; backward, with ``z = (x - mean) r``, N values per channel,
    and ``S0 = sum gy``, ``S1 = sum gy z``::

        gbeta = S0,   ggamma = S1,   gx = gamma r (gy - S0 / N - z S1 / N)

    Where the moments are those of `x`, that is batch normalization. Rate-based backpropagation gives a mean over time, and the moments of
    all time steps (Yu et al., NeurIPS 2024, arXiv:2410.11488, with its official code, where moments are replaced in value and not in
    derivative).

    Args:
        x: `[B, ..., C]`, all sizes but B known.
        beta, gamma: Float32, `[C]`.
        mean, variance: Float32, `[C]`.
        epsilon: See above.
        of_batch: Whether the moments are those of this batch, and not constants.

    Returns:
        `[B, ..., C]`, in the dtype of `x`.
    """
    r = ops.rsqrt(variance + epsilon)
    mean, r = ops.stop_gradient(mean), ops.stop_gradient(r)
    if not of_batch:
        return ops.cast((ops.cast(x, "float32") - mean) * (r * gamma) + beta, x.dtype)

    @ops.custom_gradient
    def run(x: Tensor, beta: Tensor, gamma: Tensor, mean: Tensor, r: Tensor) -> Any:
        scale = gamma * r
        value = _compiled(_scaled)(x, scale, beta - mean * scale)

        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            upstream = args[0] if upstream is None else upstream
            g_x, g_beta, g_gamma = _backward(x, gamma, mean, r, upstream)
            return g_x, g_beta, g_gamma, ops.zeros_like(mean), ops.zeros_like(r)

        return value, grad

    return run(x, ops.copy(beta), ops.copy(gamma), mean, r)  # of the variables' values


def _backward(x: Tensor, gamma: Tensor, mean: Tensor, r: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, beta and gamma."""
    s0, s1 = _sums(_gradient_terms, [x, upstream], [mean, r])
    of_all, count = strategy.sum_over_replicas([ops.stack([s0, s1]), _count(x)])
    scale = gamma * r
    by_x = -scale * r * of_all[1] / count
    return _compiled(_combined)(x, upstream, by_x, scale, -by_x * mean - scale * of_all[0] / count), s0, s1


def _deviations(x: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    d = x - center
    return d, d * d


def _gradient_terms(x: Tensor, g: Tensor, mean: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """What ``S0`` and ``S1`` are sums of, see `normalized`."""
    return g, g * ((x - mean) * r)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return ops.cast(ops.cast(x, "float32") * scale + shift, x.dtype)


def _combined(x: Tensor, upstream: Tensor, by_x: Tensor, by_upstream: Tensor, shift: Tensor) -> Tensor:
    return ops.cast(ops.cast(x, "float32") * by_x + ops.cast(upstream, "float32") * by_upstream + shift, x.dtype)


def _count(x: Tensor) -> Tensor:
    """Values per channel."""
    return ops.cast(ops.size(x) // x.shape[-1], "float32")


def _rows(x: Tensor) -> int:
    """Rows `[C]` of a sample; 1 where that is not known."""
    return 1 if None in x.shape[1:-1] else math.prod(x.shape[1:-1])


def _block(x: Tensor) -> int:
    """Rows of a block: as many as there can be, up to `BLOCK`, where blocks fill a sample."""
    rows = _rows(x)
    return next(size for size in range(min(rows, BLOCK), 0, -1) if rows % size == 0)


def _blocks(x: Tensor) -> Tensor:
    """`[B, ..., C]` as `[blocks, rows, C]`."""
    return ops.reshape(x, (-1, _block(x), x.shape[-1]))


def _sums(terms: Terms, arrays: Sequence[Tensor], constants: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The sums over all axes but the last, float32 `[C]`, of the two terms that are made of arrays `[B, ..., C]` and constants `[C]`."""
    parts = min(PARTS, _rows(arrays[0]) // _block(arrays[0]))  # not more than a sample has blocks, so that none is empty
    arrays = [_blocks(array) for array in arrays]
    if not compiles():
        first, second = terms(*(ops.cast(array, "float32") for array in arrays), *constants)
        return ops.sum(first, axis=(0, 1)), ops.sum(second, axis=(0, 1))
    blocks = ops.shape(arrays[0])[0]
    bounds = [blocks * part // parts for part in range(parts + 1)]
    sums = [_loop(terms)([array[start:end] for array in arrays], constants) for start, end in itertools.pairwise(bounds)]
    first, second = (sum(of_parts) for of_parts in zip(*sums, strict=True))
    return first, second


@functools.cache
def _loop(terms: Terms) -> Callable[..., Any]:
    """The sums `[C]` over blocks `[blocks, rows, C]`, compiled."""
    import tensorflow as tf

    def run(arrays: Sequence[Tensor], constants: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        def body(index: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            more = terms(*(ops.cast(array[index], "float32") for array in arrays), *constants)
            return index + 1, first + more[0], second + more[1]

        blocks, zeros = ops.shape(arrays[0])[0], ops.zeros(arrays[0].shape[1:])
        _, first, second = ops.while_loop(lambda index, *_: index < blocks, body, (0, zeros, zeros))
        return ops.sum(first, axis=0), ops.sum(second, axis=0)

    return tf.function(run, jit_compile=True, autograph=False)


def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function as one kernel, where passes are compiled."""
    return _kernel(function) if compiles() else function


@functools.cache
def _kernel(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
