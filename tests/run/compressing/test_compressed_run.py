"""A run whose student goes through ways to become cheaper, by words of the command line."""

import json
from pathlib import Path

import pytest

import keras_snnkd as kd
from keras_snnkd import compress
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.finished import measuring
from keras_snnkd.run.recipes.checks import budget_of
from tests.integration.tiny import DATA, TINY, fake_export, run


@pytest.fixture
def made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measuring, "export_checked", lambda model, data, folder, name, quantizations: ({}, exported(model, folder, name)))
    return tmp_path, capsys


def exported(model, folder, name):
    """What `export_checked` tells of a file that nothing is written of but its name."""
    return [{**entry.to_dict(), "path": f"export/{name}/saved_model"} for entry in fake_export(model, Path(folder, "export", name), [0])]


@pytest.mark.slow
def test_a_student_becomes_cheaper_by_one_line(made):
    _, capsys = made
    assert run("--mode", "baseline", *TINY, "--compress", "magnitude:sparsity=0.6", "--pareto", "--out", "runs/mine") == 0
    said = " ".join(capsys.readouterr().out.split())
    results = json.loads(Path("runs/mine/results.json").read_text())
    names = ["student_alone", "student_magnitude"]
    assert [row["name"] for row in results["compression"]] == names
    assert [row["name"] for row in results["models"]] == names
    assert {entry["model"] for entry in results["exports"]} == set(names)
    dense, sparse = (row["connection_sparsity"] for row in results["compression"])
    assert dense < 0.3
    assert sparse >= 0.59
    for name in names:
        (point,) = json.loads(Path(f"runs/mine/pareto/{name}/pareto.json").read_text())  # of one epoch
        assert results["histories"][name]["val_operations"] == [point["synops"]]
        assert compress.is_plain(kd.models.load(f"runs/mine/pareto/{name}/{point['file']}"))
    assert all(row["compressed_bytes"] > 0 and row["energy"]["effective"] > 0 for row in results["compression"])
    assert any("of its weights are 0; files for LiteRT pack the better" in note for note in results["notes"])
    assert "packed" in said
    assert "Made cheaper" in Path("runs/mine/report.html").read_text()
    assert kd.metrics.connection_sparsity(kd.models.load("saved_models/mine/model.keras")) == sparse


@pytest.mark.slow
def test_variants_stand_beside_one_another_and_all_are_exported(made):
    words = ["--compress", "approximate:adder=2", "--compress", "approximate:multiplier=3", "--compress", "int8"]
    assert run("--mode", "baseline", *TINY, *words, "--out", "runs/mine") == 0
    results = json.loads(Path("runs/mine/results.json").read_text())
    variants = ["student_approximate", "student_approximate_2", "student_int8"]
    assert {row["name"]: row["taught_by"] for row in results["compression"]} == {
        "student_alone": None,
        **dict.fromkeys(variants, "student_alone"),
    }
    assert {entry["model"] for entry in results["exports"]} == {"student_alone", *variants}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["channels:share=0.8", "tt:rank=2", "unstructured:sparsity=0.5", "steps:timesteps=1", "ternary"],
        ["stds:sparsity=0.8", "reverse", "spikes:rate=0.001,per=neuron", "anytime", "device:noise=0.05", "int4"],
    ],
    ids=["channels", "stds"],
)
def test_words_in_a_row_each_make_a_student_whose_files_compute_the_same(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [argument for word in words for argument in ("--compress", word)]
    small = ["--student", "convnet:8,pool,8", "-T", "2", "--epochs", "2"]
    arguments = ["--mode", "baseline", *DATA, *small, *asked, "--out", "runs/mine"]
    assert run(*arguments) == 0
    rows = json.loads(Path("runs/mine/results.json").read_text())["compression"]
    assert [row["name"] for row in rows[1:]] == [f"student_{named(word)}" for word in words]
    assert rows[-1]["exported_accuracy"]
    data = kd.data.load("digits", limit=200)
    for row in rows:
        model = kd.models.load(f"runs/mine/{row['name']}/model.keras")
        kd.export.litert(model, f"{row['name']}.tflite", samples=data.sample(32)[0])  # which raises for other answers than Keras'
    trained = {path: path.stat().st_mtime_ns for path in Path("runs/mine").glob("student_*/model.keras")}
    assert len(trained) == len(rows)
    assert run(*arguments, "--resume") == 0
    assert {path: path.stat().st_mtime_ns for path in trained} == trained  # nothing is trained again


@pytest.mark.slow
def test_a_run_whose_word_had_nothing_to_do_goes_on_with_another(made, capsys):
    arguments = ["--mode", "baseline", *TINY, "--out", "runs/mine"]
    assert run(*arguments, "--compress", "spikes:rate=0.9,per=neuron") == 1
    assert "budget of 90.00% is above that; ask for less" in capsys.readouterr().err
    trained = Path("runs/mine/student_alone/model.keras").stat().st_mtime_ns
    assert run(*arguments, "--compress", "int8", "--resume") == 0
    assert Path("runs/mine/student_alone/model.keras").stat().st_mtime_ns == trained
    assert [row["name"] for row in read_json("runs/mine/results.json")["compression"]] == ["student_alone", "student_int8"]


def test_a_word_that_has_nothing_left_to_do_is_left_out_with_those_behind_it(made):
    words = ["--compress", "channels:share=0.01", "--compress", "channels:share=0.005", "--compress", "steps:timesteps=1"]
    assert run("--mode", "baseline", *TINY, *words, "--out", "runs/mine") == 0
    results = read_json("runs/mine/results.json")
    assert [row["name"] for row in results["models"]] == ["student_alone", "student_channels"]
    assert [row["name"] for row in results["compression"]] == ["student_alone", "student_channels"]
    told = [note for note in results["notes"] if "is left out" in note]
    assert told[0].startswith("student channels 2 is left out: student_alone_narrow has no channel to spare at share=0.005")
    assert told[0].endswith("--resume goes on with other words of --compress")
    assert told[1].startswith("student T1 is left out: the stage student_channels_2 that it needs has failed")
    assert "Made cheaper" in Path("runs/mine/report.html").read_text()


def named(word):
    """What the stage of a word is called."""
    return word.partition(":")[0].replace("steps", "T1")


def test_budgets_of_a_recipe_are_objectives():
    recipe = kd.Recipe(max_spikes=0.05, max_synops_target=1000.0)
    assert [kd.objectives.get(entry).get_config()["per"] for entry in budget_of(recipe)] == ["neuron", "operation"]
    assert budget_of(kd.Recipe()) == []
