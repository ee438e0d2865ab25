"""Mixtures of two images (Zhang et al., ICLR 2018, arXiv:1710.09412)."""

import math

from keras_snnkd._types import Tensor


def check_mixup(strength: float) -> None:
    """Raise a `ValueError` unless `strength` is a number of at least 0."""
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength < math.inf:
        raise ValueError(f"mixup must be a number of at least 0 (0 for none), got {strength!r}.")


def shares(strength: float, count: int, seed: Tensor) -> Tensor:
    """How much of each of `count` mixed images is the image itself, float32 `[count]`, from an int32 seed `[2]`.

    With l drawn from Beta(a, a), an image is ``x = s x_own + (1 - s) x_other``, where ``s = max(l, 1 - l)``: the image itself is at least
    half of it, so that its own label stays the likeliest. The labels are mixed alike.

    Args:
        strength: a, greater than 0: 1 draws all shares alike, 0.2 mostly shows one image.
        count: How many.
        seed: Stateless: the same seed gives the same shares.
    """
    import tensorflow as tf

    drawn = tf.random.stateless_gamma([2, count], seed, strength)
    first, second = tf.unstack(drawn + 1e-30)  # small strengths can give two zeros
    return tf.maximum(first, second) / (first + second)
