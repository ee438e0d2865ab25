"""Batch normalization of means over time, with moments that come from all time steps."""

from typing import Any

from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.training import strategy


def normalized_mean(
    x: Tensor, beta: Tensor, gamma: Tensor, mean: Tensor, variance: Tensor, epsilon: float, of_batch: bool = True
) -> Tensor:
    """The normalized mean over time, and its gradient as if the moments were its own.

    ``y = gamma (x - mean) r + beta`` with ``r = 1 / sqrt(variance + epsilon)``; backward, with ``z = (x - mean) r``, N values per channel,
    and ``S0 = sum gy``, ``S1 = sum gy z``::

        gbeta = S0,   ggamma = S1,   gx = gamma r (gy - S0 / N - z S1 / N)

    Args:
        x: Mean over time of what the moments are those of, `[B, ..., C]`.
        beta, gamma: Float32, `[C]`.
        mean, variance: Of all time steps, float32, `[C]`.
        epsilon: See above.
        of_batch: Whether the moments are those of this batch, and not constants.

    Returns:
        `[B, ..., C]`, in the dtype of `x`.

    Source: Yu et al., NeurIPS 2024, arXiv:2410.11488, with its official code, where moments are replaced in value and not in derivative.
    """
    r = ops.rsqrt(variance + epsilon)
    mean, r = ops.stop_gradient(mean), ops.stop_gradient(r)
    if not of_batch:
        return ops.cast((ops.cast(x, "float32") - mean) * (r * gamma) + beta, x.dtype)

    @ops.custom_gradient
    def run(x: Tensor, beta: Tensor, gamma: Tensor, mean: Tensor, r: Tensor) -> Any:
        scale = gamma * r
        value = ops.cast(ops.cast(x, "float32") * scale + (beta - mean * scale), x.dtype)

        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, ...]:
            upstream = args[0] if upstream is None else upstream
            g_x, g_beta, g_gamma = _backward(x, gamma, mean, r, upstream)
            return ops.cast(g_x, x.dtype), g_beta, g_gamma, ops.zeros_like(mean), ops.zeros_like(r)

        return value, grad

    return run(x, ops.copy(beta), ops.copy(gamma), mean, r)  # of the variables' values


def _backward(x: Tensor, gamma: Tensor, mean: Tensor, r: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, beta and gamma."""
    axes = list(range(len(x.shape) - 1))
    g = ops.cast(upstream, "float32")
    z = (ops.cast(x, "float32") - mean) * r
    sums = ops.stack([ops.sum(g, axes), ops.sum(g * z, axes)])
    count = ops.cast(ops.size(x) // x.shape[-1], "float32")
    of_all, count = strategy.sum_over_replicas([sums, count])
    return gamma * r * (g - of_all[0] / count - z * (of_all[1] / count)), sums[0], sums[1]
