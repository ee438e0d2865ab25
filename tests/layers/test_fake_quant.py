import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd.layers import FakeQuant, QuantizedConv2D, QuantizedDense
from tests.harness import gradients


def numbers(*shape):
    return np.random.default_rng(0).normal(0, 1.5, shape).astype("float32")


def test_values_and_gradient_by_hand():
    layer = FakeQuant(-1.0, 127 / 128)  # steps of 1/128
    x = np.array([0.1, 0.4, 9.0, -0.004, -1.5, 0.0], "float32")  # 12.8, 51.2, -, -0.512
    value, (slope,) = gradients(layer, x)
    np.testing.assert_array_equal(value * 128, [13, 51, 127, -1, -128, 0])
    np.testing.assert_array_equal(slope, [1, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(("low", "high"), [(-2.0, 127 / 64), (0.0, 255 / 256), (-3.3, 1.7), (0.0, 6.1)])
def test_the_converters_operator_rounds_alike(low, high):
    x = numbers(4000)
    theirs = tf.quantization.fake_quant_with_min_max_args(x, low, high).numpy()
    ours = FakeQuant(low, high)(x).numpy()
    different = np.abs(ours - theirs) > 1e-5  # a number between two steps may go to either
    assert different.mean() < 1e-3
    assert len(np.unique(ours)) <= 256
    assert np.any(ours == 0)


@pytest.mark.parametrize("limits", [(0.5, 1.0), (-2.0, -1.0), (0.0, 0.0)])
def test_a_range_without_0_is_refused(limits):
    with pytest.raises(ValueError, match="must hold 0"):
        FakeQuant(*limits)


@pytest.mark.parametrize(
    ("layer", "shape"), [(QuantizedConv2D(5, 3, padding="same"), (2, 6, 6, 3)), (QuantizedDense(5, input_step=1 / 256), (2, 7))]
)
def test_weights_are_rounded_per_channel_and_their_gradient_passes(layer, shape):
    layer.build(shape)
    layer.bias.assign(numbers(5))
    plain = keras.layers.Conv2D(5, 3, padding="same") if len(shape) == 4 else keras.layers.Dense(5)
    plain.build(shape)
    kernel = layer.kernel.numpy()
    step = np.abs(kernel).reshape(-1, 5).max(0) / 127
    rounded = np.round(kernel / step)
    assert np.all(np.abs(rounded).reshape(-1, 5).max(0) == 127)
    plain.set_weights([rounded * step, np.round(layer.bias.numpy() / (step * layer.input_step)) * step * layer.input_step])
    x = numbers(*shape)
    ours, slopes = gradients(layer, x, variables=layer.trainable_variables)
    theirs, expected = gradients(plain, x, variables=plain.trainable_variables)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for slope, other in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(slope, other, atol=1e-4)


def test_a_channel_without_weights_gives_its_bias():
    layer = QuantizedDense(2)
    layer.build((1, 3))
    layer.set_weights([np.array([[0, 1], [0, -1], [0, 0.5]], "float32"), np.array([0.25, 0.0], "float32")])
    np.testing.assert_allclose(layer(np.ones((1, 3), "float32"))[0, 0], 0.25, atol=1e-4)


def test_four_bits_are_fifteen_values_that_eight_bits_hold():
    layer = QuantizedDense(4, weight_bits=4)
    layer.build((1, 300))
    kernel = np.asarray(layer.rounded_kernel())
    step = np.abs(layer.kernel.numpy()).max(0) / 127
    steps = kernel / step
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert set(np.round(np.abs(steps)).astype(int).ravel()) <= {0, 18, 36, 54, 73, 91, 109, 127}
    assert np.abs(kernel - layer.kernel.numpy()).max() <= 0.52 * 127 / 7 * step.max()


def test_ternary_weights_are_a_scale_a_channel():
    layer = QuantizedDense(1, weight_bits=2)
    layer.build((1, 4))
    layer.set_weights([np.array([[1.0], [-0.6], [0.1], [0.0]], "float32"), np.zeros(1, "float32")])
    # the mean size is 0.425, the cut 0.2975, the mean of what is above 0.8
    np.testing.assert_allclose(layer.rounded_kernel(), [[0.8], [-0.8], [0], [0]], rtol=1e-6)
    x = np.ones((1, 4), "float32")
    _, (slope, *_) = gradients(layer, x, variables=[layer.kernel])
    np.testing.assert_allclose(slope, [[0.8, -0.8, 0, 0]], rtol=1e-6)


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match=r"weight_bits of a quantized network must be one of \(8, 4, 2\)"):
        QuantizedDense(2, weight_bits=3)
