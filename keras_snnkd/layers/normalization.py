"""Normalization for spiking networks."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.neurons.currents import Currents, note
from keras_snnkd.training import strategy


@public
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over batch, time and space: Keras' layer, computed by TensorFlow's fused kernel.

    ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta``, per channel. On TensorFlow, Keras goes over the data once for each
    operation of that formula; the fused kernel does it in one or two passes, forward and backward. Moments, weights and config are
    Keras' own. On other backends, with a mask, or with an axis other than the last, it is Keras' layer. Under a `tf.distribute`
    strategy the moments are those of the whole batch, of all replicas.

    Args:
        **kwargs: Of `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: Currents `[B, T, ..., C]` (or `[B, ..., C]`).

    Returns:
        Same shape.

    Example:
        >>> BatchNormalization()(keras.ops.ones((2, 4, 8, 8, 3))).shape  # (2, 4, 8, 8, 3)

    Source: Ioffe and Szegedy (2015), arXiv:1502.03167.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        last = self.axis in (-1, len(inputs.shape) - 1)
        plain = mask is None and last and None not in inputs.shape[1:] and not self.renorm
        if keras.backend.backend() != "tensorflow" or not plain or inputs.dtype.name not in ("float32", "bfloat16", "float16"):
            return super().call(inputs, training, mask)
        import tensorflow as tf

        channels = inputs.shape[-1]
        of_batch = bool(training and self.trainable)
        gamma, beta = self.gamma if self.scale else ops.ones(channels), self.beta if self.center else ops.zeros(channels)
        if of_batch and strategy.replicas() > 1:
            x = ops.cast(inputs, "float32")
            mean, variance = _moments_of_replicas(x)
            outputs = ops.cast(ops.batch_normalization(x, mean, variance, -1, beta, gamma, self.epsilon), inputs.dtype)
        else:
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=ops.reshape(inputs, (-1, *_map(inputs.shape), channels)),
                scale=gamma,
                offset=beta,
                mean=ops.zeros(0) if of_batch else self.moving_mean,
                variance=ops.zeros(0) if of_batch else self.moving_variance,
                epsilon=self.epsilon,
                is_training=of_batch,
            )
            if of_batch:
                count = tf.cast(tf.size(inputs) // channels, tf.float32)
                variance *= (count - 1) / count  # the kernel gives the unbiased one, Keras keeps the other
        if of_batch:
            for moving, moment in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + moment * (1 - self.momentum))
        else:  # not what the kernel hands on: where nobody reads its outputs, it need not run
            mean, variance = self.moving_mean, self.moving_variance
        outputs = ops.reshape(outputs, (-1, *inputs.shape[1:]))
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        note(outputs, Currents(outputs, inputs, tuple(map(ops.stop_gradient, (scale, beta - mean * scale)))))
        return outputs


def _moments_of_replicas(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the parts of all replicas, in one exchange, where Keras takes three."""
    import tensorflow as tf

    axes, channels = list(range(len(x.shape) - 1)), x.shape[-1]
    sums = tf.concat([tf.reduce_sum(x, axes), tf.reduce_sum(tf.square(x), axes), [tf.cast(tf.size(x) // channels, x.dtype)]], 0)
    replica = tf.distribute.get_replica_context()
    if replica:  # else a model is being built
        sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    total, squares, count = tf.split(sums, [channels, channels, 1])
    return total / count, tf.maximum(squares / count - tf.square(total / count), 0.0)


def _map(shape: Shape) -> Shape:
    """Height and width of `[B, (T,) (H, W,) C]`; what is no map has one pixel."""
    return shape[-3:-1] if len(shape) > 3 else (1, 1)


@public
class ThresholdBatchNormalization(BatchNormalization):
    """Threshold-dependent batch normalization (tdBN): moments over batch, time and space, scaled to the threshold.

    ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` with gamma starting at ``alpha threshold``, so that the currents fit the
    neurons' threshold. Zheng et al. (2021), "Going Deeper With Directly-Trained Larger Spiking Neural Networks", arXiv:2011.05280.

    Args:
        threshold: Of the neurons that follow.
        alpha: Factor; 1 by default, 1/sqrt(2) in the paper where two branches are added.
        **kwargs: Of `keras.layers.BatchNormalization`, but for `gamma_initializer`.

    Call arguments:
        inputs: Currents `[B, T, ..., C]` (or `[B, ..., C]`).

    Returns:
        Same shape.

    Example:
        >>> ThresholdBatchNormalization(threshold=1.0)(keras.ops.ones((2, 4, 8, 8, 3))).shape  # (2, 4, 8, 8, 3)
    """

    def __init__(self, threshold: float = 1.0, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(gamma_initializer=keras.initializers.Constant(alpha * threshold), **kwargs)
        self.threshold = threshold
        self.alpha = alpha

    def get_config(self) -> Config:
        config = {**super().get_config(), "threshold": self.threshold, "alpha": self.alpha}
        del config["gamma_initializer"]
        return config
