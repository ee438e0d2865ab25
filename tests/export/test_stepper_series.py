"""One step of a network for series: its files do what the model does on whole series, whatever their lengths."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.edge import Runner
from keras_snnkd.errors import UnsupportedError
from keras_snnkd.export import streaming
from keras_snnkd.files.padding import lengths
from tests.sampling import sampled

STEPS = 12
pytestmark = pytest.mark.usefixtures("in_process")


def series(padded=True):
    random = np.random.default_rng(0)
    made = random.normal(0.0, 2.0, (16, STEPS, 3)).astype("float32")
    if padded:
        for one, length in zip(made, random.integers(4, STEPS + 1, 16), strict=True):
            one[length:] = 0
    return made


def student(**more):
    """A network whose neurons fire."""
    keras.utils.set_random_seed(0)
    model = models.SequenceNet((STEPS, 3), 4, widths=(12, 12), **more)
    model.get_layer("standardize").set_statistics([0.1, 0.2, -0.1], [2.0, 1.5, 1.0])
    for block in (1, 2):
        model.get_layer(f"block{block}_norm").gamma.assign(np.full(12, 6.0))
    return model


NETS = {
    "adlif": {"neuron": "adlif", "coupling": "symplectic"},
    "recurrent convolution": {"neuron": "radlif", "kernel": 3, "dilation": 2, "readout": "softmax_sum"},
    "whole windows": {"neuron": "rlif", "readout": "membrane", "padded": False},
}


@pytest.mark.parametrize("name", sampled(NETS))
def test_the_file_of_one_step_does_what_the_model_does(name, tmp_path):
    model, samples = student(**NETS[name]), series(NETS[name].get("padded", True))
    report = streaming(model, tmp_path / "step.tflite", samples=samples)
    assert report.agreement == 1.0
    runner = Runner(tmp_path / "step.tflite")
    assert runner.padded == NETS[name].get("padded", True)
    np.testing.assert_allclose(runner.predict(samples), model(samples), rtol=1e-3, atol=1e-3)
    spikes = keras.Model(model.inputs[0], model.get_layer("block2_neuron").output)(samples)
    assert 0.02 < np.mean(spikes) < 0.9


@pytest.mark.slow
def test_an_ann_of_series_runs_step_by_step_as_its_spiking_twin(tmp_path):
    model, samples = student(neuron="relu", kernel=3, dilation=2), series()
    report = streaming(model, tmp_path / "step.tflite", samples=samples)
    assert report.agreement == 1.0
    runner = Runner(tmp_path / "step.tflite")
    assert (runner.streaming, runner.padded, runner.readout) == (True, True, "mean")
    np.testing.assert_allclose(runner.predict(samples), model(samples), rtol=1e-4, atol=1e-4)


@pytest.mark.merge
def test_a_stream_goes_on_sample_by_sample_and_stops_when_it_is_sure(tmp_path):
    model, samples = student(**NETS["recurrent convolution"]), series()
    streaming(model, tmp_path / "step.tflite", samples=samples)
    runner = Runner(tmp_path / "step.tflite")
    whole = runner.run(samples[0], until_confidence=None)
    assert whole.steps == lengths(samples)[0]
    runner.reset()
    total = sum(runner.step(sample).astype("float64") for sample in samples[0, : whole.steps])
    np.testing.assert_allclose(total, whole.logits, rtol=1e-5)
    assert runner.run(samples[0], until_confidence=float(kd.edge.readout.softmax(whole.logits).max()) / 2).steps < whole.steps
    held = _memory()
    for _ in range(100_000 // STEPS):
        for sample in samples[1]:
            runner.step(sample)
    assert _memory() - held < 2**20  # flat, however long the stream


def _memory():
    """Bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_the_file_with_weights_of_8_bits_is_checked_on_whole_series(tmp_path):
    report = streaming(student(**NETS["adlif"]), tmp_path / "step.tflite", "dynamic", samples=series())
    assert report.samples == 16
    assert Runner(tmp_path / "step.tflite").predict(series()).shape == (16, 4)


@pytest.mark.slow
def test_integers_of_padded_series_are_a_file_of_one_step(tmp_path):
    aware = models.quantize_aware(student(neuron="lif", tau=3.0), series())
    with pytest.warns(UserWarning, match="takes padded series, .* written as one step"):
        (report,) = kd.export.export_all(aware, tmp_path, series(), quantizations=("int8",))
    assert Path(report.path).name == "model_streaming_int8.tflite"
    with pytest.raises(UnsupportedError, match=r"takes padded series.*keras_snnkd\.export\.streaming"):
        kd.export.litert(aware, tmp_path / "whole.tflite", "int8", samples=series())


@pytest.mark.slow
def test_the_file_of_integers_does_what_the_model_with_the_rounding_does(tmp_path):
    aware = models.quantize_aware(student(neuron="lif", tau=3.0), series())
    report = streaming(aware, tmp_path / "step.tflite", "int8", samples=series())
    assert report.agreement == 1.0
    assert max(report.spike_differences.values()) < 0.01
    runner = Runner(tmp_path / "step.tflite")
    with pytest.raises(UnsupportedError, match="scales the channels of its series in float"):
        streaming(aware, tmp_path / "integers.tflite", "int8", samples=series(), io="int8")
    assert runner.padded
    assert runner.contents.float_operators == ()  # but for the scaling of what the sensor gives
    assert {"SUB"} <= set(runner.contents.operators)
    spikes = keras.Model(aware.inputs[0], aware.get_layer("block2_neuron").output)(series())
    assert 0.02 < np.mean(spikes) < 0.9


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"neuron": "radlif"}, r"block1_neuron \(RadLIF\)"),
        ({"neuron": "adlif"}, r"block1_neuron \(AdLIF\)"),
        ({"neuron": "lif", "learn_tau": "channel"}, r"block1_neuron \(LIF\)"),
        ({"neuron": "lif", "kernel": 3}, r"block1_conv \(CausalConv1D\)"),
    ],
)
def test_what_has_no_form_in_integers_is_refused_by_name(more, named):
    with pytest.raises(ValueError, match=named):
        models.quantize_aware(student(**more), series())


def test_a_convolution_over_time_has_a_form_in_integers():
    keras.utils.set_random_seed(0)
    series_of_three = keras.Input((STEPS, 3))
    x = kd.layers.Standardize(padded=False, name="standardize")(series_of_three)
    x = keras.layers.Conv1D(6, 3, strides=2, activation="relu")(x)
    model = keras.Model(series_of_three, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    aware = models.quantize_aware(model, series(padded=False))
    np.testing.assert_allclose(aware(series(padded=False)), model(series(padded=False)), atol=0.1)
    assert len(np.unique(np.round(aware(series(padded=False)), 6))) < 65
