"""Tensor trains have the official code's numbers, come from trained convolutions, and become such again."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress, metrics
from keras_snnkd.compress.tensor_trains import Truncation, factorized
from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.layers import TensorTrainConv2D
from tests.harness import gradients, oracle_cases

MODES = {"STT": "sequential", "PTT": "parallel", "HTT": "half"}
KERNELS = ("first", "second", "third", "fourth")


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "tt_snn"), ids=str)
def test_the_three_modes_are_those_of_tt_snn(case):
    x = np.ascontiguousarray(np.transpose(case["x"], (1, 0, 3, 4, 2)))  # [B, T, H, W, C]
    filters, pooled = case.settings["out_channels"], case.settings["in_channels"] != case.settings["out_channels"]
    layer = TensorTrainConv2D(filters, 3, case.settings["rank"], MODES[case.settings["mode"]])
    train = layer if layer.mode == "half" else kd.layers.OverTime(layer)
    pool = kd.layers.OverTime(keras.layers.MaxPooling2D())
    train.build(x.shape)
    for variable, kernel in zip(layer.factors, KERNELS, strict=True):
        variable.assign(np.transpose(case[f"{kernel}_layer_weight"], (2, 3, 1, 0)))

    def output(x):
        return pool(train(x)) if pooled else train(x)

    upstream = np.transpose(case["upstream"], (1, 0, 3, 4, 2))
    value, found = gradients(output, x, upstream=upstream, variables=layer.factors)
    np.testing.assert_allclose(np.transpose(value, (1, 0, 4, 2, 3)), case["output"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.transpose(found[0], (1, 0, 4, 2, 3)), case["grad_x"], rtol=1e-4, atol=2e-5)
    for gradient, kernel in zip(found[1:], KERNELS, strict=True):
        official = case[f"grad_{kernel}_layer_weight"]
        np.testing.assert_allclose(np.transpose(gradient, (3, 2, 0, 1)), official, rtol=1e-4, atol=2e-6 * np.abs(official).max())


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize(("strides", "padding"), [(1, "same"), (2, "valid"), (1, "valid")])
def test_a_train_is_a_convolution_with_its_kernel(mode, strides, padding):
    layer = TensorTrainConv2D(4, 3, (2, 2, 3), mode, strides, padding, use_bias=True)
    x = np.random.default_rng(0).random((2, 7, 7, 3), "float32")
    expected = keras.ops.conv(x, layer(x) is not None and layer.kernel, strides, padding)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == layer(x).shape


def test_a_whole_train_is_the_kernel_and_a_cut_one_is_the_best_of_its_rank():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 6)).astype("float32")

    def merged(rank=None, energy=None):
        first, second, third, fourth = factorized(kernel, "sequential", Truncation(rank, energy))
        return np.einsum("ip,apq,bqr,ro->abio", first[0, 0], second[:, 0], third[0], fourth[0, 0])

    np.testing.assert_allclose(merged(energy=1.0), kernel, rtol=1e-4, atol=1e-5)
    errors = [np.square(merged(rank=rank) - kernel).sum() / np.square(kernel).sum() for rank in (1, 2, 4)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert np.square(merged(energy=0.9) - kernel).sum() <= 3 * 0.1 * np.square(kernel).sum()  # three cuts of at most a tenth each


def test_a_parallel_train_holds_the_cross_of_a_kernel():
    kernel = np.random.default_rng(2).normal(size=(3, 3, 4, 6)).astype("float32")
    layer = TensorTrainConv2D(6, 3, (4, 4, 6), "parallel")
    layer.build((None, 8, 8, 4))
    for variable, factor in zip(layer.factors, factorized(kernel, "parallel", Truncation(energy=1.0)), strict=True):
        variable.assign(factor)
    cross = np.zeros((3, 3, 1, 1), bool)
    cross[1], cross[:, 1] = True, True
    np.testing.assert_allclose(layer.kernel, np.where(cross, kernel, 0), rtol=1e-4, atol=1e-5)


def convnet(**arguments):
    return kd.models.ConvNet((6, 6, 1), 3, widths=(8, "pool", 12), timesteps=3, threshold=0.3, head="flatten", **arguments)


IMAGES = np.random.default_rng(0).random((4, 6, 6, 1), "float32")


@pytest.mark.every(2)
@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize("trains", ["merged", "kept"])
def test_a_decomposed_network_becomes_plain_again(mode, trains):
    student = compress.decomposed(convnet(), rank=2, mode=mode)
    plain = compress.plain(student, trains)
    np.testing.assert_allclose(plain(IMAGES), student(IMAGES), rtol=1e-4, atol=1e-5)
    assert plain.count_params() < convnet().count_params() if trains == "kept" else plain.count_params() == convnet().count_params()
    if trains == "kept":
        counted = metrics.synaptic_operations(plain, IMAGES)
        train = metrics.synaptic_operations(student, IMAGES)
        assert train.effective_acs == pytest.approx(counted.effective_acs)
        assert train.effective_macs == pytest.approx(counted.effective_macs)
    smaller = compress.plain(student, "smaller")
    assert smaller.count_params() <= convnet().count_params()


def test_half_trains_take_all_steps_and_have_no_plain_form(tmp_path):
    student = compress.decomposed(convnet(), rank=2, mode="half", full_steps=1)
    assert type(student.get_layer("block2_conv")) is TensorTrainConv2D
    student.save(tmp_path / "student.keras")
    np.testing.assert_array_equal(kd.models.load(tmp_path / "student.keras")(IMAGES), student(IMAGES))
    with pytest.raises(ValueError, match="no plain form"):
        compress.plain(student)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 0}, "rank must be a whole number above 0"),
        ({"rank": 2, "energy": 0.9}, "to a rank or to a share of energy"),
        ({"energy": 1.5}, "above 0 and at most 1"),
        ({"rank": 50}, "no convolution of .* becomes smaller"),
    ],
)
def test_a_decomposition_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        compress.decomposed(convnet(), **arguments)


def test_names_and_shapes_that_cannot_be_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'half'"):
        TensorTrainConv2D(4, mode="halve")
    with pytest.raises(ValueError, match=r"full_steps is the number .* above 0, got 0"):
        TensorTrainConv2D(4, mode="half", full_steps=0)
    with pytest.raises(ValueError, match="the first two ranks are one"):
        TensorTrainConv2D(4, rank=(1, 2, 3), mode="parallel")
    with pytest.raises(ShapeError, match="put it into OverTime"):
        TensorTrainConv2D(4)(np.ones((2, 3, 8, 8, 4), "float32"))
    with pytest.raises(UnknownNameError, match="Did you mean 'block1_conv'"):
        compress.decomposed(convnet(), rank=2, skip=["block1_con"])


def test_the_activation_of_a_convolution_stays_behind_its_train_and_kernels_of_one_pixel_stay():
    image = keras.Input((6, 6, 8))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(image)
    x = keras.layers.Conv2D(16, 1, name="one")(x)
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    images = np.random.default_rng(0).normal(size=(4, 6, 6, 8)).astype("float32")
    train = compress.decomposed(model, rank=5)
    assert type(train.get_layer("one")) is keras.layers.Conv2D
    values = keras.Model(train.inputs, train.get_layer("conv").output)(images)
    assert np.min(values) == 0 < np.max(values)
    for trains in ("kept", "merged"):
        np.testing.assert_allclose(compress.plain(train, trains)(images), train(images), rtol=1e-4, atol=1e-4)
