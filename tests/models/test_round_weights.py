"""Weights rounded to a grid: what changes, what does not, and that files then compute what the model does."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.stage import Stage

DATA = kd.data.load("digits", limit=200, batch_size=32)


def levels(kernel, axes):
    """The kernel in units of its channels' steps."""
    return kernel / (np.abs(kernel).max(axis=axes, keepdims=True) / 127)


def settled(spec, seed=0, image_shape=(8, 8, 1), **arguments):
    """A network whose batch norms have seen images, and whose gammas and betas are as different as after training."""
    keras.utils.set_random_seed(seed)
    model = kd.models.build(spec, image_shape, 10, **arguments)
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (64, *image_shape)).astype("float32") / 256
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(layer.gamma * random.uniform(0.5, 2.0, layer.gamma.shape))
            layer.beta.assign(random.normal(0.3, 0.3, layer.beta.shape))
    model(images, training=True)
    return model, images


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
    assert kd.models.round_weights(model) == 1
    after = inner.kernel.numpy()
    largest = np.abs(before).max(axis=axes, keepdims=True)
    inside = np.abs(before) < 0.96 * largest  # the largest weights meet the step's few bits
    assert np.all((np.abs(after - before) <= 0.52 * largest / 127) | ~inside)
    np.testing.assert_allclose(np.abs(after).max(axis=axes, keepdims=True), largest, rtol=2**-5)
    assert not np.array_equal(after, before)
    found = levels(after, axes)
    np.testing.assert_allclose(found, np.round(found), atol=1e-4)


def test_other_layers_stay_and_a_channel_of_zeros_stays_zero():
    image = keras.Input((10,))
    x = keras.layers.Reshape((10, 1))(image)
    x = keras.layers.LSTM(40, name="recurrent")(x)
    model = keras.Model(image, keras.layers.Dense(40, bias_initializer="uniform", name="large")(x))
    large = model.get_layer("large")
    large.kernel.assign(large.kernel.numpy() * (np.arange(40) > 0))
    before = {weight.path: weight.numpy() for weight in model.weights}
    assert kd.models.round_weights(model) == 1
    changed = [weight.path for weight in model.weights if not np.array_equal(weight.numpy(), before[weight.path])]
    assert changed == ["large/kernel", "large/bias"]
    assert np.all(large.kernel.numpy()[:, 0] == 0)


@pytest.mark.parametrize("spec", ["convnet:16,pool,24,flatten", "resnet:8,16/1,1", "mlp:24,16"])
def test_rounding_twice_changes_nothing_more(spec):
    model, _ = settled(spec)
    kd.models.round_weights(model)
    before = model.get_weights()
    kd.models.round_weights(model)
    for first, second in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(second, first)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("neuron", ["lif", "relu"])
def test_what_a_network_computes_changes_by_the_rounding_only(neuron, training):
    """Also in training, where batch norm takes the batch's moments."""
    model, images = settled("convnet:16,pool,24,flatten", neuron=neuron)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    currents = keras.Model(model.input, norms[0].output)
    before, moments = currents(images, training=training).numpy(), [norm.moving_variance.numpy() for norm in norms]
    kd.models.round_weights(model)
    for norm in norms:
        norm.momentum = 0.99
    after = currents(images, training=training).numpy()
    if training:  # where gamma became a power of two, the currents are its multiple of what they were
        factor = (after * before).mean((0, 1, 2)) / (before * before).mean((0, 1, 2))
        assert np.all((factor > 0.6) & (factor < 1.6))
    else:
        np.testing.assert_allclose(after, before, atol=0.05 * np.abs(before).max())
    assert any(np.abs(old - norm.moving_variance.numpy()).max() > 0.01 for old, norm in zip(moments, norms, strict=True))


EXACT = {
    "convolutions": {"spec": "convnet:16,pool,24,flatten"},
    "residual": {"spec": "resnet:8,16/1,1"},
    "threshold norm": {"spec": "convnet:16,24,average", "normalization": "threshold"},
    "dense": {"spec": "mlp:64,32", "reset": "soft", "threshold": 0.5},
    "counts": {"spec": "mlp:32", "readout": "spike_count", "encoder": "latency"},
    "colour": {"spec": "convnet:32,pool,64,pool,64,flatten", "image_shape": (16, 16, 3)},
}


@pytest.mark.every(3)
@pytest.mark.parametrize("case", EXACT)
def test_float32_and_float64_give_the_same_logits(case):
    """So no sum was rounded, and none depends on its order."""
    model, images = settled(**EXACT[case])
    kd.models.round_weights(model)
    keras.config.set_dtype_policy("float64")
    try:
        double, _ = settled(**EXACT[case])
    finally:
        keras.config.set_dtype_policy("float32")
    kd.models.copy_weights(model, double)
    np.testing.assert_array_equal(model(images), double(images.astype("float64")))


@pytest.mark.slow
def test_a_file_of_a_rounded_network_has_its_logits(tmp_path):
    """To the last bit in float32; without rounding the gate refuses the same network's 8-bit file."""
    model, images = settled("convnet:16,pool,24,flatten", timesteps=4, threshold=0.3)
    with pytest.raises(kd.errors.ExportError, match="predictions agree, demanded are 97%"):
        kd.export.litert(model, tmp_path / "net.tflite", quantize="dynamic", samples=images)
    kd.models.round_weights(model)
    exact, small = (kd.export.litert(model, tmp_path / f"{kind}.tflite", quantize=kind, samples=images) for kind in ("float32", "dynamic"))
    assert exact.max_logit_difference == 0
    assert set(exact.spike_differences.values()) == {0.0}
    assert small.max_logit_difference < 1e-5 * small.logit_range


@pytest.fixture(scope="module")
def rounded(tmp_path_factory):
    """The folder and the result of a stage with 8-bit weights."""
    folder = tmp_path_factory.mktemp("rounded") / "run"
    return folder, Chain([stage()], folder).run(DATA)["student"]


def stage(**arguments):
    def make():
        return kd.models.MLP((8, 8, 1), 10, widths=(24,), timesteps=2, name="student")

    return Stage(**{"name": "student", "student": make, "epochs": 1, "learning_rate": 0.01, "weight_bits": 8, **arguments})


@pytest.mark.slow
def test_a_stage_saves_and_judges_the_rounded_weights(rounded):
    folder, result = rounded
    model = kd.models.load(folder / "student" / "model.keras")
    found = levels(model.get_layer("block1_dense").kernel.numpy(), (0,))
    np.testing.assert_allclose(found, np.round(found), atol=1e-4)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    accuracy = model.evaluate(DATA.validation, verbose=0, return_dict=True)["accuracy"]
    assert result.record["validation_accuracy"] == pytest.approx(accuracy)


@pytest.mark.slow
def test_a_stage_is_not_resumed_with_other_bits(rounded):
    folder, _ = rounded
    with pytest.raises(kd.errors.KDError, match="weight_bits was 8 and is now 32"):
        Chain([stage(weight_bits=32)], folder).run(DATA, resume=True)


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match="weight_bits must be 8 or 32, got 4"):
        stage(weight_bits=4)
    with pytest.raises(ValueError, match="weight_bits must be 8 or 32, got 16"):
        kd.Recipe(weight_bits=16).resolved()
