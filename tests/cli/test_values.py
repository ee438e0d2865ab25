"""Options whose value is more than a word or a number."""

import pytest

from keras_snnkd.cli.values import read_objective


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("soft_targets", {"objective": "soft_targets"}),
        ("soft_targets:temperature=2,weight=0.5", {"objective": "soft_targets", "temperature": 2, "weight": 0.5}),
        (
            "feature_map:teacher_tap=block1_neuron,time=None",
            {"objective": "feature_map", "teacher_tap": "block1_neuron", "time": None},
        ),
        ("soft_targets:", {"objective": "soft_targets"}),
        ("soft_targets:temperature=", {"objective": "soft_targets", "temperature": ""}),
    ],
)
def test_objectives_are_read(text, mapping):
    assert read_objective(text) == mapping
