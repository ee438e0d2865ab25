"""Kernels rounded to the grid of an 8-bit file: what changes, what does not, and that such a file then computes what the model does."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain, Stage
from keras_snnkd.weights import INT8_ELEMENTS

DATA = kd.data.load("digits", limit=200, batch_size=32)


def levels(kernel, axes):
    """The kernel in units of its channels' steps."""
    return kernel / (np.abs(kernel).max(axis=axes, keepdims=True) / 127)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (keras.layers.Dense(40), (1, 50), (0,)),
        (keras.layers.Conv2D(20, 3), (1, 6, 6, 8), (0, 1, 2)),
        (keras.layers.Conv1D(40, 3), (1, 6, 16), (0, 1)),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=8), (1, 6, 6, 16), (0, 1)),
        (kd.layers.OverTime(keras.layers.Dense(40)), (1, 4, 50), (0,)),
    ],
)
def test_every_channel_gets_its_own_255_levels(layer, shape, axes):
    model = keras.Sequential([keras.Input(shape[1:]), layer])
    inner = getattr(layer, "layer", layer)
    before = inner.kernel.numpy()
    assert kd.models.round_kernels(model) == 1
    after = inner.kernel.numpy()
    step = np.abs(before).max(axis=axes, keepdims=True) / 127
    assert np.all(np.abs(after - before) <= 0.5001 * step)
    assert not np.array_equal(after, before)
    found = levels(after, axes)
    np.testing.assert_allclose(found, np.round(found), atol=1e-4)


def test_small_kernels_biases_and_other_layers_stay_and_a_channel_of_zeros_stays_zero():
    image = keras.Input((10,))
    x = keras.layers.Dense(INT8_ELEMENTS // 10, name="small")(image)
    x = keras.layers.Reshape((INT8_ELEMENTS // 10, 1))(x)
    x = keras.layers.LSTM(40, name="recurrent")(x)
    model = keras.Model(image, keras.layers.Dense(40, bias_initializer="uniform", name="large")(x))
    large = model.get_layer("large")
    large.kernel.assign(large.kernel.numpy() * (np.arange(40) > 0))
    before = {weight.path: weight.numpy() for weight in model.weights}
    assert kd.models.round_kernels(model) == 1
    changed = [weight.path for weight in model.weights if not np.array_equal(weight.numpy(), before[weight.path])]
    assert changed == ["large/kernel"]
    assert np.all(large.kernel.numpy()[:, 0] == 0)


def test_rounding_twice_changes_nothing_more():
    model = kd.models.build("convnet:16,pool,24", (8, 8, 1), 10, timesteps=2)
    kd.models.round_kernels(model)
    before = model.get_weights()
    assert kd.models.round_kernels(model) == 1  # the 3x3x16x24 convolution; 3x3x1x16 is below 1,024 elements, like the classifier
    for first, second in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(second, first, rtol=1e-6)


def test_the_8_bit_file_of_a_rounded_network_has_its_logits(tmp_path):
    """Without rounding the same network and file differ by orders of magnitude more."""
    keras.utils.set_random_seed(1)
    model = kd.models.build("convnet:16,pool,24,flatten", (8, 8, 1), 10, timesteps=4, threshold=0.3)
    images = DATA.sample(64)[0]
    differences = []
    for prepare in (lambda model: None, kd.models.round_kernels):
        prepare(model)
        report = kd.export.litert(model, tmp_path / "net.tflite", quantize="dynamic", samples=images)
        differences.append(report.max_logit_difference / report.logit_range)
    assert differences[1] < 1e-5 < 1e-3 < differences[0]


@pytest.fixture(scope="module")
def rounded(tmp_path_factory):
    """The folder and the result of a stage with 8-bit weights."""
    folder = tmp_path_factory.mktemp("rounded") / "run"
    return folder, Chain([stage()], folder).run(DATA)["student"]


def stage(**arguments):
    def make():
        return kd.models.MLP((8, 8, 1), 10, widths=(24,), timesteps=2, name="student")

    return Stage(**{"name": "student", "student": make, "epochs": 1, "learning_rate": 0.01, "weight_bits": 8, **arguments})


def test_a_stage_saves_and_judges_the_rounded_weights(rounded):
    folder, result = rounded
    model = kd.models.load(folder / "student" / "model.keras")
    found = levels(model.get_layer("block1_dense").kernel.numpy(), (0,))
    np.testing.assert_allclose(found, np.round(found), atol=1e-4)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    accuracy = model.evaluate(DATA.validation, verbose=0, return_dict=True)["accuracy"]
    assert result.record["validation_accuracy"] == pytest.approx(accuracy)


def test_a_stage_is_not_resumed_with_other_bits(rounded):
    folder, _ = rounded
    with pytest.raises(kd.errors.KDError, match="weight_bits was 8 and is now 32"):
        Chain([stage(weight_bits=32)], folder).run(DATA, resume=True)


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match="weight_bits must be 8 or 32, got 4"):
        stage(weight_bits=4)
    with pytest.raises(ValueError, match="weight_bits must be 8 or 32, got 16"):
        kd.Recipe(weight_bits=16).resolved()
