"""The main job as a user runs it: a process, from images to exported files, and all that stays of it."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.files.staging import read_json, sha256
from tests.integration import tiny

TRAIN = Path(__file__).parents[2] / "train.py"
STAGES = ["teacher", "student_alone", "student_distilled"]
TRAINED = [*tiny.TINY, "--epochs", "12", "--learning-rate", "0.02"]  # so that the student fires


def start(*arguments, folder):
    """`python train.py` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(TRAIN.parent), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    hear = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a suite in the background ignores Ctrl-C, and so would this
    command = [sys.executable, str(TRAIN), *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, preexec_fn=hear, **pipes)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The folder of a finished job, and what it said."""
    folder = tmp_path_factory.mktemp("job")
    process = start(*TRAINED, folder=folder)
    said, error = process.communicate()
    assert process.returncode == 0, error
    return folder, said


@pytest.fixture
def run(job):
    return job[0] / "runs" / "digits_distill"


@pytest.mark.merge
def test_every_file_is_there(job, run):
    exported = {"saved_model", "model_float32.tflite", "model_dynamic.tflite"}
    shelf = job[0] / "saved_models" / "digits_distill"
    assert {path.name for path in job[0].iterdir()} == {"runs", "saved_models"}
    assert {path.name for path in run.iterdir()} == {
        "recipe.json",
        "results.json",
        "report.html",
        "logs",
        "export",
        "manifest.json",
        *STAGES,
    }
    assert {path.name for path in shelf.iterdir()} == {"model.keras", "card.json", "card.html", "README.md", "manifest.json", *exported}
    for stage in STAGES:
        assert {path.name for path in (run / stage).iterdir()} == {"model.keras", "history.json", "settings.json", "stage.json"}
        assert {path.name for path in (run / "export" / stage).iterdir()} == exported
        assert len(list((run / "logs" / stage).rglob("events.*"))) == 2
    for name in ("model_float32.tflite", "model_dynamic.tflite"):
        assert sha256(shelf / name) == sha256(run / "export" / "student_distilled" / name)


@pytest.mark.merge
def test_the_numbers_are_those_of_the_models(run):
    content = read_json(run / "results.json")
    data = kd.data.load("digits", limit=200)
    images, labels = data.test_arrays
    images = images.astype("float32") / 256
    assert content["dataset"]["test"] == len(labels) == 200
    for row in content["models"]:
        model = kd.models.load(run / row["name"] / "model.keras")
        predicted = model.predict(images, verbose=0).argmax(-1)
        assert row["accuracy"] == pytest.approx(np.mean(predicted == labels))
        assert row["parameters"] == model.count_params()
        assert row["spikes_per_image"] == pytest.approx(kd.metrics.activity(model, images).spikes_per_image)
        assert row["spikes_per_image"] > 0
        for kind in ("float32", "dynamic"):
            file = run / "export" / row["name"] / f"model_{kind}.tflite"
            theirs = kd.export.LiteRT(file).predict(images).argmax(-1)
            assert row["exported_accuracy"][kind] == pytest.approx(np.mean(theirs == labels))
            assert row["bytes"][kind] == file.stat().st_size
            (entry,) = (e for e in content["exports"] if e["path"] == f"export/{row['name']}/model_{kind}.tflite")
            assert entry["test_agreement"] == pytest.approx(np.mean(theirs == predicted))
            assert entry["test_images"] == 200


@pytest.mark.merge
def test_the_report_shows_the_table_and_stands_alone(job, run):
    page = (run / "report.html").read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for row in read_json(run / "results.json")["models"]:
        assert row["label"] in text
        assert f"{100 * row['accuracy']:.2f} %" in text
        assert f"{row['parameters']:,}" in text
    assert "python train.py --limit 200" in text
    assert str(job[0]) not in page
    assert str(Path.home()) + "/" not in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:|//|/|file:)""", page)


@pytest.mark.merge
def test_no_file_tells_where_it_was_made(job):
    for path in job[0].rglob("*"):
        if path.suffix in (".json", ".html", ".md"):
            assert str(job[0]) not in path.read_text(), path


@pytest.mark.merge
def test_the_terminal_shows_progress_and_the_table(job, run):
    said = " ".join(job[1].split())
    assert said.startswith("run folder: runs/digits_distill data: digits: images (8, 8, 1), bytes 0 to 255, 10 classes; ")
    assert "[1/3] teacher epoch 1/1: " in said
    assert "[3/3] student_distilled epoch 12/12: accuracy" in said
    distilled = read_json(run / "results.json")["models"][-1]
    assert f"student distilled {100 * distilled['accuracy']:.2f} % {distilled['parameters']:,} 2" in said
    assert said.endswith("exported student: saved_models/digits_distill report: runs/digits_distill/report.html")


@pytest.mark.merge
def test_the_exported_student_is_evaluated_from_the_shelf(job, monkeypatch, capsys):
    monkeypatch.chdir(job[0])
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    assert tiny.run("--mode", "evaluate", "--model", "saved_models/digits_distill/model.keras", "--limit", 200, "--out", "evaluated") == 0
    expected = read_json("runs/digits_distill/results.json")["models"][-1]
    found = read_json("evaluated/evaluate.json")
    for name in ("accuracy", "parameters", "timesteps", "spikes_per_image", "synaptic_operations"):
        assert found[name] == expected[name]


@pytest.mark.slow
def test_a_long_chain_runs_whole(tmp_path, monkeypatch, capsys):
    """ANN twin, teacher of another T, two assistants, both ways of teaching the student, objectives of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    arguments = [*tiny.TINY, "--mode", "multistage", "--teacher-start", "ann", "--ann-epochs", "1", "--teacher-timesteps", "4"]
    objectives = ["soft_targets:temperature=2,weight=0.5", "firing_rate"]
    assistants = ["--assistant", "mlp:20", "--assistant", "mlp:16"]
    assert tiny.run(*arguments, *assistants, *(part for text in objectives for part in ("--objective", text))) == 0
    content = read_json("runs/digits_multistage/results.json")
    assert {row["name"]: (row["role"], row["timesteps"], row["taught_by"]) for row in content["models"]} == {
        "teacher_ann": ("teacher", None, None),
        "teacher": ("teacher", 4, None),
        "assistant1": ("assistant", 2, "teacher"),
        "assistant2": ("assistant", 2, "assistant1"),
        "student_alone": ("student", 2, None),
        "student_direct": ("student", 2, "teacher"),
        "student_distilled": ("student", 2, "assistant2"),
    }
    record = read_json("runs/digits_multistage/student_distilled/stage.json")
    assert record["loss"] == "1 label + 0.5 soft_targets(logits -> logits) + 1 firing_rate(neurons -> neurons)"
    assert record["teacher_sha256"] == sha256("runs/digits_multistage/assistant2/model.keras")
    card = json.loads(Path("saved_models/digits_multistage/card.json").read_text())
    assert card["model"]["name"] == "student_distilled"
    text = Path("runs/digits_multistage/report.html").read_text()
    for label in ("teacher ann", "assistant2", "student direct"):
        assert label in text


@pytest.mark.merge
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_process_cleanly(tmp_path):
    process = start(*tiny.TINY, "--mode", "baseline", "--epochs", "1000", "--batch-size", "1", folder=tmp_path)
    stage = tmp_path / "runs" / "digits_baseline" / "student_alone"
    try:
        while not list(stage.glob("epoch-*.weights.h5")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert "stopped; what is finished is kept. Go on with the same command and --resume" in said
    assert "Traceback" not in error
    assert 1 <= len(read_json(stage / "history.json")) < 1000
    assert not (stage / "stage.json").exists()
