"""Whole runs, as small as they can be: what is kept, what is repeated, and what happens when one is stopped."""

import errno
import io
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

import keras_snnkd as kd
from keras_snnkd.data.data import Data
from keras_snnkd.files.staging import read_json, sha256
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.watching.progress import Progress
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests

DISTILL = [*tiny.TINY, "--epochs", "2", "--out", "run"]
STAGES = ["teacher", "student_alone", "student_distilled"]


@pytest.fixture(autouse=True)
def _cheap_export(monkeypatch):
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder in which a distillation has run, as `run`."""
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(kd.export, "export_all", tiny.fake_export)
        assert tiny.run(*DISTILL) == 0
    return place


@pytest.fixture
def copy(finished, tmp_path, monkeypatch):
    """A copy of that folder, in which the test runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path("run")


@pytest.fixture
def no_training(monkeypatch):
    def fit(*arguments, **more):
        pytest.fail("training started")

    monkeypatch.setattr(kd.Distiller, "fit", fit)


def stop_at(monkeypatch, stage, epoch, error=KeyboardInterrupt):
    """Stop the run when this epoch of this stage begins."""
    begin = Progress.on_epoch_begin

    def on_epoch_begin(progress, number, logs=None):
        if stage in progress.title and number == epoch:
            raise error
        begin(progress, number, logs)

    monkeypatch.setattr(Progress, "on_epoch_begin", on_epoch_begin)


def told(capsys):
    return tuple(" ".join(text.split()) for text in capsys.readouterr())


def recipe(**settings):
    return kd.Recipe(**{"limit": 200, "batch_size": 50, "teacher": "mlp:24", "student": "mlp:12", "timesteps": 2, **settings})


def results(folder="run"):
    return read_json(Path(folder, "results.json"))


# a finished run


@pytest.mark.merge
def test_a_run_leaves_models_history_recipe_logs_and_a_report(finished):
    run = finished / "run"
    expected = {"recipe.json", "results.json", "report.html", "logs", "export", "manifest.json", *STAGES}
    assert {path.name for path in run.iterdir()} == expected
    for stage in STAGES:
        assert {path.name for path in (run / stage).iterdir()} == {"model.keras", "history.json", "settings.json", "stage.json"}
        assert [path.parent.name for path in sorted((run / "logs" / stage).rglob("events.*"))] == ["train", "validation"]
        assert (run / "export" / stage / "saved_model" / "saved_model.pb").read_text() == stage


@pytest.mark.merge
def test_the_results_tell_who_taught_whom_and_how_each_epoch_went(finished):
    content = results(finished / "run")
    rows = {row["name"]: row for row in content["models"]}
    assert list(rows) == STAGES
    assert {name: (row["role"], row["taught_by"]) for name, row in rows.items()} == {
        "teacher": ("teacher", None),
        "student_alone": ("student", None),
        "student_distilled": ("student", "teacher"),
    }
    for stage in STAGES:
        record = read_json(finished / "run" / stage / "stage.json")
        assert rows[stage]["validation_accuracy"] == record["validation_accuracy"]
        assert rows[stage]["parameters"] == record["parameters"]
        assert rows[stage]["timesteps"] == 2
        history = read_json(finished / "run" / stage / "history.json")
        assert content["histories"][stage]["val_accuracy"] == [row["val_accuracy"] for row in history]
    assert [len(content["histories"][stage]["loss"]) for stage in STAGES] == [1, 2, 2]
    assert content["recipe"] == read_json(finished / "run" / "recipe.json")
    assert content["raster"]["model"] == "student distilled"


@pytest.mark.merge
def test_a_finished_student_stands_on_the_shelf_with_its_card(finished):
    shelf, run = finished / "saved_models" / "run", finished / "run"
    assert {path.name for path in shelf.iterdir()} == {"model.keras", "saved_model", "card.json", "card.html", "README.md", "manifest.json"}
    assert sha256(shelf / "model.keras") == sha256(run / "student_distilled" / "model.keras")
    assert (shelf / "saved_model" / "saved_model.pb").read_text() == "student_distilled"
    content, card = results(run), read_json(shelf / "card.json")
    assert card["model"] == content["models"][-1]
    assert card["training"]["recipe"] == content["recipe"]
    assert [entry["path"] for entry in card["targets"]] == ["saved_model"]
    assert [entry["path"] for entry in content["exports"]] == [f"export/{stage}/saved_model" for stage in STAGES]
    assert f"    {content['command']}\n" in (shelf / "README.md").read_text()


@pytest.mark.merge
def test_the_teacher_was_cached_and_the_cache_is_gone(finished):
    records = {stage: read_json(finished / "run" / stage / "stage.json") for stage in STAGES}
    assert {stage: record["teacher_cached"] for stage, record in records.items()} == {
        "teacher": False, "student_alone": False, "student_distilled": True,
    }  # fmt: skip
    assert not (finished / "run" / ".cache").exists()


@pytest.mark.slow
def test_the_written_recipe_repeats_the_run(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tiny.run("--recipe", finished / "run" / "recipe.json", "--out", "again") == 0
    for stage in STAGES:
        tiny.assert_equal_weights(Path("again", stage, "model.keras"), finished / "run" / stage / "model.keras")
    accuracies = [[row["accuracy"] for row in results(run)["models"]] for run in ("again", finished / "run")]
    assert accuracies[0] == accuracies[1]


@pytest.mark.merge
def test_without_resume_a_folder_with_a_run_is_refused_and_stays_as_it_is(copy, capsys, no_training):
    before = {path: sha256(path) for path in copy.rglob("*.*") if path.is_file()}
    assert tiny.run(*DISTILL, "--seed", 5) == 1
    assert "error: run holds a run already; go on with it (--resume) or choose another folder (--out)" in told(capsys)[1]
    assert before == {path: sha256(path) for path in copy.rglob("*.*") if path.is_file()}


@pytest.mark.merge
def test_resume_with_other_settings_is_refused_and_the_recipe_stays(copy, capsys, no_training):
    assert tiny.run(*DISTILL, "--resume", "--seed", 5) == 1
    assert "run was made with other settings: seed was 0 and is now 5" in told(capsys)[1]
    assert read_json(copy / "recipe.json")["seed"] == 0


@pytest.mark.merge
def test_resume_of_a_finished_run_trains_nothing_and_measures_again(copy, no_training):
    before = results()
    for name in ("results.json", "report.html"):
        (copy / name).unlink()
    assert tiny.run(*DISTILL, "--resume") == 0
    assert results()["models"] == before["models"]
    assert results()["histories"] == before["histories"]
    assert (copy / "report.html").is_file()


# a run that stops


@pytest.mark.merge
def test_after_ctrl_c_resume_ends_as_the_uninterrupted_run(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        stop_at(patch, "student_alone", epoch=1)
        assert tiny.run(*DISTILL) == 130
    said, error = told(capsys)
    assert "stopped; what is finished is kept. Go on with the same command and --resume" in said
    assert not error
    assert not Path("saved_models/run").exists()
    assert tiny.run(*DISTILL, "--resume") == 0
    assert read_json("run/student_alone/stage.json")["resumed_at_epoch"] == 1
    for stage in STAGES:
        tiny.assert_equal_weights(Path("run", stage, "model.keras"), finished / "run" / stage / "model.keras")
        assert read_json(f"run/{stage}/history.json") == read_json(finished / "run" / stage / "history.json")


def test_the_bar_is_off_the_screen_after_an_interruption(tmp_path, monkeypatch):
    stop_at(monkeypatch, "student_alone", epoch=0)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with pytest.raises(KeyboardInterrupt):
        Experiment(recipe(mode="baseline", epochs=1), tmp_path / "run", console).run()
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert hidden in screen.getvalue()
    assert screen.getvalue().rindex(shown) > screen.getvalue().rindex(hidden)


def test_training_that_diverges_ends_the_run_and_keeps_the_best_weights(tmp_path, monkeypatch, capsys):
    def poisoned(data, initial_epoch):
        batches = training(data, initial_epoch)
        return batches.enumerate().map(lambda step, batch: (tf.where(step < data.steps_per_epoch, batch[0], np.nan), batch[1]))

    training = Data.training
    monkeypatch.setattr(Data, "training", poisoned)
    monkeypatch.chdir(tmp_path)
    assert tiny.run(*DISTILL, "--mode", "baseline", "--epochs", 3) == 1
    said, error = told(capsys)
    kept = "The best weights so far are in run/student_alone/best-0001.weights.h5."
    assert "became NaN or infinite in epoch 2. Try a lower learning rate (--learning-rate)" in error.partition("error: ")[2]
    assert error.endswith(kept)
    assert "Traceback" not in error
    assert "epoch 1/3" in said
    model = kd.Distiller(kd.models.build("mlp:12", (8, 8, 1), 10, timesteps=2))
    model.load_weights("run/student_alone/best-0001.weights.h5", skip_mismatch=False)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert not Path("run/results.json").exists()


def test_a_disk_that_fills_while_training_is_told(tmp_path, monkeypatch, capsys):
    def full(model, path, *arguments, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keras.Model, "save_weights", full)
    monkeypatch.chdir(tmp_path)
    assert tiny.run(*DISTILL, "--mode", "baseline") == 1
    _, error = told(capsys)
    assert "error: cannot write run/student_alone/" in error
    assert "No space left on device" in error
    assert "Traceback" not in error
    assert not list(Path("run/student_alone").glob("*.h5"))


# teachers


@pytest.mark.slow
def test_a_trained_teacher_is_reused(copy):
    teacher = copy / "teacher" / "model.keras"
    assert tiny.run(*tiny.TINY, "--teacher", teacher, "--out", "reused") == 0
    assert {path.name for path in Path("reused").iterdir() if path.is_dir()} == {"student_alone", "student_distilled", "logs", "export"}
    (first, *_), (row, _, student) = results()["models"], results("reused")["models"]
    assert {key: row[key] for key in ("name", "role", "accuracy", "parameters")} == {
        key: first[key] for key in ("name", "role", "accuracy", "parameters")
    }
    assert student["taught_by"] == "teacher"
    settings = read_json("reused/student_distilled/settings.json")
    assert settings["settings"]["teacher_sha256"] == sha256(teacher)


@pytest.mark.slow
@pytest.mark.filterwarnings("default::UserWarning")
def test_resume_with_another_teacher_file_is_refused(copy, monkeypatch, capsys):
    arguments = [*tiny.TINY, "--teacher", copy / "teacher" / "model.keras", "--out", "reused"]
    with monkeypatch.context() as patch:
        stop_at(patch, "student_distilled", epoch=0)
        assert tiny.run(*arguments) == 130
    another = kd.models.load(copy / "teacher" / "model.keras")
    another.set_weights([0.999 * weight for weight in another.get_weights()])
    another.save(copy / "teacher" / "model.keras")
    assert tiny.run(*arguments, "--resume") == 1
    assert "reused/student_distilled was made with other settings" in told(capsys)[1]


@pytest.mark.slow
def test_an_ann_teaches_a_spiking_student(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tiny.run(*tiny.TINY, "--teacher-neuron", "relu", "--out", "run") == 0
    teacher, _, student = results()["models"]
    assert (teacher["timesteps"], teacher["spikes_per_image"]) == (None, None)
    assert (student["timesteps"], student["taught_by"]) == (2, "teacher")
    assert [objective["objective"] for objective in read_json("run/recipe.json")["objectives"]] == ["soft_targets"]


@pytest.mark.merge
def test_what_is_written_is_json(finished):
    assert json.dumps(results(finished / "run"), allow_nan=False)
