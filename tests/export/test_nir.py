"""NIR files: what they compute by NIR's own definitions, what comes back from them, what is refused and what the gate finds."""

import importlib
import os
import sys

import keras
import numpy as np
import pytest
from keras import layers as klayers

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ExportError
from keras_snnkd.export.freeze import spiking_layers, tapped
from keras_snnkd.files.extras import MissingPackageError
from keras_snnkd.layers import Direct, Latency, MeanOverTime, OverTime
from keras_snnkd.models import nir_file
from keras_snnkd.neurons import IF, LIF
from tests import nir_files
from tests.export.conftest import SHAPE, busy

h5py, nir = pytest.importorskip("h5py"), pytest.importorskip("nir")
WRITER = importlib.import_module("keras_snnkd.export.nir_writer")


@pytest.fixture(scope="module", autouse=True)
def _quick_reader():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nir_file, "unpack", nir_files.unpack_here)
        yield


CASES = {
    "pooled": {"spec": "convnet:8,pool,16", "head": "flatten", "pooling": "average"},
    "residual": {"spec": "resnet:8,16/1,1", "normalization": "threshold", "decay_input": False, "tau": 4.0},
    "latency": {"spec": "mlp:32", "neuron": "plif", "encoder": "latency", "readout": "membrane", "timesteps": 6},
    "counting": {"spec": "mlp:32", "neuron": "if", "readout": "spike_count", "v_reset": -0.25},
}


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory, samples):
    """A model with rounded weights, so that all sums are exact, its file and the report."""
    model = busy(**CASES[request.param])
    if request.param != "latency":  # a learned time constant rounds all the same
        kd.models.round_weights(model)
    path = tmp_path_factory.mktemp("nir") / "student.nir"
    return model, path, kd.export.nir(model, path, samples=samples)


def frames(model, samples):
    """What the file's input sees: the image at every step, or what the encoder makes of it; channels first."""
    encoder = model.get_layer("encoder")
    x = encoder(samples) if isinstance(encoder, Latency) else np.repeat(samples[:, None], encoder.timesteps, 1)
    return nir_files.channels_first(np.asarray(x), 2)


@pytest.mark.every(2)
def test_by_nirs_definitions_the_file_gives_the_spikes_and_logits_of_the_model(written, samples):
    model, path, _ = written
    taps = spiking_layers(model)
    ours, found = tapped(model, taps)(samples), nir_files.run(path, frames(model, samples))
    for tap in taps:
        spikes = nir_files.channels_first(np.asarray(ours[tap]), 2)
        assert 0.01 < spikes.mean() < 0.9
        np.testing.assert_array_equal(found[tap], spikes)
    per_step, readout = found["output"], model.get_layer("readout")
    np.testing.assert_allclose(readout(per_step), ours["logits"], atol=1e-5)


@pytest.mark.every(4)
def test_reading_back_gives_the_same_spikes_and_logits_to_the_last_bit(written, samples):
    model, path, _ = written
    back = models.from_nir(path)
    taps = spiking_layers(model)
    assert spiking_layers(back) == taps
    ours, theirs = tapped(model, taps)(samples), tapped(back, taps)(samples)
    for name in ours:
        np.testing.assert_array_equal(theirs[name], ours[name])


def content(path):
    """All nodes of a file and the set of its edges."""
    with h5py.File(path) as file:
        nodes = {name: {key: np.asarray(value[()]).tolist() for key, value in node.items()} for name, node in file["node/nodes"].items()}
        return nodes, {tuple(edge) for edge in file["node/edges"][()].tolist()}


@pytest.mark.every(4)
def test_a_file_read_and_written_again_is_the_same_file(written, samples, tmp_path):
    _, path, _ = written
    kd.export.nir(models.from_nir(path), tmp_path / "again.nir", samples=samples[:8])
    assert content(path) == content(tmp_path / "again.nir")


@pytest.mark.slow
def test_the_model_that_comes_back_has_the_neurons_of_the_first(written):
    model, path, _ = written
    back = models.from_nir(path)
    for name in spiking_layers(model):
        ours, theirs = model.get_layer(name).get_config(), back.get_layer(name).get_config()
        for key in {"threshold", "v_reset", "reset", "decay_input"} & set(ours):
            assert theirs[key] == ours[key], key
        if isinstance(model.get_layer(name), LIF):
            assert theirs["tau"] == ours["tau"]
    assert back.get_layer("encoder").timesteps == model.get_layer("encoder").timesteps
    assert type(back.get_layer("readout")) is type(model.get_layer("readout"))


def test_the_report_tells_nodes_agreement_and_size(written):
    model, path, report = written
    assert report.target == "nir"
    assert report.agreement == 1.0
    assert set(report.spike_differences) == set(spiking_layers(model))
    assert report.operators["Input"] == report.operators["Output"] == 1
    assert report.bytes == path.stat().st_size
    assert os.listdir(path.parent) == ["student.nir"]


# What NIR cannot say


def small(*parts, shape=(4, 4, 2)):
    """A model of these layers, with a readout."""
    x = image = keras.Input(shape)
    for layer in parts:
        x = layer(x)
    return keras.Model(image, MeanOverTime(name="readout")(x))


def flat(*parts):
    return small(klayers.Flatten(), *parts, Direct(2, name="encoder"), LIF(), OverTime(klayers.Dense(3)))


REFUSED = {
    "soft reset": (
        lambda: models.build("mlp:4", SHAPE, 10, reset="soft"),
        r"'block1_neuron' \(LIF\) subtracts the threshold.*reset='hard'",
    ),
    "adaptive": (lambda: models.build("mlp:4", SHAPE, 10, neuron="alif"), r"'block1_neuron' \(ALIF\) has an adaptive threshold"),
    "adaptation": (
        lambda: models.build("mlp:4", SHAPE, 10, neuron="adlif"),
        r"'block1_neuron' \(AdLIF\) has an adaptation current or recurrent",
    ),
    "recurrent": (
        lambda: models.build("mlp:4", SHAPE, 10, neuron="rlif"),
        r"'block1_neuron' \(RLIF\) has an adaptation current or recurrent",
    ),
    "both": (
        lambda: models.build("mlp:4", SHAPE, 10, neuron="radlif"),
        r"'block1_neuron' \(RadLIF\) has an adaptation current or recurrent",
    ),
    "padding": (lambda: models.SequenceNet((6, 2), 3, widths=(4,)), r"'standardize' \(Standardize\) marks padded steps.*padded=False"),
    "frames": (lambda: models.SequenceNet((6, 2), 3, widths=(4,), padded=False, frames=3), r"'frames'.*puts several steps into one"),
    "votes": (lambda: models.SequenceNet((6, 2), 3, widths=(4,), padded=False, readout="softmax_sum"), "readout"),
    "maximum": (lambda: models.build("convnet:4,pool", SHAPE, 10), r"'pool1'.*takes maxima.*pooling='average'"),
    "twin": (lambda: models.build("mlp:4", SHAPE, 10, neuron="relu"), r"'block1_neuron' \(ReLU\) is no spiking neuron"),
    "same": (lambda: flat_conv(padding="same", strides=2), r"'conv' \(Conv2D\) pads one side more.*ZeroPadding2D"),
    "even kernel": (lambda: flat_conv(kernel_size=2, padding="same"), r"pads one side more"),
    "groups": (lambda: flat_conv(groups=2), r"has groups"),
    "oblong": (lambda: flat_conv(kernel_size=(1, 3)), r"not square"),
    "activation": (lambda: flat(klayers.Dense(4, "relu", name="dense")), r"'dense' \(Dense\) has the activation 'relu'"),
    "norm alone": (lambda: flat(klayers.BatchNormalization(name="norm")), r"'norm'.*cannot be folded"),
    "padded pool": (
        lambda: small(klayers.ZeroPadding2D(1), klayers.AveragePooling2D(2, name="pool"), klayers.Flatten(), Direct(2), LIF()),
        r"'pool'.*reads padded maps",
    ),
    "unknown": (lambda: flat(klayers.LayerNormalization(name="norm")), r"'norm'.*is a LayerNormalization, for which NIR has no node"),
    "pixels": (lambda: small(klayers.Dense(4, name="dense"), Direct(2), LIF(), OverTime(klayers.Flatten())), r"'dense'.*pixel by pixel"),
    "order": (lambda: small(Direct(2), LIF(), OverTime(klayers.Flatten())), r"'readout'.*flattened maps"),
    "no readout": (lambda: keras.Model(image := keras.Input((4,)), klayers.Dense(3)(image)), "does not end in a readout"),
}


def flat_conv(kernel_size=3, **arguments):
    conv = klayers.Conv2D(4, kernel_size, name="conv", **arguments)
    return small(conv, Direct(2), LIF(), OverTime(klayers.Flatten()), OverTime(klayers.Dense(3)))


@pytest.mark.every(3)
@pytest.mark.parametrize("name", REFUSED)
def test_what_nir_cannot_say_is_refused_by_the_layers_name(name, tmp_path):
    build, match = REFUSED[name]
    model = build()
    with pytest.raises(ExportError, match=match):
        kd.export.nir(model, tmp_path / "student.nir", samples=np.ones((2, *model.input_shape[1:]), "float32"))
    assert os.listdir(tmp_path) == []


@pytest.mark.every(4)
@pytest.mark.parametrize("more", [{}, {"learn_tau": "neuron"}, {"readout": "membrane"}, {"neuron": "if"}], ids=str)
def test_networks_of_whole_series_come_back_from_their_files(more, tmp_path):
    keras.utils.set_random_seed(0)
    model = models.SequenceNet((6, 2), 3, widths=(8, 8), padded=False, norm_scale=3.0, **more)
    model.get_layer("standardize").set_statistics(np.array([1.0, -2.0]), np.array([0.5, 4.0]))
    series = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 4.0], (16, 6, 2)).astype("float32")
    report = kd.export.nir(model, tmp_path / "student.nir", samples=series)
    assert report.agreement == 1.0
    assert report.operators["Affine"] == 4  # the scale, and three synapses
    np.testing.assert_allclose(models.from_nir(tmp_path / "student.nir")(series), model(series), atol=1e-4)


def test_a_model_whose_inputs_have_time_and_whose_neurons_read_flattened_maps(tmp_path):
    rng = np.random.default_rng(0)
    model = small(
        OverTime(klayers.ZeroPadding2D((1, 0))),
        OverTime(klayers.Conv2D(3, 3, strides=2, padding="same")),  # 6+2 rows and 5 columns: even padding on the second axis only
        OverTime(klayers.Flatten()),
        IF(name="first"),
        OverTime(klayers.Dense(4)),
        shape=(3, 5, 5, 2),
    )
    x = rng.integers(0, 3, (4, *model.input_shape[1:])).astype("float32")
    report = kd.export.nir(model, tmp_path / "events.nir", samples=x)
    assert report.spike_differences == {"first": 0.0}
    found = nir_files.run(tmp_path / "events.nir", nir_files.channels_first(x, 2))
    np.testing.assert_allclose(found["output"].mean(1), model(x), atol=1e-5)
    assert 0 < found["first"].mean() < 1
    np.testing.assert_allclose(models.from_nir(tmp_path / "events.nir")(x), model(x), atol=1e-5)


# Files that do not do what the model does


@pytest.mark.parametrize("spec", ["mlp:8", "convnet:4,flatten"])
def test_neurons_with_time_constants_of_their_own_come_back(spec, samples, tmp_path):
    model = busy(spec, neuron="lif", learn_tau="neuron", pooling="average") if "conv" in spec else busy(spec, learn_tau="neuron")
    layer = model.get_layer("block1_neuron")
    layer.w.assign(np.random.default_rng(0).normal(0.0, 1.0, layer.w.shape))
    kd.export.nir(model, tmp_path / "taus.nir", samples=samples)
    back = models.from_nir(tmp_path / "taus.nir")
    np.testing.assert_allclose(back.get_layer("block1_neuron").leak, layer.leak, rtol=1e-5)


@pytest.fixture(scope="module")
def dense():
    return busy("convnet:6", head="flatten")


def broken_threshold(monkeypatch):
    monkeypatch.setattr(WRITER, "above", lambda threshold: 1.05 * threshold)


def broken_order(monkeypatch):
    writer = WRITER.Writer
    monkeypatch.setattr(writer, "graph", lambda self, graph=writer.graph: setattr(self, "maps", Forgetful()) or graph(self))


class Forgetful(dict):
    def get(self, key, default=None):
        return None


def broken_fold(monkeypatch):
    monkeypatch.setattr(
        WRITER.Writer,
        "folded_weights",
        lambda self, inner, layer, fold=WRITER.Writer.folded_weights: [array * (array.ndim > 1) for array in fold(self, inner, layer)],
    )


def broken_step(monkeypatch):
    monkeypatch.setattr(WRITER, "DT", 2e-4)


@pytest.mark.every(4)
@pytest.mark.parametrize(
    ("break_it", "match"),
    [
        (broken_threshold, r"layer block1_neuron: \d+ of its .* spikes"),
        (broken_order, r"\d+ of 64 predictions differ although the spikes do not"),
        (broken_fold, r"layer block1_neuron: \d+ of its .* spikes"),
        (broken_step, r"layer block1_neuron: \d+ of its .* spikes"),
    ],
)
def test_the_gate_finds_a_file_that_says_something_else(break_it, match, dense, samples, tmp_path, monkeypatch):
    break_it(monkeypatch)
    with pytest.raises(ExportError, match=match):
        kd.export.nir(dense, tmp_path / "student.nir", samples=samples)
    assert os.listdir(tmp_path) == []


def test_without_the_package_one_line_says_what_to_install(dense, samples, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(MissingPackageError, match=r"needs the package nir: pip install 'keras_snnkd\[nir\]'"):
        kd.export.nir(dense, tmp_path / "student.nir", samples=samples)
