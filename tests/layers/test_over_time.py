"""One call on B*T samples is the same as T calls on B samples."""

import keras
import numpy as np
import pytest

from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import OverTime
from tests.harness import gradients

LAYERS = {
    "dense": lambda: keras.layers.Dense(5, activation="tanh"),
    "conv": lambda: keras.layers.Conv2D(5, 3, strides=2),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, padding="same"),
    "padding": lambda: keras.layers.ZeroPadding2D(1),
    "max_pooling": lambda: keras.layers.MaxPooling2D(),
    "average_pooling": lambda: keras.layers.AveragePooling2D(2),
    "global_average": lambda: keras.layers.GlobalAveragePooling2D(),
    "flatten": lambda: keras.layers.Flatten(),
    "sequential": lambda: keras.Sequential([keras.layers.Conv2D(2, 1), keras.layers.Flatten(), keras.layers.Dense(3)]),
}
FRAMES = np.random.default_rng(0).normal(size=(2, 3, 6, 6, 2)).astype("float32")


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_those_of_a_loop_over_the_steps(name):
    layer = LAYERS[name]()
    folded = OverTime(layer)
    shape = folded(FRAMES).shape
    upstream = np.random.default_rng(1).normal(size=shape).astype("float32")

    def loop(frames):
        return keras.ops.stack([layer(frames[:, t]) for t in range(3)], axis=1)

    once, once_gradients = gradients(folded, FRAMES, upstream=upstream, variables=layer.trainable_weights)
    looped, looped_gradients = gradients(loop, FRAMES, upstream=upstream, variables=layer.trainable_weights)
    np.testing.assert_allclose(once, looped, rtol=1e-5, atol=1e-5)
    for one, other in zip(once_gradients, looped_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_the_symbolic_shape_is_the_real_one_for_any_batch(name):
    folded = OverTime(LAYERS[name]())
    symbolic = folded(keras.Input((3, 6, 6, 2)))
    assert symbolic.shape[0] is None
    assert folded.compute_output_shape((None, 3, 6, 6, 2)) == symbolic.shape
    assert folded(FRAMES).shape == (2, *symbolic.shape[1:])


def test_maps_may_be_of_any_size():
    frames = keras.Input((3, None, None, 2))
    model = keras.Model(frames, OverTime(keras.layers.Conv2D(5, 3))(frames))
    assert model.output_shape == (None, 3, None, None, 5)
    assert model.predict(FRAMES, verbose=0).shape == (2, 3, 4, 4, 5)


def test_weights_are_those_of_the_wrapped_layer():
    dense = keras.layers.Dense(4)
    folded = OverTime(dense)
    folded.build((None, 3, 6))
    assert [w.shape for w in folded.trainable_weights] == [(6, 4), (4,)]
    assert folded.trainable_weights[0] is dense.kernel


def test_training_reaches_the_wrapped_layer():
    dropout = OverTime(keras.layers.Dropout(0.5))
    np.testing.assert_array_equal(dropout(FRAMES), FRAMES)
    assert np.mean(np.asarray(dropout(FRAMES, training=True)) == 0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("shape", [(4, 6), (4, None, 6), (4, 0, 6)], ids=str)
def test_inputs_without_time_are_refused_with_the_layer_that_makes_it(shape):
    with pytest.raises(ShapeError, match=r"first: expected inputs \[B, T, ...\].*Direct\(timesteps=4\)"):
        OverTime(keras.layers.Dense(4), name="first").build(shape)
