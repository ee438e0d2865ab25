"""Normalization for spiking networks."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.layers.batch_moments import as_maps, normalized_by_batch, pays
from keras_snnkd.layers.mean_normalization import normalized_mean
from keras_snnkd.neurons.base import check_mask
from keras_snnkd.neurons.currents import Currents, note
from keras_snnkd.neurons.lanes import Lanes, joined
from keras_snnkd.training import strategy


@public
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over batch, time and space: Keras' layer, computed by TensorFlow's fused kernel.

    ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta``, per channel. On TensorFlow, Keras goes over the data once for each
    operation of that formula; the fused kernel does it in one or two passes, forward and backward. For large maps whose channels are no
    multiple of 16 it is slow, and a kernel compiled by XLA computes the moments. Moments, weights and config are Keras' own. On other
    backends, with a mask, or with an axis other than the last, it is Keras' layer. Under a `tf.distribute`
    strategy the moments are those of the whole batch, of all replicas.

    Args:
        **kwargs: Of `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: Currents `[B, T, ..., C]` (or `[B, ..., C]`).

    Returns:
        Same shape.

    Raises:
        ShapeError: For a mask of another length than T.

    Example:
        >>> BatchNormalization()(keras.ops.ones((2, 4, 8, 8, 3))).shape  # (2, 4, 8, 8, 3)

    Source: Ioffe and Szegedy (2015), arXiv:1502.03167.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        if mask is not None and len(inputs.shape) > 2:
            check_mask(self.name, inputs, mask)
        last = self.axis in (-1, len(inputs.shape) - 1)
        plain = mask is None and last and None not in inputs.shape[1:] and not self.renorm
        if keras.backend.backend() != "tensorflow" or not plain or inputs.dtype.name not in ("float32", "bfloat16", "float16"):
            return super().call(inputs, training, mask)
        return self._fused(inputs, bool(training and self.trainable))[0]

    def call_on_rates(self, inputs: Any, training: bool = False) -> Any:
        """The call for rate-based backpropagation: moments of all time steps, and the gradient of the mean map's own moments."""
        if not isinstance(inputs, Lanes) or self.axis not in (-1, len(inputs.sequence.shape) - 1) or self.renorm:
            return self(joined(inputs), training=training)
        of_batch = bool(training and self.trainable)
        if self._is_fused(inputs.sequence):
            outputs, mean, variance = self._fused(inputs.sequence, of_batch)
        else:
            x = ops.cast(ops.stop_gradient(inputs.sequence), "float32")
            mean, variance = self._moments_of_batch(x) if of_batch else (self.moving_mean, self.moving_variance)
            outputs = ops.cast(
                ops.batch_normalization(x, mean, variance, -1, *self._shift_and_scale(x), self.epsilon), inputs.sequence.dtype
            )
        return Lanes(outputs, normalized_mean(inputs.mean, *self._shift_and_scale(outputs), mean, variance, self.epsilon, of_batch))

    def _is_fused(self, inputs: Tensor) -> bool:
        """Whether TensorFlow's kernel takes these inputs."""
        last = self.axis in (-1, len(inputs.shape) - 1)
        plain = last and None not in inputs.shape[1:] and not self.renorm
        return keras.backend.backend() == "tensorflow" and plain and inputs.dtype.name in ("float32", "bfloat16", "float16")

    def _shift_and_scale(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        channels = inputs.shape[-1]
        return self.beta if self.center else ops.zeros(channels), self.gamma if self.scale else ops.ones(channels)

    def _moments_of_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the batch, which the moving ones follow."""
        mean, variance = ops.moments(x, list(range(len(x.shape) - 1)))
        self._follow(mean, variance)
        return mean, variance

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        for moving, moment in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + moment * (1 - self.momentum))

    def _fused(self, inputs: Tensor, of_batch: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs, and the mean and variance that they were made with, those of the batch if `of_batch`."""
        import tensorflow as tf

        channels = inputs.shape[-1]
        beta, gamma = self._shift_and_scale(inputs)
        if of_batch and strategy.replicas() > 1:
            x = ops.cast(inputs, "float32")
            mean, variance = _moments_of_replicas(x)
            outputs = ops.cast(ops.batch_normalization(x, mean, variance, -1, beta, gamma, self.epsilon), inputs.dtype)
        elif of_batch and pays(inputs.shape):
            outputs, mean, variance = normalized_by_batch(inputs, gamma, beta, self.epsilon)
        else:
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=as_maps(inputs),
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
            self._follow(mean, variance)
        else:  # not what the kernel hands on: where nobody reads its outputs, it need not run
            mean, variance = self.moving_mean, self.moving_variance
        outputs = ops.reshape(outputs, (-1, *inputs.shape[1:]))
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        note(outputs, Currents(outputs, inputs, tuple(map(ops.stop_gradient, (scale, beta - mean * scale)))))
        return outputs, mean, variance


def _moments_of_replicas(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the parts of all replicas, in one exchange, where Keras takes three."""
    import tensorflow as tf

    axes, channels = list(range(len(x.shape) - 1)), x.shape[-1]
    sums = tf.concat([tf.reduce_sum(x, axes), tf.reduce_sum(tf.square(x), axes), [tf.cast(tf.size(x) // channels, x.dtype)]], 0)
    total, squares, count = tf.split(strategy.sum_over_replicas(sums), [channels, channels, 1])
    return total / count, tf.maximum(squares / count - tf.square(total / count), 0.0)


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
