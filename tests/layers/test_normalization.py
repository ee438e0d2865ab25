"""Batch normalization of sequences: moments over batch, time and space."""

import keras
import numpy as np
import pytest

from keras_snnkd.layers import ThresholdBatchNormalization

CURRENTS = np.random.default_rng(0).normal(2.0, 3.0, size=(4, 3, 5, 5, 2)).astype("float32")


@pytest.mark.parametrize(
    ("layer", "gamma"),
    [
        (keras.layers.BatchNormalization, 1.0),
        (ThresholdBatchNormalization, 1.0),
        (lambda **kwargs: ThresholdBatchNormalization(threshold=0.5, alpha=0.8, **kwargs), 0.4),
    ],
    ids=["batch", "threshold", "threshold 0.5 alpha 0.8"],
)
@pytest.mark.parametrize("axes", [(0, 1), (0, 1, 2, 3)], ids=["[B, T, C]", "[B, T, H, W, C]"])
def test_moments_are_taken_over_everything_but_channels(layer, gamma, axes):
    currents = CURRENTS[:, :, 0, 0] if axes == (0, 1) else CURRENTS
    mean, variance = currents.mean(axes), currents.var(axes)
    norm = layer(momentum=0.5, epsilon=1e-3)
    np.testing.assert_allclose(norm(currents, training=True), gamma * (currents - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(norm.moving_mean, 0.5 * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, 0.5 + 0.5 * variance, rtol=1e-4)


def test_repeating_an_image_before_or_after_normalization_is_the_same():
    image, repeated = CURRENTS[:, 0], np.repeat(CURRENTS[:, :1], 6, axis=1)
    first, last = keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
    np.testing.assert_allclose(last(repeated, training=True)[:, 5], first(image, training=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last.moving_variance, first.moving_variance, rtol=1e-4)


def test_gamma_belongs_to_the_threshold():
    with pytest.raises(TypeError, match="gamma_initializer"):
        ThresholdBatchNormalization(gamma_initializer="ones")
