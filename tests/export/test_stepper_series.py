"""One step of a network for series: its files do what the model does on whole series, whatever their lengths."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.edge import Runner
from keras_snnkd.export import streaming
from keras_snnkd.files.padding import lengths

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


@pytest.mark.parametrize("name", NETS)
def test_the_file_of_one_step_does_what_the_model_does(name, tmp_path):
    model, samples = student(**NETS[name]), series(NETS[name].get("padded", True))
    report = streaming(model, tmp_path / "step.tflite", samples=samples)
    assert report.agreement == 1.0
    runner = Runner(tmp_path / "step.tflite")
    assert runner.padded == NETS[name].get("padded", True)
    np.testing.assert_allclose(runner.predict(samples), model(samples), rtol=1e-3, atol=1e-3)
    spikes = keras.Model(model.inputs[0], model.get_layer("block2_neuron").output)(samples)
    assert 0.02 < np.mean(spikes) < 0.9


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


def test_the_file_with_weights_of_8_bits_is_checked_on_whole_series(tmp_path):
    report = streaming(student(**NETS["adlif"]), tmp_path / "step.tflite", "dynamic", samples=series())
    assert report.samples == 16
    assert Runner(tmp_path / "step.tflite").predict(series()).shape == (16, 4)
