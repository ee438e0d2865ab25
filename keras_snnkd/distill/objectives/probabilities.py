"""Classes and probabilities from logits, and how far probabilities are from each other, without loss of digits.

A divergence is small beside the terms that it is a sum of: at a temperature of ``1e5`` some ``1e-10`` beside ``1e-5``, and what rounding
leaves of it may be negative. Here it is a sum of terms none of which is.
"""

from keras import ops

from keras_snnkd._types import Tensor

SERIES = 0.25
"""Below this ratio of logarithms, ``exp(-d) - 1 + d`` is summed as a series."""

NEAR = 1.0
"""Logits that differ by less than this, but for a common shift, have their ratio from the differences."""


def likeliest(logits: Tensor) -> Tensor:
    """The class with the largest logit, `[..., C] -> [...]`; of equal ones the first, also of -0.0 and 0.0, which Keras orders."""
    return ops.argmax(ops.where(logits == 0, ops.zeros_like(logits), logits), axis=-1)


def probabilities(logits: Tensor) -> Tensor:
    """``softmax(logits)`` over the last axis, which may be of one class."""
    return ops.exp(ops.log_softmax(logits))


def log_ratio(logits: Tensor, others: Tensor) -> Tensor:
    """``log softmax(logits) - log softmax(others)``, `[..., C]`, to as many digits as the logits differ by."""
    differences = _from_largest(logits) - _from_largest(others)
    differences = differences - ops.stop_gradient(ops.mean(differences, axis=-1, keepdims=True))
    near = ops.all(ops.abs(differences) < NEAR, axis=-1, keepdims=True)
    small = ops.where(near, differences, ops.zeros_like(differences))  # no overflow, and no gradient of one
    shift = ops.log1p(ops.sum(probabilities(others) * ops.expm1(small), axis=-1, keepdims=True))
    return ops.where(near, small - shift, ops.log_softmax(logits) - ops.log_softmax(others))


def _from_largest(logits: Tensor) -> Tensor:
    """Logits less their largest: what is common to all classes changes nothing, and would cost digits."""
    return logits - ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))


def divergence_terms(p: Tensor, q: Tensor, ratio: Tensor) -> Tensor:
    """``p log(p / q) - p + q``, of which none is negative: as p and q have the same sum, their sum over C is the divergence.

    Args:
        p, q: Probabilities, `[..., C]`.
        ratio: ``log(p / q)``, as exactly as it is known. Where p is 0 it does not count.
    """
    ratio = ops.where(p > 0, ratio, ops.zeros_like(ratio))
    near = ops.abs(ratio) < SERIES
    d = ops.where(near, ratio, ops.zeros_like(ratio))
    series = ops.square(d) * (1 / 2 - d * (1 / 6 - d * (1 / 24 - d * (1 / 120 - d / 720))))
    return ops.where(near & (p > 0), p * series, p * ratio - p + q)


def kl(logits: Tensor, others: Tensor) -> Tensor:
    """``sum over C of p (log p - log q)`` with p and q the softmax of the logits, or their logarithms; `[..., C] -> [...]`."""
    terms = divergence_terms(probabilities(logits), probabilities(others), log_ratio(logits, others))
    return ops.sum(terms, axis=-1)


def floored_kl(logits: Tensor, others: Tensor, least: float) -> Tensor:
    """As `kl`, of ``p + least`` and ``q + least``."""
    p, q, ratio = probabilities(logits), probabilities(others), log_ratio(logits, others)
    near = ops.abs(ratio) < NEAR
    gap = q * ops.expm1(ops.where(near, ratio, ops.zeros_like(ratio)))  # p - q
    p, q = p + least, q + least
    return ops.sum(divergence_terms(p, q, ops.where(near, ops.log1p(gap / q), ops.log(p) - ops.log(q))), axis=-1)


def cross_entropy(p: Tensor, logits: Tensor) -> Tensor:
    """``- sum over C of p log softmax(logits)``, `[..., C] -> [...]`; a class that p gives nothing adds nothing."""
    return -ops.sum(p * ops.where(p > 0, ops.log_softmax(logits), ops.zeros_like(logits)), axis=-1)


def head_tail_kl(logits: Tensor, others: Tensor, head_mass: float) -> Tensor:
    """AKL: ``g KL(p || q) + (1 - g) KL(q || p)`` with g the share of the head in ``|p - q|``; no gradient flows through g."""
    p, q = ops.stop_gradient(probabilities(logits)), ops.stop_gradient(probabilities(others))
    order = ops.argsort(-p, axis=-1)
    likeliest_first = ops.take_along_axis(p, order, axis=-1)
    gaps = ops.take_along_axis(ops.abs(p - q), order, axis=-1)
    before = ops.cumsum(likeliest_first, axis=-1) <= head_mass
    top = ops.arange(p.shape[-1]) == 0
    head = ops.sum(ops.where(ops.logical_or(before, top), gaps, 0.0), axis=-1)
    share = ops.divide_no_nan(head, ops.sum(gaps, axis=-1))  # both divergences are 0 where all gaps are
    return share * kl(logits, others) + (1 - share) * kl(others, logits)
