"""Batch normalization of sequences: moments over batch, time and space."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import BatchNormalization, ThresholdBatchNormalization

CURRENTS = np.random.default_rng(0).normal(2.0, 3.0, size=(4, 3, 5, 5, 2)).astype("float32")


@pytest.mark.parametrize(
    ("layer", "gamma"),
    [
        (BatchNormalization, 1.0),
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
    first, last = BatchNormalization(), BatchNormalization()
    np.testing.assert_allclose(last(repeated, training=True)[:, 5], first(image, training=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last.moving_variance, first.moving_variance, rtol=1e-4)


def test_gamma_belongs_to_the_threshold():
    with pytest.raises(TypeError, match="gamma_initializer"):
        ThresholdBatchNormalization(gamma_initializer="ones")


def both(layer, currents, training, upstream, in_graph, gamma=(0.7, 1.3), **arguments):
    """Outputs, gradients, and the moments after the call, of a layer with weights that are not those it starts with."""
    norm = layer(momentum=0.8, beta_initializer="ones", moving_mean_initializer="ones", **arguments)
    norm.build(currents.shape)
    if norm.gamma is not None:
        norm.gamma.assign(gamma)

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = norm(x, training=training)
        return outputs, tape.gradient(outputs, [x, *norm.trainable_variables], upstream)

    outputs, gradients = (tf.function(step) if in_graph else step)(tf.constant(currents))
    return [np.asarray(ops.cast(x, "float32")) for x in (outputs, *gradients, norm.moving_mean, norm.moving_variance)]


@pytest.mark.every(4)
@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 5, 5, 2), (4, 3, 5, 5, 2), (6, 2)], ids=str)
@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}, {"trainable": False}], ids=str)
def test_values_and_gradients_are_those_of_keras(arguments, shape, training, in_graph):
    random = np.random.default_rng(1)
    currents, upstream = random.normal(2.0, 3.0, shape).astype("float32"), random.normal(size=shape).astype("float32")
    ours = both(BatchNormalization, currents, training, upstream, in_graph, **arguments)
    theirs = both(keras.layers.BatchNormalization, currents, training, upstream, in_graph, **arguments)
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("channels", [2, 24])
def test_in_bfloat16_the_moments_are_float32(channels):
    random = np.random.default_rng(2)
    currents = random.normal(2.0, 3.0, (16, 4, 8, 8, channels)).astype("float32")
    upstream = tf.constant(random.normal(size=currents.shape), tf.bfloat16)
    ours, theirs = (
        both(layer, currents, True, upstream, True, np.linspace(0.7, 1.3, channels), dtype="mixed_bfloat16")
        for layer in (BatchNormalization, keras.layers.BatchNormalization)
    )
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2)
    np.testing.assert_allclose(ours[-1], theirs[-1], rtol=1e-3)


@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}], ids=str)
@pytest.mark.parametrize("shape", [(3, 4, 8, 9, 24), (5, 16, 16, 24), (2, 200, 24)], ids=str)
def test_moments_by_a_compiled_kernel_are_those_of_keras(shape, arguments, monkeypatch):
    random = np.random.default_rng(4)
    currents, upstream = random.normal(2.0, 3.0, shape).astype("float32"), random.normal(size=shape).astype("float32")
    gamma = random.uniform(0.5, 1.5, shape[-1:])
    theirs = both(keras.layers.BatchNormalization, currents, True, upstream, True, gamma=gamma, **arguments)
    monkeypatch.setattr(tf.raw_ops, "FusedBatchNormV3", None)
    ours = both(BatchNormalization, currents, True, upstream, True, gamma=gamma, **arguments)
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=5e-4)


@pytest.mark.parametrize("arguments", [{"axis": 1}, {"renorm": True}, {"dtype": "float64"}], ids=str)
def test_what_the_kernel_cannot_do_is_left_to_keras(arguments):
    currents = CURRENTS[..., 0, :].transpose(0, 3, 1, 2)
    ours, theirs = (layer(**arguments)(currents, training=True) for layer in (BatchNormalization, keras.layers.BatchNormalization))
    np.testing.assert_array_equal(ours, theirs)


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ShapeError, match=r"a mask of 3 steps must be \[B, 3\], got shape \[4, 2\]"):
        BatchNormalization()(CURRENTS, mask=np.ones((4, 2), bool), training=True)
