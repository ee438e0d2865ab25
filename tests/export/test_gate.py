"""Exports that go wrong: each has to end in an `ExportError`, with no file under the final name."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ExportError
from keras_snnkd.export import export_all, freeze, litert, saved_model
from keras_snnkd.layers import RateActivation
from keras_snnkd.neurons import LIF
from tests.export.conftest import BUILDS, LITERT, SAVED_MODEL, SHAPE
from tests.sampling import sampled


def refused(match, export, model, folder, samples, **arguments):
    with pytest.raises(ExportError, match=match):
        export(model, folder / "student", samples=samples, **arguments)
    assert os.listdir(folder) == []


@pytest.fixture
def shared(monkeypatch, reference):
    """The student's outputs are computed once for all tests."""
    for module in (LITERT, SAVED_MODEL):
        monkeypatch.setattr(module, "Reference", lambda model, samples: reference)


@pytest.fixture
def export_of(monkeypatch):
    """Makes the exporters write another model than the one they are given."""

    def use(other):
        for module in (LITERT, SAVED_MODEL):
            monkeypatch.setattr(module, "freeze", lambda model, batch_size=None, taps=(): freeze(other, batch_size, taps))

    return use


def twin(student, **changes):
    """A model with the student's weights and other settings."""
    other = models.build(**{**BUILDS["convnet_flatten"], **changes}, image_shape=SHAPE, num_classes=10)
    models.copy_weights(student, other)
    return other


@pytest.mark.parametrize("export", sampled([litert, saved_model], saved_model))
def test_a_wrong_threshold_is_found_in_the_first_layer_that_has_it(export, student, samples, tmp_path, export_of, shared, in_process):
    export_of(twin(student, threshold=1.01))
    refused(r"layer block1_neuron: \d+ of its .* spikes .* differ with the membrane up to 0\.0", export, student, tmp_path, samples)


def rates_of_currents(threshold):
    """Two logits: the rates of LIF neurons with tau = 2, which a constant current of 2 brings to a threshold of 1 in every step."""
    inputs = keras.Input((2,))
    logits = keras.layers.Activation("linear")(RateActivation(LIF(threshold=threshold), 4, name="rates")(inputs))
    return keras.Model(inputs, logits)


@pytest.mark.parametrize(("current", "rounding"), [(2.0, True), (2.0002, False)])
def test_a_rate_may_differ_where_rounding_moves_a_membrane_over_the_threshold(current, rounding, tmp_path, export_of, in_process):
    currents = np.zeros((60, 2), "float32")
    currents[0, 0], currents[:, 1] = current, 1.5
    export_of(rates_of_currents(threshold=1.0002))
    if rounding:
        report = litert(rates_of_currents(threshold=1.0), tmp_path / "student", samples=currents)
        assert report.rounding_samples == 1
        assert report.spike_differences == {"rates": pytest.approx(2 / (60 * 2 * 4))}  # it fires in every second step in place of each
    else:
        refused("layer rates: 1 of its 8 spikes in 1 samples differ", litert, rates_of_currents(threshold=1.0), tmp_path, currents)


@pytest.mark.slow
def test_another_number_of_time_steps_is_found(student, samples, tmp_path, export_of, shared, in_process):
    export_of(twin(student, timesteps=2))
    refused(r"block1_neuron: shape \(2, 8, 8, 8\) of one sample, expected \(4, 8, 8, 8\)", litert, student, tmp_path, samples)


@pytest.mark.slow
@pytest.mark.parametrize("quantize", sampled(["float32", "dynamic"], "dynamic"))
def test_weights_set_to_zero_are_found(quantize, student, samples, tmp_path, export_of, shared, in_process):
    empty = keras.models.clone_model(student)
    empty.set_weights([np.zeros_like(weight) for weight in student.get_weights()])
    export_of(empty)
    match = "block1_neuron: .* spikes in 64 samples differ" if quantize == "float32" else "predictions agree, demanded are 97%"
    refused(match, litert, student, tmp_path, samples, quantize=quantize)


def test_weights_lost_by_the_converter_are_found(samples, tmp_path, monkeypatch, in_process):
    image = keras.Input(SHAPE)
    spikes = kd.neurons.LIF()(kd.layers.Direct(2)(keras.layers.Conv2D(12, 3)(image)))
    model = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(spikes)))

    def unsafe_archive(model, folder, batch_size=None, endpoint="serve", spike="floor"):
        signature = tf.TensorSpec((batch_size, *SHAPE), "float32", name="image")

        @tf.function(input_signature=[signature])
        def serve(image):
            outputs = model(image, training=False)
            return outputs if isinstance(outputs, dict) else {"logits": outputs}

        tf.saved_model.save(model, str(folder), signatures={endpoint: serve})

    monkeypatch.setattr(LITERT, "write_archive", unsafe_archive)
    refused(r"lost weights\. The model's kernels have \d,\d\d\d elements.*reads variables", litert, model, tmp_path, samples)


def test_operators_that_are_not_built_in_are_refused_by_name(student, samples, tmp_path, monkeypatch, shared):
    @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE), "float32", name="image")])
    def serve(image):
        maps = tf.nn.conv2d(tf.cast(image, "bfloat16"), tf.ones((3, 3, 1, 10), "bfloat16"), 1, "SAME")
        return {"logits": tf.cast(maps[:, 0, 0], "float32")}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    content = converter.convert()
    monkeypatch.setattr(LITERT, "convert", lambda jobs: [job["output"].write_bytes(content) for job in jobs])
    refused("FlexConv2D", litert, student, tmp_path, samples)


def test_a_model_that_only_flex_operators_could_run_is_refused_with_the_converters_words(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.ops.erfinv(inputs))
    refused(r"converter failed with exit code 1(.|\n)*Erfinv", litert, model, tmp_path, np.zeros((2, 4), "float32"))


@pytest.mark.parametrize(
    ("program", "match"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("import sys; sys.exit('segment 7 is broken')", r"exit code 1. Its last lines:\nsegment 7 is broken"),
        ("pass", "did not write"),
        ("import time; time.sleep(60)", "took longer than 2 s"),
    ],
)
def test_a_converter_that_crashes_stalls_or_writes_nothing_is_refused(program, match, student, samples, tmp_path, monkeypatch, shared):
    script, folder = tmp_path / "crash.py", tmp_path / "out"
    script.write_text(program)
    folder.mkdir()
    monkeypatch.setattr(LITERT._convert, "__file__", str(script))
    monkeypatch.setattr(LITERT, "TIMEOUT_SECONDS", 2)
    monkeypatch.setattr(LITERT, "write_archive", lambda *arguments, **more: None)
    refused(match, litert, student, folder, samples)


def test_nan_weights_are_refused(samples, tmp_path):
    model = models.build("mlp:4", SHAPE, 10)
    model.get_layer("classifier").layer.bias.assign(np.full(10, np.nan))
    refused("classifier/bias holds NaN", litert, model, tmp_path, samples)


@pytest.mark.slow
def test_export_all_writes_nothing_if_one_target_fails(student, samples, tmp_path, monkeypatch):
    def broken(jobs):
        raise ExportError("no converter today")

    monkeypatch.setattr(LITERT, "convert", broken)
    with pytest.raises(ExportError, match="no converter today"):
        export_all(student, tmp_path, samples[:8])
    assert os.listdir(tmp_path) == []
