"""Options that do nothing in a mode are told."""

import dataclasses

import pytest

import keras_snnkd as kd
from keras_snnkd.cli.options import parser
from keras_snnkd.run.recipes.modes import OF_RECIPES
from keras_snnkd.run.recipes.unused import _BY_MODE, unused
from tests.integration.tiny import TINY, run

SETTINGS = {field.name for field in dataclasses.fields(kd.Recipe)}


@pytest.mark.parametrize(
    ("mode", "recipe", "given", "found"),
    [
        ("baseline", {}, ["epochs", "objectives", "teacher_epochs", "cache"], ["objectives", "teacher_epochs"]),
        ("teacher", {}, ["timesteps", "student", "teacher_epochs"], ["student"]),
        ("distill", {}, ["assistants", "objectives", "ann_epochs", "teacher_neuron"], ["ann_epochs", "assistants"]),
        ("distill", {"teacher_start": "ann"}, ["ann_epochs"], []),
        ("distill", {"teacher": "there.keras"}, ["teacher", "teacher_epochs", "teacher_neuron"], ["teacher_epochs", "teacher_neuron"]),
        ("distill", {"teacher": "self"}, ["teacher_timesteps", "teacher_epochs"], ["teacher_epochs"]),
        ("distill", {"dataset": "japanese_vowels"}, ["timesteps", "teacher_timesteps", "window"], ["teacher_timesteps", "timesteps"]),
        ("multistage", {}, ["assistants", "seeds"], ["seeds"]),
        ("distill", {}, ["max_params", "trials", "epochs"], ["max_params", "trials"]),
        ("tune", {}, ["max_params", "trials", "search", "seeds"], ["seeds"]),
        ("compare", {}, ["assistants", "seeds", "ann_epochs", "max_spikes"], []),
        ("compare", {}, ["compress", "max_spikes", "pareto"], ["pareto"]),
        ("compare", {"rivals": True}, ["compress"], ["compress"]),
        ("compare", {"sizes": [1.0]}, ["compress"], ["compress"]),
        ("tune", {}, ["compress", "max_spikes", "on_problem"], ["on_problem"]),
        ("distill", {"objectives": ["tks"]}, ["teacher", "teacher_epochs", "epochs"], ["teacher", "teacher_epochs"]),
        ("distill", {"objectives": ["hinton"]}, ["teacher", "teacher_epochs"], ["teacher_epochs"]),  # of one that ships
        ("distill", {}, ["compress", "max_spikes", "max_synops_target"], []),
        ("baseline", {}, ["compress", "max_spikes"], ["max_spikes"]),
    ],
)
def test_what_a_mode_does_not_use(mode, recipe, given, found):
    assert unused(mode, given, kd.Recipe(mode=mode, **recipe).resolved()) == found


@pytest.mark.parametrize("mode", ["evaluate", "export"])
def test_without_training_all_but_model_and_data_is_unused(mode):
    assert unused(mode, ["model", "dataset", "limit", "out", "epochs", "resume"]) == ["epochs", "resume"]


def test_attacks_are_for_evaluation_and_targets_for_export():
    given = ["attacks", "variants", "target"]
    assert unused("evaluate", given) == ["target"]
    assert unused("export", given) == ["attacks", "variants"]
    assert unused("distill", given, kd.Recipe().resolved()) == ["attacks", "target", "variants"]


def test_the_table_knows_modes_and_settings_that_there_are():
    assert set(_BY_MODE) | {"compare"} <= set(OF_RECIPES)
    assert set().union(*_BY_MODE.values()) <= SETTINGS & set(vars(parser().parse_args([])))


def test_the_command_line_warns_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("--mode", "baseline", *TINY, "--objective", "hinton", "--dry-run") == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "warning: --mode baseline does not use --objective, --teacher, --teacher-epochs" in printed


def test_steps_that_no_student_goes_through_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("--mode", "compare", "--rivals", "--limit", "100", "--timesteps", "4,2", "--dry-run") == 0
    assert "--mode compare does not use --compress" in " ".join(capsys.readouterr().err.split())
