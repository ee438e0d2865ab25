"""Batch normalization whose moments come from a kernel that XLA compiles, where TensorFlow's own one is slow."""

import functools
import math
from collections.abc import Callable
from typing import Any

from keras_snnkd._types import Shape, Tensor
from keras_snnkd.neurons.currents import in_tensorflow_graph

LANES = 16
"""Float32 numbers in a register of AVX-512. For channels that are no multiple of it, oneDNN has no such kernel forward: there it took seven
times as long for each number ([128, 28, 28, 24]: 14 ms in place of 2)."""

LARGE = 4096
"""Elements of a sample from which on compiling a kernel pays."""


def pays(shape: Shape) -> bool:
    """Whether `normalized_by_batch` is the faster way for currents `[B, ..., C]`, all but B known."""
    return in_tensorflow_graph() and shape[-1] % LANES > 0 and math.prod(shape[1:]) >= LARGE


def normalized_by_batch(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` with the moments of the batch.

    They come from two passes, in float32, and do not depend on `y`, so that a graph in which nobody reads `y` does not make it.

    Args:
        x: `[B, ..., C]`.
        gamma, beta: Float32, `[C]`.
        epsilon: See above.

    Returns:
        `y`, in the dtype of `x`, with the gradient of all of the formula; mean and variance (of N, not N - 1), `[C]`, without one.
    """
    import tensorflow as tf

    mean, variance = map(tf.stop_gradient, _compiled(_moments)(x))

    @tf.custom_gradient
    def run(x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        def gradient(upstream: Tensor) -> tuple[Tensor, ...]:
            of_inputs, of_gamma, of_beta, *_ = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=as_maps(upstream),
                x=as_maps(x),
                scale=gamma,
                reserve_space_1=mean,
                reserve_space_2=variance,
                reserve_space_3=[0.0],
                epsilon=epsilon,
                is_training=True,
            )
            return tf.reshape(of_inputs, tf.shape(x)), of_gamma, of_beta

        scale = gamma * tf.math.rsqrt(variance + epsilon)
        return _compiled(_scaled)(x, scale, beta - mean * scale), gradient

    return run(x, gamma, beta), mean, variance


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    rows = tf.cast(tf.reshape(x, (-1, x.shape[-1])), "float32")
    mean = tf.reduce_mean(rows, 0)
    return mean, tf.reduce_mean(tf.square(rows - mean), 0)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.cast(tf.cast(x, "float32") * scale + shift, x.dtype)


def as_maps(x: Tensor) -> Tensor:
    """`[B, (T,) (H, W,) C]` as TensorFlow's kernels take it, `[N, H, W, C]`; what is no map has one pixel."""
    import tensorflow as tf

    return tf.reshape(x, (-1, *(x.shape[-3:-1] if len(x.shape) > 3 else (1, 1)), x.shape[-1]))


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
