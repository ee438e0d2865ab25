"""The wrist example in a quick form, on a recording that is made up here."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from keras_snnkd.edge import Runner
from keras_snnkd.export import Latency
from keras_snnkd.files.staging import read_json
from tests.export.conftest import in_process  # noqa: F401 - a fixture

EXAMPLE = Path(__file__).parents[2] / "examples" / "wrist" / "wrist.py"


@pytest.fixture
def wrist():
    spec = importlib.util.spec_from_file_location("wrist", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recording(tmp_path):
    """Six people, two movements of different speed, six channels."""
    random, series, people, labels = np.random.default_rng(0), [], [], []
    for person in range(6):
        for label, speed in enumerate((0.2, 0.5)):
            phase = speed * np.arange(140)[:, None] + random.uniform(0, 6, 6)
            series.append((np.sin(phase) + random.normal(0, 0.1, phase.shape)).astype("float32"))
            people.append(person)
            labels.append(label)
    path = tmp_path / "recording.npz"
    lengths = [len(one) for one in series]
    np.savez(path, values=np.concatenate(series), lengths=lengths, labels=labels, subjects=people, class_names=["slow", "fast"])
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("default:::keras_snnkd")
def test_from_a_recording_to_a_file_of_one_step_beside_its_rivals(wrist, recording, tmp_path, monkeypatch, in_process):  # noqa: F811
    monkeypatch.setattr("keras_snnkd.export.latency", lambda path, threads: [Latency(1, 0.1, 0.2, 5, None)])  # without a process
    few = ["--window", "60", "--epochs", "1", "--teacher-epochs", "1", "--int8-epochs", "1", "--width", "8", "--target", "streaming"]
    rows = wrist.main(["--data", str(recording), "--out", str(tmp_path / "out"), *few])
    named = {row["model"]: row for row in rows}
    assert list(named) == ["teacher", "student_alone", "student_distilled", "cnn", "gru", "student_distilled, LiteRT streaming float32"]
    assert max(named[name]["parameters"] for name in ("student_distilled", "cnn", "gru")) < wrist.LIMIT
    assert named["student_distilled, LiteRT streaming float32"]["p95_ms"] == 0.2
    card = read_json(tmp_path / "out" / "edge" / "card.json")
    assert card["dataset"]["test"] == named["cnn"]["windows"]
    assert len(card["anytime"]["accuracy"]) == 60
    answer = Runner(tmp_path / "out" / "edge" / "model_streaming_float32.tflite").run(np.zeros((60, 6), "float32"), until_confidence=None)
    assert answer.steps == 60
    assert read_json(tmp_path / "out" / "wrist.json")["fold"] == 0


@pytest.fixture
def folds(wrist, monkeypatch):
    monkeypatch.setitem(sys.modules, "wrist", wrist)
    spec = importlib.util.spec_from_file_location("folds", EXAMPLE.with_name("folds.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_figures_of_folds_are_paired_with_the_student_alone_and_with_lif(folds):
    given = folds.options().parse_args(["--data", "x", "--folds", "0", "3", "--neurons", "lif", "adlif"])
    accuracies = {
        "teacher": (0.9, 0.8),
        "lif_alone": (0.8, 0.6),
        "lif_distilled": (0.81, 0.63),
        "adlif_alone": (0.84, 0.62),
        "adlif_distilled": (0.84, 0.62),
    }
    costs = {"parameters": 10, "operations": 20.0, "spikes": 3.0, "steps_used": 44.0, "accuracy_early": 50.0, "seconds": 2.0}
    rows = [{name: {"accuracy": values[fold], **costs} for name, values in accuracies.items()} for fold in range(2)]
    found = {arm["arm"]: arm for arm in folds.arms(rows, given, "python folds.py")}
    assert found["teacher"]["difference"] is None
    assert found["lif_distilled"]["difference"]["mean"] == pytest.approx(2.0)
    assert found["lif_distilled"]["difference"]["low"] == pytest.approx(2 - 12.706, abs=1e-3)  # t of one degree of freedom
    assert found["adlif_alone"]["to_lif"]["mean"] == pytest.approx(3.0)
    assert found["lif_alone"]["to_lif"] is None
    assert found["lif_alone"]["seeds"] == [0, 3]
    assert found["teacher"]["steps_used"] == [44.0, 44.0]


def test_students_of_all_neurons_are_of_one_size(wrist):
    sizes = {}
    for neuron in wrist.NEURONS:
        given = wrist.options().parse_args(["--data", "x", "--neuron", neuron])
        data = types.SimpleNamespace(image_shape=(100, 6), num_classes=7, train_arrays=(np.ones((2, 100, 6), "float32"), np.zeros(2)))
        student = wrist.Models(data, given).student()
        sizes[neuron] = sum(int(np.prod(weight.shape)) for weight in student.trainable_weights)
    assert max(sizes.values()) <= 1.02 * min(sizes.values())
    assert max(sizes.values()) < wrist.LIMIT


def test_a_student_that_is_not_small_is_refused_before_training(wrist, recording, tmp_path):
    with pytest.raises(ValueError, match="fewer than 10,000"):
        wrist.main(["--data", str(recording), "--out", str(tmp_path / "out"), "--window", "60", "--width", "200"])
    assert not (tmp_path / "out").exists()
