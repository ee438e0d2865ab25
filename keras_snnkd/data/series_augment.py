"""Random changes to series `[B, T, C]`, decided by random integers as those of images are. What is padding stays padding."""

import functools

import numpy as np

from keras_snnkd._types import Array, Tensor

JITTER = 0.05
"""Standard deviation of the noise, as a share of the series' own in each channel."""

SCALE = 0.1
"""Series are multiplied by at least ``1 - SCALE`` and less than ``1 + SCALE``."""

LEVELS = 2**15


NOISE = 2**16
"""How many different numbers the noise is drawn from: drawing new ones for each series by itself would take longer than a training step."""


@functools.cache
def _normal() -> Array:
    """`NOISE` numbers of a normal distribution, float32."""
    return np.random.default_rng(0).standard_normal(NOISE, np.float32)


def jitter(series: Tensor, integers: Tensor) -> Tensor:
    """Add noise of `JITTER` times each channel's standard deviation; where it starts in the table of noise, and its stride, are random."""
    import tensorflow as tf

    steps, channels = series.shape[1:]
    stride = 2 * (integers // NOISE) + 1  # odd, so that no number comes twice
    places = (integers + stride * tf.range(steps * channels)) % NOISE
    drawn = tf.reshape(tf.gather(_normal(), places), (-1, steps, channels))
    deviation = tf.math.reduce_std(series, axis=1, keepdims=True)
    return series + JITTER * deviation * drawn * _real(series)


def scale(series: Tensor, integers: Tensor) -> Tensor:
    """Multiply each series by one number around 1."""
    import tensorflow as tf

    return series * (1 + SCALE * (tf.cast(integers, series.dtype)[:, :, None] * (2 / LEVELS) - 1))


def time_shift(series: Tensor, integers: Tensor) -> Tensor:
    """Move each series by up to T // 8 steps, earlier or later; what comes in at an end repeats the step there."""
    import tensorflow as tf

    steps = series.shape[1]
    length = tf.cast(tf.reduce_sum(_real(series), axis=1), tf.int32)  # [B, 1]
    source = tf.range(steps) - (integers - _eighth(steps))
    source = tf.clip_by_value(source, 0, tf.maximum(length - 1, 0))
    return tf.gather(series, source, axis=1, batch_dims=1) * _real(series)


def time_mask(series: Tensor, integers: Tensor) -> Tensor:
    """Set T // 8 steps in a row of each series to its mean."""
    import tensorflow as tf

    steps = series.shape[1]
    at = tf.range(steps)
    hidden = (at >= integers) & (at < integers + _eighth(steps))
    real = _real(series)
    mean = tf.reduce_sum(series, axis=1, keepdims=True) / tf.maximum(tf.reduce_sum(real, axis=1, keepdims=True), 1)
    return tf.where(hidden[:, :, None], mean * real, series)


def _eighth(steps: int) -> int:
    return max(1, steps // 8)


def _real(series: Tensor) -> Tensor:
    """1 up to the last step that is not all zeros, then 0, `[B, T, 1]`."""
    import tensorflow as tf

    filled = tf.cast(tf.reduce_any(series != 0, axis=-1), series.dtype)
    return tf.cast(tf.cumsum(filled, axis=1, reverse=True) > 0, series.dtype)[:, :, None]


PARTS = {
    "jitter": (lambda steps, channels: [2**30], jitter),
    "scale": (lambda steps, channels: [LEVELS], scale),
    "time_shift": (lambda steps, channels: [2 * _eighth(steps) + 1], time_shift),
    "time_mask": (lambda steps, channels: [steps - _eighth(steps) + 1], time_mask),
}
"""By name: `choices` and `apply` of an `Augmentation`, with T and C in place of height and width."""
