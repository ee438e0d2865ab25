"""Samples on their way from the arrays of a data set into a network."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_snnkd._types import Tensor
from keras_snnkd.files.samples import Samples, of_each

FRAMES_RANK = 5
"""Axes of frames of events, `[N, T, H, W, 2]`."""


def on_cpu(arrays: tuple[Samples, np.ndarray]) -> tuple[Any, ...]:
    """The arrays as tensors in main memory, where the pipeline gathers from them; a GPU would otherwise hold the whole set."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tuple(of_each(tf.convert_to_tensor, part) for part in arrays)


def to_float(images: Tensor) -> Tensor:
    """Images uint8 0..255 as multiples of 1/256 in float32, which a network with rounded weights adds up exactly (see `rounding`); series,
    token ids and numbers of events as they are."""
    import tensorflow as tf

    if images.dtype in (np.float32, np.int32):
        return images
    return tf.cast(images, tf.float32) * (1.0 if len(images.shape) == FRAMES_RANK else 1 / 256)


def augmented(augment: Callable[..., Any], images: Tensor, integers: Tensor) -> Tensor:
    """`augment` of images, series, or frames of events: all frames of a sample alike."""
    import tensorflow as tf

    if images.dtype == np.int32:  # token ids, which nothing changes
        return images
    if len(images.shape) != FRAMES_RANK:
        return augment(images, integers)
    _, steps, height, width, polarities = images.shape
    maps = tf.reshape(tf.transpose(images, (0, 2, 3, 1, 4)), (-1, height, width, steps * polarities))
    changed = tf.reshape(augment(maps, integers), (-1, height, width, steps, polarities))
    return tf.transpose(changed, (0, 3, 1, 2, 4))
