"""One time step in C: compiled, it does what the model and its streaming file do."""

import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_snnkd import models
from keras_snnkd.edge import Runner
from keras_snnkd.edge.readout import softmax
from keras_snnkd.errors import ExportError, UnsupportedError
from keras_snnkd.export import c_source, c_step, streaming
from keras_snnkd.export import c_step as of_function
from keras_snnkd.files.extras import MissingPackageError
from tests.export.test_stepper_series import series, student
from tests.sampling import sampled

MAIN = Path(__file__).parents[2] / "examples" / "wrist" / "main.c"
MODULE = __import__(of_function.__module__, fromlist=["c_step"])

NETS = {
    "lif": {"neuron": "lif", "tau": 3.0},
    "alif, soft": {"neuron": "alif", "reset": "soft", "readout": "spike_count"},
    "input not decayed": {"neuron": "lif", "decay_input": False, "v_reset": -0.2, "readout": "last"},
    "adlif": {"neuron": "adlif", "readout": "membrane"},
    "radlif, symplectic": {"neuron": "radlif", "coupling": "symplectic", "readout": "softmax_sum"},
    "own time constants": {"neuron": "lif", "learn_tau": "channel", "dropout": 0.2, "padded": False},
}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", sampled(NETS, "alif, soft", "radlif, symplectic", "own time constants"))
def test_c_does_what_the_model_does(name, tmp_path):
    model, samples = student(**NETS[name]), series(NETS[name].get("padded", True))
    report = c_step(model, tmp_path / "student.h", samples=samples)
    assert report.agreement == 1.0
    assert report.max_logit_difference <= 1e-3 * report.logit_range
    assert set(report.spike_differences) >= {"block1_neuron", "block2_neuron"}
    assert report.bytes == len((tmp_path / "student.h").read_text())


@pytest.mark.merge
def test_the_worked_main_gives_the_answers_of_the_streaming_file(tmp_path, in_process):
    model, samples = student(neuron="lif", tau=3.0), series()
    c_step(model, tmp_path / "student.h", samples=samples)
    streaming(model, tmp_path / "student.tflite", samples=samples)
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", f"-I{tmp_path}", "-o", tmp_path / "wrist", MAIN, "-lm"], check=True)
    runner = Runner(tmp_path / "student.tflite")

    def printed(sample, *arguments):
        text = "\n".join(" ".join(f"{number:.9g}" for number in step) for step in sample)
        done = subprocess.run([tmp_path / "wrist", *arguments], input=text, capture_output=True, text=True, check=True)
        return [line.split() for line in done.stdout.splitlines()]

    sample = samples[0][: np.flatnonzero(samples[0].any(-1))[-1] + 1]
    lines = printed(sample)
    assert [int(steps) for steps, _, _ in lines] == list(range(1, len(sample) + 1))
    runner.reset()
    total = 0.0
    for frame, (steps, label, confidence) in zip(sample, lines, strict=True):
        total = total + runner.step(frame)
        expected = softmax(total / int(steps))
        assert int(label) == expected.argmax()
        assert float(confidence) == pytest.approx(expected.max(), abs=1e-4)
    enough = float(lines[-1][2]) / 2
    assert len(printed(sample, str(enough))) == runner.run(sample, until_confidence=enough).steps


def test_layers_without_a_form_are_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedError, match=r"'block1_conv' \(CausalConv1D\)"):
        c_step(student(neuron="lif", kernel=3), tmp_path / "student.h", samples=series())
    image = models.ConvNet((6, 6, 1), 3, widths=(4,), timesteps=2)
    with pytest.raises(UnsupportedError, match="written for series"):
        c_step(image, tmp_path / "student.h", samples=np.zeros((2, 6, 6, 1), "float32"))
    with pytest.raises(ValueError, match="identifier"):
        c_step(student(neuron="lif"), tmp_path / "student.h", samples=series(), name="1x")
    assert not (tmp_path / "student.h").exists()


def test_without_a_compiler_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE.shutil, "which", lambda name: None)
    with pytest.raises(MissingPackageError, match="C compiler"):
        c_step(student(neuron="lif"), tmp_path / "student.h", samples=series())


def test_c_that_computes_something_else_gets_no_name(tmp_path, monkeypatch):
    written = c_source.Source.header
    monkeypatch.setattr(c_source.Source, "header", lambda source: written(source).replace("h >= theta", "h >= 0.9f * theta"))
    with pytest.raises(ExportError, match="not written"):
        c_step(student(neuron="lif", tau=3.0), tmp_path / "student.h", samples=series())
    assert not (tmp_path / "student.h").exists()


def test_a_model_with_other_weights_has_other_constants(tmp_path):
    keras.utils.set_random_seed(0)
    c_step(student(neuron="lif"), tmp_path / "a.h", samples=series())
    text = (tmp_path / "a.h").read_text()
    assert "static const float a_block1_dense_kernel[36]" in text
    assert "#define a_INPUTS 3" in text
    assert "malloc" not in text
