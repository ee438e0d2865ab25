import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ExportError, ForeignFolderError, ShapeError, UnknownNameError
from keras_snnkd.export import LiteRT, SavedModel, export_all, litert, saved_model
from keras_snnkd.export.saved_model import write_archive
from tests.export.conftest import BUILDS, LITERT, trained
from tests.sampling import sampled

OTHERS = [name for name in BUILDS if name != "convnet_flatten"]  # that one is exported below


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(OTHERS, "mlp_spike_count_soft"))
def test_every_kind_of_model_does_the_same_in_float32_and_in_int8_weights(name, tmp_path, samples, in_process):
    if name == "mixed_bfloat16":
        keras.config.set_dtype_policy(name)
    model = trained(**BUILDS[name])
    reference = LITERT.Reference(model, samples)
    files = {quantize: tmp_path / f"{quantize}.tflite" for quantize in ("float32", "dynamic")}
    exact, dynamic = LITERT.write_litert(reference, files, list(files.values()))

    expected = reference.compared.predict(samples, verbose=0)
    np.testing.assert_array_equal(LiteRT(files["float32"]).predict(samples).argmax(-1), expected.argmax(-1))
    assert exact.agreement == 1.0
    assert exact.max_logit_difference <= 1e-5 * exact.logit_range
    assert list(exact.spike_differences) == reference.taps
    assert max(exact.spike_differences.values(), default=0) <= 1e-4
    assert bool(reference.taps) == (name != "relu_twin")
    assert dynamic.agreement >= 0.97 or round((1 - dynamic.agreement) * dynamic.samples) <= 2
    assert dynamic.bytes <= exact.bytes


@pytest.fixture(scope="module")
def everything(tmp_path_factory, student, samples):
    folder = tmp_path_factory.mktemp("everything") / "edge"
    return folder, export_all(student, folder, samples, name="digits")


@pytest.mark.merge
def test_export_all_writes_three_targets_and_nothing_else(everything):
    folder, reports = everything
    assert sorted(os.listdir(folder)) == ["digits_dynamic.tflite", "digits_float32.tflite", "saved_model"]
    assert [report.target for report in reports] == ["saved_model", "litert float32", "litert dynamic"]
    assert [report.agreement for report in reports[:2]] == [1.0, 1.0]


@pytest.mark.slow
def test_of_a_long_sequence_export_all_writes_one_step_and_says_so(tmp_path, samples, in_process):
    long = kd.models.MLP((8, 8, 1), 10, widths=(6,), timesteps=LITERT.UNROLLED_STEPS + 1, name="long")
    with pytest.warns(UserWarning, match=r"long has T = 65, and files that hold every step end at 64: it is written as one step"):
        (report,) = export_all(long, tmp_path / "edge", samples[:8], quantizations=["float32"])
    assert os.listdir(tmp_path / "edge") == ["model_streaming_float32.tflite"]
    assert report.agreement == 1.0
    found = LiteRT(report.path).predict(samples[:8])
    np.testing.assert_allclose(found, long.predict(samples[:8], verbose=0), rtol=0, atol=1e-5)


def test_export_all_refuses_unknown_forms_before_it_converts(student, samples, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown quantization 'int4'"):
        export_all(student, tmp_path, samples[:4], quantizations=["float32", "int4"])
    with pytest.raises(ValueError, match=r"io='int8' needs quantize='int8'"):
        export_all(student, tmp_path, samples[:4], io="int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.merge
def test_reports_are_plain_json_and_tell_the_size_of_the_file(everything):
    folder, reports = everything
    for report in reports:
        assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert reports[1].bytes == (folder / "digits_float32.tflite").stat().st_size


@pytest.mark.merge
def test_currents_that_are_the_same_at_every_step_are_not_copied_for_each(everything):
    """LiteRT's `BROADCAST_TO` took most of the time of a small network."""
    _, reports = everything
    assert not {"BROADCAST_TO", "TILE"} & {name for report in reports for name in report.operators}


@pytest.mark.merge
def test_the_shipped_file_has_the_logits_as_its_only_output(everything, samples):
    folder, _ = everything
    assert list(LiteRT(folder / "digits_float32.tflite").outputs(samples[:2])) == ["logits"]
    assert list(SavedModel(folder / "saved_model").outputs(samples[:2])) == ["logits"]


@pytest.mark.merge
def test_the_saved_model_runs_in_a_fresh_process_without_this_package(everything, student, samples, tmp_path):
    folder, _ = everything
    np.save(tmp_path / "images.npy", samples)
    program = f"""
import sys, numpy, tensorflow as tf
signatures = tf.saved_model.load({str(folder / "saved_model")!r}).signatures
assert signatures["serving_default"].structured_input_signature[1]["image"].shape == [None, 8, 8, 1]
images = numpy.load({str(tmp_path / "images.npy")!r})
one = signatures["serve"](image=tf.constant(images[:1]))["logits"].numpy()
numpy.save({str(tmp_path / "logits.npy")!r}, signatures["serve"](image=tf.constant(images))["logits"].numpy())
assert one.shape == (1, 10)
assert "keras_snnkd" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True, cwd=tmp_path, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), student.predict(samples, verbose=0), atol=1e-5)


def test_a_saved_model_is_traced_once_whatever_its_signatures(tmp_path):
    traced = []

    class Noted(keras.layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape[0])
            return inputs

    image = keras.Input((8, 8, 1), name="image")
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(Noted()(image))))
    traced.clear()
    write_archive(model, tmp_path / "archive", batch_size=2, endpoint="mean_of_1_steps")
    assert traced == [2]
    assert set(SavedModel(tmp_path / "archive")._loaded.signatures) == {"mean_of_1_steps", "serving_default"}


@pytest.mark.merge
def test_the_saved_model_is_of_plain_operators(everything):
    _, (report, *_) = everything
    assert "Floor" in report.operators
    assert not {"While", "PyFunc", "XlaLaunch"} & set(report.operators)


def test_writing_again_replaces_the_saved_model(tmp_path, samples):
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    for _ in range(2):
        report = saved_model(model, tmp_path / "again", samples=samples)
    assert report.spike_differences == {}
    assert os.listdir(tmp_path) == ["again"]


def test_unknown_quantization_and_samples_of_another_shape_are_refused_before_any_work(tmp_path, student, samples):
    with pytest.raises(UnknownNameError, match=r"unknown quantization 'int9'. Did you mean 'int8'"):
        litert(student, tmp_path / "a.tflite", quantize="int9", samples=samples)
    with pytest.raises(ShapeError, match=r"expected images \[N, 8, 8, 1\].*got shape \(2, 28, 28, 1\)"):
        litert(student, tmp_path / "a.tflite", samples=np.zeros((2, 28, 28, 1), "float32"))
    with pytest.raises(ExportError, match="the samples hold NaN"):
        litert(student, tmp_path / "a.tflite", samples=np.full((2, 8, 8, 1), np.nan, "float32"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("export", [lambda model, place, images: saved_model(model, place / "saved_model", samples=images), export_all])
def test_a_folder_that_holds_anything_but_a_saved_model_is_not_replaced(export, tmp_path):
    (tmp_path / "saved_model" / "variables").mkdir(parents=True)
    (tmp_path / "saved_model" / "thesis.tex").write_text("mine")
    images = np.random.default_rng(0).random((4, 8, 8, 1), "float32")
    with pytest.raises(ForeignFolderError, match=r"would be replaced by a SavedModel, and holds thesis\.tex"):
        export(kd.models.build("mlp:4", (8, 8, 1), 10, timesteps=2), tmp_path, images)
    assert (tmp_path / "saved_model" / "thesis.tex").read_text() == "mine"
