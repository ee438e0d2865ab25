"""The interpreter for microcontrollers; most of it takes the extra `micro`."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd.errors import ExportError, FileFormatError
from keras_snnkd.export import _micro
from keras_snnkd.export import micro as run
from keras_snnkd.export.micro import MicroReport, _compare
from keras_snnkd.files.extras import MissingPackageError
from tests.export.conftest import LITERT, MICRO
from tests.sampling import sampled

STUDENT = Path("saved_models/digits_student")


@pytest.fixture
def installed():
    pytest.importorskip("tflite_micro", reason="pip install 'keras_snnkd[micro]'")


@pytest.mark.slow
@pytest.mark.parametrize("quantize", sampled(["float32", "int8"], "int8"))
def test_a_student_runs_as_in_litert_and_its_arena_is_the_smallest(quantize, installed, reference, samples, tmp_path, in_process):
    path = tmp_path / "student.tflite"
    LITERT.write_litert(reference, {quantize: path}, [path])
    report = run(path, samples[:10])
    assert (report.agreement, report.samples, report.file_bytes) == (1.0, 10, path.stat().st_size)
    assert report.max_difference <= (1e-4 if quantize == "float32" else 0)
    from tflite_micro import runtime

    runtime.Interpreter.from_file(str(path), arena_size=report.arena_bytes).invoke()
    with pytest.raises(RuntimeError, match="failed to allocate"):
        runtime.Interpreter.from_file(str(path), arena_size=report.arena_bytes - 64)


def test_of_a_series_the_first_sample_goes_into_a_file_of_one_step():
    state, sensor = ({"name": f"mean_of_5_steps_{name}:0", "shape": (1, 6)} for name in ("block1_neuron_membrane", "image"))
    series = np.arange(2 * 5 * 6, dtype="float32").reshape(2, 5, 6)
    place, images = _micro.shown([state, sensor], series)
    assert place == 1
    np.testing.assert_array_equal(images, series[:, 0])
    place, images = _micro.shown([{"name": "serving_default_x:0", "shape": (1, 5, 6)}], series)
    assert (place, images is series) == (0, True)


@pytest.mark.slow
def test_arenas_that_crash_the_interpreter_are_too_small(monkeypatch):
    class Small:
        def __init__(self, arena):
            self.arena = arena

        def invoke(self):
            if self.arena < 30_000:
                os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(_micro, "micro", lambda content, arena: Small(arena) if arena >= 20_000 else None)
    assert 30_000 <= _micro.smallest_arena(b"") < 30_000 + _micro.GRAIN
    monkeypatch.setattr(_micro, "micro", lambda content, arena: None)
    assert _micro.smallest_arena(b"") is None


def test_a_hybrid_file_is_refused_by_name(samples, tmp_path):
    path = _converted(tmp_path / "hybrid.tflite", lambda x: tf.reshape(x, (1, 64)) @ tf.constant(_noise(64, 64)), dynamic=True)
    with pytest.raises(ExportError, match=r"hybrid\.tflite has int8 weights and float activations.*export it with quantize='int8'"):
        run(path, samples[:2])


def test_a_loop_is_stopped_and_named(installed, samples, tmp_path, monkeypatch):
    monkeypatch.setattr(MICRO, "TIMEOUT_SECONDS", 3)
    loop = lambda x: tf.while_loop(lambda v: tf.reduce_max(v) > -1, lambda v: (v * 0.5,), (x,))[0]  # noqa: E731
    with pytest.raises(
        ExportError, match=r"loop\.tflite in LiteRT for Micro.*: it took longer than 3 s and was stopped\. It holds a WHILE loop"
    ):
        run(_converted(tmp_path / "loop.tflite", loop), samples[:2])


def test_an_operator_that_it_lacks_is_told(installed, samples, tmp_path):
    path = _converted(tmp_path / "normalized.tflite", lambda x: tf.nn.local_response_normalization(x))
    with pytest.raises(
        ExportError, match=r"normalized\.tflite in LiteRT for Microcontrollers: it failed with exit code 1\. Its last lines"
    ):
        run(path, samples[:2])


def test_without_the_extra_the_command_that_installs_it_is_told(samples, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'keras_snnkd\[micro\]'"):
        run(STUDENT / "model_float32.tflite", samples[:2])


def test_a_missing_file_is_told(samples):
    with pytest.raises(FileFormatError, match="there is no file"):
        run("missing.tflite", samples[:2])


def test_other_outputs_are_refused_and_a_few_samples_of_rounding_are_not(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"file")
    litert = _noise(100, 10)
    flipped = litert.copy()
    flipped[:10] += 1
    assert _compare(tmp_path / "a.tflite", 64, flipped, litert, MICRO.TOLERANCE).agreement == 0.9
    assert _compare(tmp_path / "a.tflite", 64, litert + 1e-6, litert, MICRO.TOLERANCE).agreement == 1.0
    flipped[10] += 1
    with pytest.raises(ExportError, match=r"89\.00% of 100 samples agree, demanded are 90%; the largest difference is 1"):
        _compare(tmp_path / "a.tflite", 64, flipped, litert, MICRO.TOLERANCE)
    with pytest.raises(ExportError, match=r"0\.00%"):
        _compare(tmp_path / "a.tflite", 64, litert + 1, litert, MICRO.ROUNDING)  # more than a step
    with pytest.raises(ExportError, match="nan"):
        _compare(tmp_path / "a.tflite", 64, litert * np.nan, litert, MICRO.TOLERANCE)


def test_what_fits():
    report = MicroReport("a.tflite", arena_bytes=64 * 1024, file_bytes=100_000, samples=1, agreement=1.0, max_difference=0.0)
    assert report.fits(64)
    assert not report.fits(63.9)
    assert report.fits(64, flash_kib=98)
    assert not report.fits(64, flash_kib=97)


def _noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def _converted(path, function, dynamic=False):
    traced = tf.function(function, input_signature=[tf.TensorSpec((1, 8, 8, 1))]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    if dynamic:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path.write_bytes(converter.convert())
    return path
