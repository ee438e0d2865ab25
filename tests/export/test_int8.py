"""Files that compute in integers."""

import importlib

import keras
import numpy as np
import pytest

from keras_snnkd import models
from keras_snnkd.edge import Runner
from keras_snnkd.edge.contents import read_contents
from keras_snnkd.edge.tensors import signature
from keras_snnkd.errors import ExportError, UnknownNameError, UnsupportedError
from keras_snnkd.export import LiteRT, litert, streaming
from keras_snnkd.layers import FakeQuant
from keras_snnkd.models import quantize_aware
from tests.export.conftest import BUILDS, LITERT, SHAPE, digits, trained
from tests.sampling import sampled

STEPPER = importlib.import_module("keras_snnkd.export.stepper")
BYTES = digits()[0] * np.float32(16 * 15 / 256)


@pytest.fixture(scope="module")
def aware(student):
    return quantize_aware(student, BYTES[:128])


@pytest.fixture(scope="module")
def aware_reference(aware):
    return LITERT.Reference(aware, BYTES[:64])


def step_of_logits(aware):
    """The step in which a model's logits are rounded."""
    return [layer for layer in aware.layers if isinstance(layer, FakeQuant)][-1].step_size


def write(reference, path, **arguments):
    (report,) = LITERT.write_litert(reference, {"int8": path}, [path], **arguments)
    return report


def interpreter_of(path):
    """LiteRT's interpreter with a file, ready to run."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.merge
def test_the_file_of_a_quantization_aware_model_has_its_spikes_and_logits(aware, aware_reference, tmp_path, in_process):
    report = write(aware_reference, tmp_path / "a.tflite")
    assert report.agreement == 1.0
    assert max(report.spike_differences.values()) <= 1e-4
    assert report.max_logit_difference <= 1.01 * step_of_logits(aware)
    logits = LiteRT(tmp_path / "a.tflite").predict(BYTES)
    expected = aware.predict(BYTES, verbose=0)
    assert np.mean(logits.argmax(-1) == expected.argmax(-1)) >= 0.998
    assert read_contents(tmp_path / "a.tflite").float_operators == ()
    assert not {"GREATER_EQUAL", "SELECT_V2", "CAST", "FLOOR"} & set(report.operators)


@pytest.mark.slow
def test_approximate_arithmetic_is_the_same_in_the_file(student, tmp_path, in_process):
    model = quantize_aware(student, BYTES[:128], adder_bits=2, multiplier_bits=3)
    assert not np.array_equal(model.predict(BYTES[:64], verbose=0), quantize_aware(student, BYTES[:128]).predict(BYTES[:64], verbose=0))
    report = write(LITERT.Reference(model, BYTES[:64]), tmp_path / "a.tflite")
    assert report.agreement == 1.0
    assert max(report.spike_differences.values()) <= 1e-4


@pytest.mark.slow
def test_integers_in_and_out_are_bytes_and_nothing_in_the_file_is_float(aware_reference, tmp_path, in_process):
    report = write(aware_reference, tmp_path / "a.tflite", io="int8")
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(report.operators)
    interpreter = interpreter_of(tmp_path / "a.tflite")
    image, logits = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert {detail["dtype"] for detail in interpreter.get_tensor_details()} <= {np.int8, np.int32}
    assert image["quantization"] == (1 / 256, -128)
    bytes_ = (BYTES[:1] * 256).astype("int16")
    interpreter.set_tensor(image["index"], (bytes_ - 128).astype("int8"))
    interpreter.invoke()
    scale, zero = logits["quantization"]
    found = (interpreter.get_tensor(logits["index"]).astype("float32") - zero) * scale
    np.testing.assert_allclose(found, LiteRT(tmp_path / "a.tflite").predict(BYTES[:1]), rtol=1e-6)
    np.testing.assert_allclose(found, aware_reference.compared(BYTES[:1]), atol=1.01 * scale)


@pytest.mark.parametrize("name", sampled(["convnet_average_alif", "mlp_spike_count_soft"]))
def test_every_kind_of_quantization_aware_model_has_such_a_file(name, tmp_path, in_process):
    aware = quantize_aware(trained(**BUILDS[name], epochs=2), BYTES[:64])
    report = write(LITERT.Reference(aware, BYTES[:32]), tmp_path / "a.tflite")
    assert max(report.spike_differences.values(), default=0) <= 1e-3
    assert report.max_logit_difference <= 1.01 * step_of_logits(aware)


@pytest.mark.slow
def test_a_quantization_aware_model_has_a_float_file_too(aware_reference, tmp_path, in_process):
    path = tmp_path / "a.tflite"
    (report,) = LITERT.write_litert(aware_reference, {"float32": path}, [path])
    assert report.agreement == 1.0


@pytest.mark.slow
def test_any_model_is_calibrated_on_the_images_given(student, tmp_path, in_process):
    reference = LITERT.Reference(student, BYTES[:64])
    report = write(reference, tmp_path / "a.tflite", calibration=BYTES[500:700])
    assert report.agreement >= 0.9
    assert read_contents(tmp_path / "a.tflite").float_operators == ()
    with pytest.raises(ExportError, match=r"predictions agree, demanded are 85%.*quantize_aware"):
        write(reference, tmp_path / "b.tflite", calibration=np.zeros_like(BYTES[:2]))


@pytest.mark.slow
def test_float16_halves_the_file_of_a_large_layer(tmp_path, samples, in_process):
    reference = LITERT.Reference(trained("mlp:128", epochs=2), samples)
    files = {quantize: tmp_path / f"{quantize}.tflite" for quantize in ("float32", "float16")}
    single, half = LITERT.write_litert(reference, files, list(files.values()))
    weights = reference.kernel_elements
    assert single.bytes - half.bytes >= 1.9 * weights
    assert half.agreement >= 0.98


def test_integers_in_and_out_need_a_file_of_integers(tmp_path, student, samples):
    with pytest.raises(ValueError, match="needs quantize='int8'"):
        litert(student, tmp_path / "a.tflite", "dynamic", samples=samples, io="int8")
    with pytest.raises(UnknownNameError, match=r"unknown type of input and output 'uint8'"):
        litert(student, tmp_path / "a.tflite", "int8", samples=samples, io="uint8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_operators_left_in_floating_point_are_refused_by_name(tmp_path, samples, in_process, monkeypatch):
    model = quantize_aware(trained("mlp:8", epochs=1), BYTES[:32])
    outputs = keras.ops.sqrt(keras.ops.relu(model.outputs[0]))  # nothing tells its range
    with pytest.raises(ExportError, match=r"left in floating point: .*SQRT"):
        write(LITERT.Reference(keras.Model(model.inputs[0], outputs), BYTES[:8]), tmp_path / "a.tflite")


@pytest.mark.slow
def test_a_file_of_one_step_keeps_membranes_in_whole_steps(aware, aware_reference, tmp_path, in_process):
    path = tmp_path / "a.tflite"
    (report,) = STEPPER.write_streaming(aware_reference, {"int8": path}, [path], io="int8")
    assert report.target == "streaming int8"
    assert max(report.spike_differences.values()) <= 1e-4
    assert report.agreement == 1.0
    found = signature(interpreter_of(path))
    for name in ("block1_neuron", "block2_neuron"):
        before, after = (tensors[f"{name}_membrane"] for tensors in (found.inputs, found.outputs))
        assert before.same_numbers(after)
        assert (after.scale, after.zero_point) == (aware.get_layer(name).dynamics.resolution, 0)
    answers = Runner(path).predict(BYTES[64:96]).argmax(-1)  # of the mean of the steps' logits, which is not rounded here
    assert np.mean(answers == aware.predict(BYTES[64:96], verbose=0).argmax(-1)) >= 0.95


@pytest.mark.slow
def test_a_file_of_one_step_of_any_model_is_calibrated_on_its_states(student, tmp_path, in_process):
    path = tmp_path / "a.tflite"
    (report,) = STEPPER.write_streaming(LITERT.Reference(student, BYTES[:32]), {"int8": path}, [path], BYTES[500:520])
    assert report.agreement >= 0.9
    assert read_contents(path).float_operators == ()


def test_latency_encoding_has_no_integers(tmp_path):
    model = models.build("mlp:4", SHAPE, 10, encoder="latency")
    for export in (litert, streaming):
        with pytest.raises(UnsupportedError, match="'encoder', Latency"):
            export(model, tmp_path / "a.tflite", "int8", samples=BYTES[:4])
    assert list(tmp_path.iterdir()) == []
