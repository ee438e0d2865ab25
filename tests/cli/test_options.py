"""What the command line offers, and how it reaches the recipe."""

import dataclasses
from pathlib import Path

import pytest

import keras_snnkd as kd
from keras_snnkd.cli.options import parser
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def options():
    return {action.dest: action for action in parser()._actions}


def test_every_setting_of_a_recipe_can_be_given():
    assert {field.name for field in dataclasses.fields(kd.Recipe)} <= set(options())


def test_options_reach_the_recipe(runs):
    given = {
        "--mode": "multistage", "--dataset": "digits", "--data-dir": "there", "--limit": 50, "--augment": "shift", "--teacher": "mlp:24",
        "--assistant": "mlp:16", "--student": "mlp:12", "-T": 2, "--teacher-timesteps": 3, "--neuron": "plif", "--teacher-neuron": "if",
        "--teacher-start": "ann", "--objective": "soft_targets:temperature=2,weight=0.5", "--label-weight": 0.25, "--cache": 3,
        "--epochs": 3, "--weight-bits": 32,
        "--teacher-epochs": 4, "--ann-epochs": 5, "--batch-size": 6, "--learning-rate": 0.07, "--teacher-learning-rate": 0.08,
        "--weight-decay": 0.09, "--precision": "mixed_bfloat16", "--seed": 10, "--student-start": "scratch", "--seeds": 3,
        "--tuner": "hyperband", "--trials": 4, "--search": "timesteps=1,2", "--max-params": 1, "--max-synops": 2, "--max-bytes": 3,
        "--max-latency-ms": 4, "--strategy": "mirrored", "--on-problem": "stop",
        "--teacher-outputs": "logits", "--gradient": "rate", "--optimizer": "sgd", "--schedule": "one_cycle",
        "--label-smoothing": 0.1, "--teacher-stop": 2, "--labels": 0.5, "--twin-epochs": 6, "--twin-activation": "relu", "--mixup": 0.2,
        "--max-spikes": 0.05, "--max-synops-target": 900, "--compress": "stds:sparsity=0.9",
    }  # fmt: skip
    flags = ["--deterministic", "--teacher-scale", "-1..1"]
    assert tiny.run(*flags, *(part for pair in given.items() for part in pair)) == 0
    recipe = runs[0][0].to_dict()
    assert recipe == {
        **dict(zip((options_by_name()[name] for name in given), given.values(), strict=True)),
        "assistants": ["mlp:16"],
        "objectives": [{"objective": "soft_targets", "temperature": 2, "weight": 0.5}],
        "search": {"timesteps": [1, 2]},
        "compress": [{"compress": "stds", "sparsity": 0.9}],
        **{"deterministic": True, "keep_aspect": False, "resize": None, "rivals": False, "pareto": False, "teacher_scale": "-1..1"},
        **dict.fromkeys(["rates", "weights", "sizes"]),
        **{"task": "classes", **dict.fromkeys(["tokens", "vocabulary", "unlabelled", "class_weights", "first_objectives", "first_epochs"])},
        **{"window": None, "hop": None, "fold": 0, "frames": None, "frames_by": "time"},
    }


def options_by_name():
    return {name: action.dest for action in options().values() for name in action.option_strings}


def test_fewer_and_fewer_steps_are_ways_to_compress(runs):
    assert tiny.run("-T", "8,4,1", "--compress", "int8", "--compress", "spikes:rate=0.05") == 0
    recipe = runs[0][0]
    assert recipe.timesteps == 8
    assert recipe.compress == [
        {"compress": "steps", "timesteps": 4},
        {"compress": "steps", "timesteps": 1},
        {"compress": "int8"},
        {"compress": "spikes", "rate": 0.05},
    ]


def test_options_override_the_recipe_file(runs):
    kd.Recipe(mode="baseline", timesteps=3, epochs=5, objectives=["soft_targets"]).save("mine.json")
    tiny.run("--recipe", "mine.json", "--epochs", 7)
    recipe, folder = runs[0]
    assert (recipe.mode, recipe.timesteps, recipe.epochs, recipe.objectives) == ("baseline", 3, 7, ["soft_targets"])
    assert folder == Path("runs/digits_baseline")
    tiny.run("--recipe", "mine.json", "--mode", "teacher", "--objective", "firing_rate")
    assert (runs[1][0].mode, runs[1][0].objectives) == ("teacher", [{"objective": "firing_rate"}])
