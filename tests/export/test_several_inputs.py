"""Networks of several inputs as files: the same answers from a mapping by name, behind the same gate; what takes one input says so."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ExportError, FileFormatError, ShapeError, UnknownNameError, UnsupportedError
from keras_snnkd.export.c_array import read_c_array
from keras_snnkd.export.parity import Reference
from tests.export.conftest import LITERT

RNG = np.random.default_rng(0)
SAMPLES = {"left": RNG.random((40, 8, 8, 1)).astype("float32"), "right": RNG.normal(size=(40, 5)).astype("float32")}


def fused(T=3, left="left", **dense):
    """A spiking network that takes `right` before `left`, the order of neither its names nor the samples."""
    keras.utils.set_random_seed(1)
    picture, vector = keras.Input((8, 8, 1), name=left), keras.Input((5,), name="right")
    parts = [keras.layers.Dense(8)(keras.layers.Flatten()(picture)), keras.layers.Dense(8)(vector)]
    x = keras.layers.Concatenate()([kd.layers.Direct(T)(part) for part in parts])
    x = kd.layers.OverTime(keras.layers.Dense(3, **dense))(kd.neurons.LIF(name="spikes")(x))
    return keras.Model([vector, picture], kd.layers.MeanOverTime()(x), name="fused")


@pytest.fixture(scope="module")
def student():
    return fused()


@pytest.fixture(scope="module")
def answers(student):
    logits = student.predict([SAMPLES["right"], SAMPLES["left"]], verbose=0)
    assert len(set(logits.argmax(-1))) > 1
    return logits


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("quantize", "near"), [("float32", 1e-5), ("float16", 1e-2), ("dynamic", 1e-5)])
def test_a_file_gives_the_answers_of_the_model_from_a_mapping(student, answers, quantize, near, tmp_path):
    report = kd.export.litert(student, tmp_path / "fused.tflite", quantize, samples=SAMPLES)
    assert (report.samples, report.agreement) == (40, 1.0)
    assert list(report.spike_differences) == ["spikes"]
    runner = kd.export.LiteRT(tmp_path / "fused.tflite")
    assert runner.input_shapes == {"left": (8, 8, 1), "right": (5,)}
    np.testing.assert_allclose(runner.predict(SAMPLES), answers, atol=near)
    np.testing.assert_allclose(runner.predict(dict(reversed(SAMPLES.items()))), answers, atol=near)
    other = runner.predict({**SAMPLES, "right": SAMPLES["right"][::-1]})
    assert np.abs(other - answers).max() > 0.01  # both are read


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_integers_are_calibrated_on_all_inputs(student, answers, tmp_path):
    kd.export.litert(student, tmp_path / "int8.tflite", "int8", samples=SAMPLES, calibration=SAMPLES, io="int8")
    runner = kd.export.LiteRT(tmp_path / "int8.tflite")
    scales = {name: tensor.scale for name, tensor in runner._inputs.items()}
    assert scales["left"] == pytest.approx(np.ptp(SAMPLES["left"]) / 255, rel=0.02)
    assert scales["right"] == pytest.approx(np.ptp(SAMPLES["right"]) / 255, rel=0.02)  # a range of its own
    assert kd.metrics.agreement(runner.predict(SAMPLES), answers) >= 0.85
    kd.export.c_array(tmp_path / "int8.tflite", tmp_path / "fused.h")
    assert read_c_array((tmp_path / "fused.h").read_text("ascii")) == (tmp_path / "int8.tflite").read_bytes()


def test_samples_as_a_list_are_in_the_order_of_the_model(student, answers):
    listed = Reference(student, [SAMPLES["right"], SAMPLES["left"]])
    assert list(listed.samples) == ["right", "left"]
    (_, logits, _), *_ = listed.chunks()
    np.testing.assert_allclose(logits, answers, atol=1e-5)


@pytest.mark.slow
def test_a_saved_model_and_its_latency(student, answers, tmp_path):
    report = kd.export.saved_model(student, tmp_path / "fused", samples=SAMPLES)
    assert report.agreement == 1.0
    np.testing.assert_allclose(kd.export.SavedModel(tmp_path / "fused").predict(SAMPLES), answers, atol=1e-6)
    assert kd.export.latency(tmp_path / "fused", [1], rounds=1, seconds=0.01)[0].p50_ms > 0


@pytest.mark.slow
def test_onnx(student, answers, tmp_path):
    kd.export.onnx(student, tmp_path / "fused.onnx", samples=SAMPLES)
    np.testing.assert_allclose(kd.export.ONNX(tmp_path / "fused.onnx").predict(SAMPLES, batch_size=7), answers, atol=1e-5)


def test_inputs_of_open_size_become_those_of_the_samples():
    picture, vector = keras.Input((None, None, 1), name="left"), keras.Input((5,), name="right")
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(picture), vector])
    reference = Reference(keras.Model([picture, vector], keras.layers.Dense(3)(x)), SAMPLES)
    assert {tensor.name: tuple(tensor.shape[1:]) for tensor in reference.model.inputs} == {"left": (8, 8, 1), "right": (5,)}


def test_probabilities_become_logits(student):
    x = keras.layers.Softmax()(student.outputs[0])
    (_, logits, _), *_ = Reference(keras.Model(student.inputs, x, name="shares"), SAMPLES).chunks()
    np.testing.assert_allclose(logits, student.predict([SAMPLES["right"], SAMPLES["left"]], verbose=0), atol=1e-5)
    one = keras.Model(student.inputs, keras.layers.Dense(1, "sigmoid")(student.outputs[0]), name="one")
    (_, logits, _), *_ = Reference(one, SAMPLES).chunks()
    assert logits.shape == (40, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_the_gate_refuses_a_file_that_swaps_its_inputs(tmp_path, monkeypatch):
    same = {"left": SAMPLES["right"], "right": 2 + SAMPLES["right"]}
    left, right = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    keras.utils.set_random_seed(0)
    x = keras.layers.Dense(3)(keras.layers.Concatenate()([left, right]))
    model = keras.Model([left, right], x, name="swapped")
    predict = LITERT.LiteRT.predict
    swap = {"left": "right", "right": "left"}
    monkeypatch.setattr(LITERT.LiteRT, "predict", lambda self, batch: predict(self, {name: batch[swap[name]] for name in batch}))
    with pytest.raises(ExportError, match="not written"):
        kd.export.litert(model, tmp_path / "swapped.tflite", samples=same)
    assert not list(tmp_path.iterdir())


WRONG = {
    "missing": ({"left": SAMPLES["left"]}, ShapeError, r"no samples for the input right of .*; got left, expected"),
    "unknown": ({**SAMPLES, "rihgt": SAMPLES["right"]}, UnknownNameError, r"unknown input name .*'rihgt'\. Did you mean 'right'\?"),
    "numbers": ({**SAMPLES, "right": SAMPLES["right"][:5]}, ShapeError, "different numbers of samples: .*; the i-th of each"),
    "shape": ({**SAMPLES, "right": SAMPLES["right"][:, :4]}, ShapeError, r"samples for the input right \[N, 5\] .*, got shape \(40, 4\)"),
    "bytes": ({**SAMPLES, "left": (SAMPLES["left"] * 255).astype("uint8")}, ShapeError, "input left .*; for bytes try images / 256"),
    "an array": (SAMPLES["left"], ShapeError, r"has the inputs .*; expected a mapping of their samples, .*, got an array of shape"),
    "a short list": ([SAMPLES["left"]], ShapeError, "expected a mapping of their samples, .*, got a list of 1"),
}


@pytest.fixture(scope="module")
def files(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    kd.export.litert(student, folder / "fused.tflite", samples=SAMPLES)
    kd.export.saved_model(student, folder / "fused", samples=SAMPLES)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_samples_that_do_not_fit_are_refused_everywhere(student, files, case, tmp_path):
    samples, error, said = WRONG[case]
    for call in (
        lambda: kd.export.litert(student, tmp_path / "x.tflite", samples=samples),
        lambda: kd.export.LiteRT(files / "fused.tflite").predict(samples),
        lambda: kd.export.SavedModel(files / "fused").predict(samples),
    ):
        with pytest.raises(error, match=said):
            call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", ["missing", "unknown", "numbers", "an array"])
def test_metrics_refuse_them_too(student, case):
    samples, error, said = WRONG[case]
    with pytest.raises(error, match=said):
        kd.metrics.activity(student, samples)
    with pytest.raises(ShapeError, match=r"takes images \[B, 5\], got an array of shape \(40, 4\)"):
        kd.metrics.activity(student, WRONG["shape"][0])


@pytest.mark.slow
def test_nan_in_one_input_is_refused(student, files):
    broken = {**SAMPLES, "right": np.full_like(SAMPLES["right"], np.nan)}
    with pytest.raises(ExportError, match="NaN"):
        kd.export.litert(student, files / "x.tflite", samples=broken)


def test_a_mapping_for_one_input_is_refused():
    inputs = keras.Input((5,))
    with pytest.raises(ShapeError, match="has one input; expected its samples as an array, got a mapping of left, right"):
        Reference(keras.Model(inputs, keras.layers.Dense(3)(inputs)), SAMPLES)


@pytest.mark.slow
def test_what_takes_one_input_is_refused_by_name(student, files, tmp_path):
    for export, what in ((kd.export.streaming, "a file of one time step"), (kd.export.nir, "NIR"), (kd.export.c_step, "C of one step")):
        with pytest.raises(UnsupportedError, match=rf"fused has the inputs right, left, and {what} takes one; .*litert"):
            export(student, tmp_path / "fused.h", samples=SAMPLES)
    with pytest.raises(UnsupportedError, match=r"takes the inputs left, right, and this comparison shows one"):
        kd.export.micro(files / "fused.tflite", SAMPLES)
    with pytest.raises(FileFormatError, match=r"takes several inputs, left \(8, 8, 1\), right \(5,\), and no single image"):
        _ = kd.export.LiteRT(files / "fused.tflite").image_shape
    with pytest.raises(ValueError, match=r"fused has the inputs right, left, and an 8-bit network has one; .*litert"):
        kd.models.quantize_aware(student, SAMPLES)
    assert not list(tmp_path.iterdir())


def test_a_name_that_files_cannot_have_is_refused():
    with pytest.raises(ExportError, match="has an input called 'the left one'"):
        Reference(fused(left="the left one"), SAMPLES)


def test_metrics_read_a_mapping(student):
    found = kd.metrics.synaptic_operations(student, SAMPLES)
    assert found.dense == 64 * 8 + 5 * 8 + 3 * 16 * 3
    assert 0 < max(layer["effective_macs"] for layer in found.layers.values()) <= 64 * 8
    spikes = kd.metrics.activity(student, SAMPLES)
    assert 0 < spikes.rate < 1
    assert kd.metrics.activation_sparsity(student, SAMPLES) == pytest.approx(1 - spikes.rate, abs=1e-6)
    assert kd.metrics.raster(student, {name: values[0] for name, values in SAMPLES.items()})["spikes"].shape == (3, 16)
