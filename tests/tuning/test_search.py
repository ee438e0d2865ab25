"""Whole small searches: what the folder holds, what is repeated, what is refused, and that the chosen recipe does what was promised."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import report
from keras_snnkd.distill import teachers
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.tuning import Budget, front, outcome, search
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests

FAST = ["--search", "tau=2.0", "--search", "soft_targets.temperature=4.0", "--search", "spike_train=false"]
TUNE = [*tiny.TINY, "--mode", "tune", "--max-params", "1200", "--max-synops", "100000", *FAST, "--out", "run"]


def fake_costs(model, path, images):
    """In place of an export: its cost without the converter's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * 4 * model.count_params())
    return {"bytes": path.stat().st_size, "latency_ms": 0.5}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder in which a search has run, as `run`."""
    place = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(outcome, "file_costs", fake_costs)
        patch.setattr(kd.data.Data, "test", property(lambda data: pytest.fail("the test set was used")))
        patch.setattr(kd.data.Data, "sample", lambda *arguments: pytest.fail("the test set was used"))
        assert tiny.run(*TUNE, "--trials", 3) == 0
    return place


@pytest.fixture
def no_training(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("training started"))


def results(place):
    return read_json(place / "run" / "results.json")


@pytest.mark.merge
def test_a_run_leaves_every_candidate_the_front_and_a_recipe(finished):
    run = finished / "run"
    names = {path.name for path in run.iterdir()}
    assert names == {
        "teacher", "trials", "tuner", "export", "logs", "recipe.json", "chosen.json", "results.json", "report.html", "front.svg",
        "manifest.json",
    }  # fmt: skip
    assert {"trial_0", "trial_1", "trial_2"} <= {path.name for path in (run / "trials").iterdir()}
    found = results(finished)["search"]
    assert {path.name for path in (run / "export").iterdir()} == {f"trial_{name}_float32.tflite" for name in found["front"]}


@pytest.mark.merge
def test_every_candidate_keeps_the_budget_and_is_what_its_file_is(finished):
    candidates = results(finished)["search"]["candidates"]
    assert len(candidates) == 3
    for row in candidates:
        model = kd.models.load(finished / "run" / "trials" / f"trial_{row['name']}" / "model.keras")
        assert row["parameters"] == model.count_params() <= 1200
        assert row["exceeded"] == Budget(parameters=1200, synaptic_operations=100000).exceeded(row) == []
        record = read_json(finished / "run" / "trials" / f"trial_{row['name']}" / "stage.json")
        assert row["accuracy"] == record["validation_accuracy"]


@pytest.mark.merge
def test_the_front_is_the_front_and_the_most_accurate_is_chosen(finished):
    found = results(finished)["search"]
    assert [row["name"] for row in front(found["candidates"])] == found["front"]
    assert found["chosen"] == found["front"][0]
    chosen = next(row for row in found["candidates"] if row["name"] == found["chosen"])
    assert chosen["accuracy"] == max(row["accuracy"] for row in found["candidates"])
    assert Recipe.load(finished / "run" / "chosen.json").to_dict() == chosen["recipe"]


@pytest.mark.merge
def test_page_table_and_picture_show_the_front(finished):
    found = results(finished)["search"]
    page = (finished / "run" / "report.html").read_text()
    assert "Pareto front" in page
    assert "run/chosen.json" in page
    assert (finished / "run" / "front.svg").read_text().startswith("<svg")
    assert len(report.search_markdown(found).splitlines()) == 2 + len(found["front"])
    assert len(report.search_markdown(found, everything=True).splitlines()) == 2 + len(found["candidates"])


@pytest.mark.slow
def test_the_chosen_recipe_repeats_what_the_search_saw(finished, monkeypatch):
    monkeypatch.chdir(finished)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    assert tiny.run("--recipe", "run/chosen.json", "--out", "final") == 0
    found = results(finished)["search"]
    promised = next(row for row in found["candidates"] if row["name"] == found["chosen"])
    distilled = Recipe.load("run/chosen.json").mode == "distill"
    name = "student_distilled" if distilled else "student_alone"
    assert read_json(f"final/{name}/stage.json")["validation_accuracy"] == promised["accuracy"]
    tiny.assert_equal_weights(f"final/{name}/model.keras", f"run/trials/trial_{found['chosen']}/model.keras")
    assert not Path("final/teacher").exists()  # it was trained once, in the search


@pytest.mark.slow
def test_resuming_trains_nothing_again_and_takes_more_trials(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    monkeypatch.setattr(outcome, "file_costs", fake_costs)
    before = results(finished)["search"]["candidates"]
    fitted, fit = [], kd.Distiller.fit

    def counted(distiller, *arguments, **more):
        fitted.append(distiller.student.name)
        return fit(distiller, *arguments, **more)

    monkeypatch.setattr(kd.Distiller, "fit", counted)
    assert tiny.run(*TUNE, "--trials", 3) == 1
    assert "holds a run already" in capsys.readouterr().err
    row = finished / "run" / "trials" / "trial_0" / outcome.CANDIDATE
    write_json(row, {**read_json(row), "seconds": 5000.0})  # as if its training had taken so long
    assert tiny.run(*TUNE, "--trials", 4, "--resume") == 0
    assert 5000 < results(finished)["seconds"] < 6000
    assert fitted == ["trial_3"]
    keep = ("name", "recipe", "accuracy", "parameters")
    after = [{key: row[key] for key in keep} for row in results(finished)["search"]["candidates"]]
    assert after[:3] == [{key: row[key] for key in keep} for row in before]
    assert tiny.run(*TUNE, "--trials", 4, "--resume", "--epochs", 2) == 1
    assert "epochs was 1 and is now 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_candidates_are_made_cheaper_and_judged_then(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exported = []

    def costs(model, path, images):
        exported.append(kd.metrics.connection_sparsity(model))
        return fake_costs(model, path, images)

    monkeypatch.setattr(outcome, "file_costs", costs)
    assert tiny.run(*TUNE, "--trials", 1, "--compress", "magnitude:sparsity=0.6") == 0
    (row,) = results(tmp_path)["search"]["candidates"]
    assert row["stage"] == "trial_0_magnitude"
    record = read_json(tmp_path / "run" / "trials" / row["stage"] / "stage.json")
    assert row["accuracy"] == record["validation_accuracy"]
    assert row["recipe"]["compress"] == [{"compress": "magnitude", "sparsity": 0.6}]
    assert min(exported) >= 0.59


def test_candidates_for_a_device_are_judged_on_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outcome, "file_costs", fake_costs)
    assert tiny.run(*TUNE, "--trials", 1, "--compress", "device:noise=0.5") == 0
    (row,) = results(tmp_path)["search"]["candidates"]
    record = read_json(tmp_path / "run" / "trials" / row["stage"] / "stage.json")
    assert row["on_device"]["perfect"] == pytest.approx(record["validation_accuracy"])
    assert row["accuracy"] == row["on_device"]["mean"] != row["on_device"]["perfect"]


# what is refused before anything is trained


@pytest.mark.parametrize(
    ("option", "limit", "said"),
    [("--max-params", 10, "no candidate can keep the budget"), ("--max-synops", 10, "synaptic operations per image, more than 10")],
)
def test_a_budget_that_nothing_can_keep_is_refused_at_once(option, limit, said, no_training, capsys):
    assert tiny.run(*tiny.TINY, "--mode", "tune", option, limit, "--out", "run") == 1
    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert option in error
    assert not list(Path().glob("run/*"))


def test_what_is_made_cheaper_later_is_not_too_dear_before(no_training, tmp_path):
    recipe = kd.Recipe(mode="tune", limit=100, teacher="mlp:24", student="mlp:12", timesteps=2, max_synops=10, compress=["int8"])
    found = search.Search(recipe, tmp_path / "run")
    assert found._fits(found.space.corner(max))
    assert {"smallest", "smallest_int8", "largest_int8"} <= set(found.check())


def test_a_file_that_is_always_too_large_is_refused_at_once(no_training, capsys, monkeypatch):
    monkeypatch.setattr("keras_snnkd.tuning.budget.file_costs", fake_costs)
    assert tiny.run(*tiny.TINY, "--mode", "tune", "--max-bytes", 100, "--out", "run") == 1
    assert "bytes in the float32 file, more than 100" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tuner", "bayesan"], "Did you mean 'bayesian'"),
        (["--search", "timestep=1,2"], "Did you mean 'timesteps'"),
        (["--search", "timesteps"], "expected name=value"),
        (["--search", "tau=1..x"], "expected two numbers"),
        (["--search", "tau=0.5"], "tau"),
        (["--trials", 0], "trials must be"),
        (["--max-params", -1], "max_params must be greater than 0"),
        (["--objective", "sakd"], "more than its objectives"),
        (["--student-start", "ann_twin"], "from scratch"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_before_training(arguments, said, no_training, capsys):
    assert tiny.run(*tiny.TINY, "--mode", "tune", *arguments, "--out", "run") == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_given_teacher_is_made_to_fit_the_data(no_training, tmp_path, monkeypatch, capsys):
    """One for coloured images of another size, that ends in a softmax."""
    monkeypatch.setattr(teachers, "judge", lambda *arguments: None)  # of a teacher that was not trained
    image = keras.Input((16, 16, 3))
    keras.Model(image, keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(image))).save(tmp_path / "mine.keras")
    recipe = kd.Recipe(mode="tune", limit=100, teacher=str(tmp_path / "mine.keras"), student="mlp:8", timesteps=2)
    found = search.Search(recipe, tmp_path / "run").check()
    assert found["largest"].teacher.input_shape == (None, 8, 8, 1)
    assert "it has no spiking neurons, so that its student learns from its logits" in capsys.readouterr().out


@pytest.mark.slow
def test_a_teacher_that_was_taught_nothing_ends_the_search(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(teachers, "FEWEST_TO_STOP", 20)
    assert tiny.run(*TUNE, "--trials", 1, "--teacher-learning-rate", 1e-9) == 1
    assert "it has nothing to teach. It was trained here" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run" / "trials").exists()


def test_half_an_address_is_refused(no_training, capsys, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert tiny.run(*TUNE) == 1
    assert "KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT is not set" in " ".join(capsys.readouterr().err.split())


def test_a_dry_run_shows_the_space_and_trains_nothing(no_training, capsys):
    assert tiny.run(*TUNE, "--dry-run") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "width1: 6, 9, 12, 18, 24" in said
    assert "stage smallest: " in said


@pytest.mark.slow
def test_if_all_cost_too_much_after_training_that_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search.metrics, "synaptic_operations", _many_operations(search.metrics.synaptic_operations))
    assert tiny.run(*TUNE, "--trials", 1) == 1
    assert "no candidate of 1 keeps the budget: the closest, 0, has" in " ".join(capsys.readouterr().err.split())
    assert results(tmp_path)["search"]["chosen"] is None
    assert not Path("run/chosen.json").exists()


def _many_operations(count):
    """As if training had made neurons fire much more; the first layer costs what it costs."""

    def counted(model, images):
        found = count(model, images)
        return type(found)(found.dense, found.effective_macs, 1e9, found.layers)

    return counted


# many machines


@pytest.mark.slow
def test_a_chief_and_a_worker_share_a_search(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "train.py"), *TUNE, "--trials", "2"]
    address = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port), "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **address, "KERASTUNER_TUNER_ID": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("chief", "worker0")
    ]
    said = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "[trial 2/2]" in said[1]
    assert "[trial" not in said[0]
    content = json.loads((tmp_path / "run" / "results.json").read_text())
    assert len(content["search"]["candidates"]) == 2
    assert (tmp_path / "run" / "chosen.json").exists()


def test_candidates_for_series_are_measured_on_the_series_that_they_are_trained_on(tmp_path):
    recipe = kd.Recipe(mode="tune", dataset="japanese_vowels", student="sequence:8", teacher="sequence:8", limit=100)
    run = search.Search(recipe, tmp_path)
    np.testing.assert_array_equal(run.images, run.data.validation_arrays[0][:1000])
    assert run.check()
