"""What every builder makes with every neuron: a model that trains, is saved and gives the same spikes again."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_snnkd
from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import Direct, MeanOverTime, OverTime
from keras_snnkd.models import MLP, ConvNet, ResNet, build, load
from keras_snnkd.neurons import LIF
from tests.harness import to_numpy
from tests.sampling import sampled

SPECS = {
    "MLP": {"builder": "MLP", "widths": [8]},
    "ConvNet": {"builder": "ConvNet", "widths": [4, "pool", 6]},
    "ResNet": {"builder": "ResNet", "widths": [4, 6], "blocks": [1, 1]},
}
NEURONS = ["lif", "if", "plif", "alif", "relu"]
IMAGES = np.random.default_rng(0).uniform(size=(8, 6, 6, 2)).astype("float32")
LABELS = np.arange(8) % 3

every_builder = pytest.mark.parametrize("builder", SPECS)
every_neuron = pytest.mark.parametrize("neuron", NEURONS)


def small(builder="ConvNet", **arguments):
    return build(SPECS[builder], (6, 6, 2), 3, **{"timesteps": 3, "threshold": 0.5, **arguments})


def train(model, **arguments):
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **arguments)
    return model.fit(IMAGES, LABELS, batch_size=8, verbose=0).history["loss"][0]


def taps(model, *names):
    """Logits and the outputs of these layers, or of all neurons."""
    names = names or [layer.name for layer in model.layers if "neuron" in layer.name]
    both = keras.Model(model.input, [model.output, *(model.get_layer(name).output for name in names)])
    return [to_numpy(output) for output in both(IMAGES)]


NETWORKS = [(builder, neuron) for builder in SPECS for neuron in NEURONS]
EACH_NEURON_ONCE = [(list(SPECS)[number % len(SPECS)], neuron) for number, neuron in enumerate(NEURONS)]


@pytest.mark.every(8)
@pytest.mark.parametrize("network", sampled(NETWORKS, *EACH_NEURON_ONCE), ids="-".join)
def test_trains_and_comes_back_from_a_file_with_the_same_spikes(network, tmp_path):
    builder, neuron = network
    model = small(builder, neuron=neuron)
    assert (model.input_shape, model.output_shape) == ((None, 6, 6, 2), (None, 3))
    before = [to_numpy(weight.value) for weight in model.trainable_weights]
    assert np.isfinite(train(model, run_eagerly=True))
    assert all(np.any(old != weight.value) for old, weight in zip(before, model.trainable_weights, strict=True))

    model.save(tmp_path / "model.keras")
    for saved, loaded in zip(taps(model), taps(load(tmp_path / "model.keras")), strict=True):
        assert np.any(saved)
        np.testing.assert_array_equal(saved, loaded)


@pytest.mark.every(3)
@every_builder
@every_neuron
def test_neurons_give_spikes_over_time_and_relu_gives_neither(builder, neuron):
    logits, *spikes = taps(small(builder, neuron=neuron))
    assert logits.shape == (8, 3)
    for layer in spikes:
        if neuron == "relu":
            assert len(np.unique(layer)) > 2
        else:
            assert layer.shape[:2] == (8, 3)
            assert set(np.unique(layer)) <= {0.0, 1.0}


@pytest.mark.every(2)
@pytest.mark.parametrize(("jit_compile", "encoder"), [(False, "direct"), (True, "poisson")])
def test_trains_in_a_graph_with_and_without_xla(jit_compile, encoder):
    assert np.isfinite(train(small("MLP", encoder=encoder), jit_compile=jit_compile))


@pytest.mark.every(3)
@pytest.mark.parametrize(("builder", "readout"), [("MLP", "spike_count"), ("ConvNet", "membrane"), ("ResNet", "mean")])
def test_trains_in_mixed_precision_with_float32_logits(builder, readout):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = small(builder, readout=readout)
    assert model.get_layer("classifier").compute_dtype == "bfloat16"
    assert model.output.dtype == keras.backend.standardize_dtype(model(IMAGES).dtype) == "float32"
    assert np.isfinite(train(model, run_eagerly=True))


@pytest.mark.slow
def test_loads_in_a_fresh_process(tmp_path):
    model = small(neuron="plif", encoder="latency", threshold=0.1)
    train(model, run_eagerly=True)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    code = """
import keras, keras_snnkd, numpy as np
model = keras.models.load_model("model.keras")
both = keras.Model(model.input, [model.output, model.get_layer("block2_neuron").output])
logits, spikes = both(np.load("images.npy"))
np.savez("outputs.npz", logits=logits, spikes=spikes)
"""
    package = str(pathlib.Path(keras_snnkd.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": package}, check=True, capture_output=True)
    outputs = np.load(tmp_path / "outputs.npz")
    logits, spikes = taps(model, "block2_neuron")
    assert np.any(spikes)
    np.testing.assert_array_equal(outputs["spikes"], spikes)
    np.testing.assert_allclose(outputs["logits"], logits, rtol=1e-6, atol=1e-6)


# what the layers of a model are


@every_builder
def test_a_static_image_passes_the_first_synapse_once(builder):
    model = small(builder)
    first, *others = [layer for layer in model.layers if layer.name.endswith(("_conv", "_dense", "classifier"))]
    assert len(first.input.shape) == (2 if builder == "MLP" else 4)
    assert all(isinstance(layer, OverTime) and layer.input.shape[1] == 3 for layer in others)
    assert len(others) == {"MLP": 1, "ConvNet": 2, "ResNet": 6}[builder]


@pytest.mark.parametrize("training", [False, True])
def test_which_gives_what_repeating_the_image_first_gives(training):
    model = ConvNet((6, 6, 2), 3, widths=(4,), head="average", timesteps=3, threshold=0.5)
    image = keras.Input((6, 6, 2))
    x = OverTime(keras.layers.Conv2D(4, 3, padding="same", use_bias=False))(Direct(3)(image))
    spikes = LIF(threshold=0.5)(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = OverTime(keras.layers.GlobalAveragePooling2D())(spikes)
    slow = keras.Model(image, MeanOverTime()(OverTime(keras.layers.Dense(3))(x)))
    slow.set_weights(model.get_weights())

    expected = slow(IMAGES, training=training)
    assert np.any(expected)
    np.testing.assert_allclose(model(IMAGES, training=training), expected, rtol=1e-5, atol=1e-5)
    for fast_weight, slow_weight in zip(model.weights, slow.weights, strict=True):
        np.testing.assert_allclose(fast_weight, slow_weight, rtol=1e-4, atol=1e-5)


@pytest.mark.every(3)
@every_builder
@every_neuron
def test_the_number_of_time_steps_changes_no_weight(builder, neuron):
    one, eight = small(builder, neuron=neuron, timesteps=1), small(builder, neuron=neuron, timesteps=8)
    assert [(w.path, w.shape) for w in one.weights] == [(w.path, w.shape) for w in eight.weights]
    eight.set_weights(one.get_weights())


@pytest.mark.parametrize("encoder", ["poisson", "latency"])
def test_an_encoder_gives_the_first_convolution_spikes_over_time(encoder):
    model = small(encoder=encoder)
    _, spikes, currents = taps(model, "encoder", "block1_conv")
    assert spikes.shape == (8, 3, 6, 6, 2)
    assert set(np.unique(spikes)) == {0.0, 1.0}
    assert currents.shape == (8, 3, 6, 6, 4)
    assert np.isfinite(train(model, run_eagerly=True))


def test_the_mean_readout_averages_the_logits_of_the_steps():
    logits, steps = taps(small(), "classifier")
    np.testing.assert_allclose(logits, steps.mean(axis=1), rtol=1e-6, atol=1e-7)


def test_the_spike_count_readout_counts_the_spikes_of_the_classes():
    logits, spikes = taps(small(readout="spike_count", threshold=0.1), "output_neuron")
    assert logits.max() > 0
    np.testing.assert_array_equal(logits, spikes.sum(axis=1))


def test_the_membrane_readout_leaks_as_the_neurons_do():
    logits, steps = taps(small(readout="membrane", tau=4.0), "classifier")
    potential = 0
    for t in range(3):
        potential = potential + (steps[:, t] - potential) / 4
    np.testing.assert_allclose(logits, potential, rtol=1e-5, atol=1e-6)


def test_the_membrane_of_the_readout_is_not_rounded_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    logits = small(readout="membrane")(IMAGES)
    assert np.any(logits != keras.ops.cast(keras.ops.cast(logits, "bfloat16"), "float32"))


@pytest.mark.parametrize(
    ("neuron", "arguments"),
    [
        ("lif", {"tau": 3.0, "reset": "soft", "decay_input": False}),
        ("if", {"threshold": 0.8, "detach_reset": False}),
        ("plif", {"tau": 3.0, "v_reset": -0.5}),
        ("alif", {"adaptation": 0.7, "tau_adaptation": 9.0}),
    ],
)
@every_builder
def test_neuron_arguments_reach_every_neuron(builder, neuron, arguments):
    model = small(builder, neuron=neuron, readout="spike_count", **arguments)
    layers = [layer for layer in model.layers if "neuron" in layer.name]
    assert len(layers) == {"MLP": 2, "ConvNet": 3, "ResNet": 6}[builder]
    assert all(arguments.items() <= {name: layer.get_config()[name] for name in arguments}.items() for layer in layers)


def test_threshold_normalization_starts_at_the_threshold():
    model = small(normalization="threshold", threshold=0.7)
    np.testing.assert_array_equal(model.get_layer("block2_norm").gamma, np.full(6, 0.7, "float32"))


def test_average_pooling_gives_the_mean_of_four_spikes_and_maximum_is_the_default():
    spikes = np.zeros((1, 3, 6, 6, 4), "float32")
    spikes[0, 0, 0, :2, 0] = 1
    pools = {pooling: small(pooling=pooling, widths=[4, "pool", 6]).get_layer("pool1") for pooling in ("max", "average")}
    assert [float(pool(spikes)[0, 0, 0, 0, 0]) for pool in pools.values()] == [1.0, 0.5]
    assert type(small().get_layer("pool1").layer) is keras.layers.MaxPooling2D


# what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"neuron": "lfi"}, "unknown neuron 'lfi'. Did you mean 'lif'?"),
        ({"encoder": "posson"}, "unknown encoder 'posson'. Did you mean 'poisson'?"),
        ({"readout": "spikecount"}, "unknown readout 'spikecount'. Did you mean 'spike_count'?"),
        ({"normalization": "treshold"}, "unknown normalization 'treshold'. Did you mean 'threshold'?"),
        ({"head": "flat"}, "unknown head 'flat'. Did you mean 'flatten'?"),
        ({"pooling": "avg"}, "unknown pooling 'avg'. Did you mean 'average'? Known: average, max."),
        ({"taus": 3.0}, "unknown argument (neuron='lif') 'taus'. Did you mean 'tau'?"),
        ({"timestep": 3}, "unknown argument (neuron='lif') 'timestep'. Did you mean 'timesteps'?"),
        ({"neuron": "if", "tau": 3.0}, "unknown argument (neuron='if') 'tau'."),
        ({"neuron": "relu", "treshold": 3.0}, "unknown argument (neuron='relu') 'treshold'. Did you mean 'threshold'?"),
        ({"return_state": True}, "unknown argument (neuron='lif') 'return_state'"),
        ({"tau": 0.5}, "block1_neuron: tau must be greater than 1 ms (one time step), got 0.5"),
        ({"timesteps": 0}, "the number of time steps T must be a whole number above 0, got 0"),
        ({"num_classes": 0}, "num_classes must be a whole number above 0, got 0"),
        ({"num_classes": "10"}, "num_classes must be a whole number above 0, got '10'"),
        ({"image_shape": (8, 8)}, "three whole numbers above 0, or (N, H, W, 2) of frames of events, got (8, 8)"),
        ({"image_shape": (8, 8, 0)}, "three whole numbers above 0, or (N, H, W, 2) of frames of events, got (8, 8, 0)"),
        ({"image_shape": (None, 8, 1)}, "three whole numbers above 0, or (N, H, W, 2) of frames of events, got (None, 8, 1)"),
        ({"image_shape": 64}, "three whole numbers above 0, or (N, H, W, 2) of frames of events, got 64"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_with_what_can(arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared below
        ConvNet(**{"image_shape": (8, 8, 1), "num_classes": 10, "widths": (4,), **arguments})
    assert message in str(error.value)


@pytest.mark.parametrize("neuron", ["lif", "relu"])
@pytest.mark.parametrize("encoder", ["direct", "latency"])
def test_images_too_small_for_the_pools_are_refused(neuron, encoder):
    widths = [4, "pool"] * 4
    with pytest.raises(ShapeError, match=r"images \(8, 8, 1\) are too small for 4 poolings: pool4.* 1x1"):
        ConvNet((8, 8, 1), 10, widths=widths, neuron=neuron, encoder=encoder)
    assert ConvNet((16, 16, 1), 10, widths=widths, neuron=neuron, encoder=encoder).output_shape == (None, 10)


@pytest.mark.parametrize(
    ("builder", "widths"),
    [
        *[(ConvNet, widths) for widths in [(), ("pool",), 16, "16", (0,), (-4,), (1.5,), (True,), (16, "poll")]],
        *[(MLP, widths) for widths in [(), 16, (16, "pool")]],
        *[(ResNet, widths) for widths in [(), (16, "pool")]],
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_widths_that_are_none_are_refused(builder, widths):
    with pytest.raises(ValueError, match=r"widths must be a list of whole numbers above 0.* at least one number, got"):
        builder((8, 8, 1), 10, widths)


@pytest.mark.parametrize("blocks", [(1,), (1, 0), (1, -1), (1, "a"), 2], ids=str)
def test_blocks_must_fit_the_stages(blocks):
    with pytest.raises(ValueError, match=r"blocks must (be a list of whole numbers|have as many entries)"):
        ResNet((8, 8, 1), 10, widths=(4, 8), blocks=blocks)
