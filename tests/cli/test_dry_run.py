"""A dry run builds everything and trains nothing."""

import json
import os
import re

import pytest

import keras_snnkd as kd
from tests.cli.said import refused, told
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def test_a_dry_run_shows_everything_and_leaves_nothing(capsys, no_training):
    objective = "feature_map:teacher_tap=block1_neuron,weight=2"
    assert tiny.run(*tiny.TINY, "--mode", "multistage", "--assistant", "mlp:16", "--objective", objective, "--dry-run", "full") == 0
    said, error = told(capsys)
    assert not error
    assert not os.listdir()
    assert "data: digits: images (8, 8, 1), bytes 0 to 255, 10 classes; 180 train, 20 validation, 200 test" in said
    stages = dict(part.split(": ", 1) for part in said.partition(" recipe: ")[0].split(" stage ")[1:])
    assert list(stages) == ["teacher", "assistant", "student_alone", "student_direct", "student_distilled"]
    teachers = {"assistant": "teacher (1,882", "student_direct": "teacher (1,882", "student_distilled": "assistant (1,258"}
    for stage, teacher in teachers.items():
        loss = "loss = 1 label + 2 feature_map(block1_neuron -> block1_neuron)"
        assert f"{loss} taught by {teacher} parameters)" in re.sub("; about .*? own", "", stages[stage])
    assert stages["student_alone"].startswith("946 parameters, loss = 1 label; about ")
    assert "output [B, 10] logits [B, 2, 10]" in stages["student_alone"]
    assert "block1_neuron [B, 2, 12]" in stages["student_alone"]
    resolved = json.loads(said.partition("recipe: ")[2])
    assert resolved["objectives"] == [{"objective": "feature_map", "teacher_tap": "block1_neuron", "weight": 2}]
    assert kd.Recipe.from_dict(resolved).resolved().to_dict() == resolved


def test_a_dry_run_is_short_and_says_what_it_takes(capsys, no_training):
    assert tiny.run(*tiny.TINY, "--dry-run") == 0
    said, _ = told(capsys)
    for stage in ("teacher", "student_alone", "student_distilled"):
        assert re.search(rf"stage {stage}: [0-9,]+ parameters, loss = .*?; about [0-9.]+ s, [0-9.]+ kB of memory", said)
    assert re.search(r"teacher: MLP 24, neuron lif.*?; 1 epochs, learning rate [0-9.]+ ", said)
    assert re.search(r"student: MLP 12, neuron lif, T = 2; 1 epochs, learning rate [0-9.]+ batches of \d+, augmentation none", said)
    assert re.search(r"in all about [0-9.]+ (s|min)", said)
    assert "recipe: {" not in said
    assert "block1_neuron [B" not in said
    assert "Did you mean 'full'?" in refused(capsys, *tiny.TINY, "--dry-run", "ful")
