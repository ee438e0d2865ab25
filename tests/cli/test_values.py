"""Options whose value is more than a word or a number."""

import pytest

from keras_snnkd.cli.values import read_named, read_objective, read_timesteps


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


def test_ways_to_compress_are_read():
    assert read_named("tt:rank=2,mode=half", "compress", "way to compress") == {"compress": "tt", "rank": 2, "mode": "half"}
    with pytest.raises(ValueError, match="cannot read 'rank' in the way to compress 'tt:rank'"):
        read_named("tt:rank", "compress", "way to compress")
    with pytest.raises(ValueError, match=r"'stds:sparsity=0\.5,sparsity=0\.6' says sparsity twice"):
        read_named("stds:sparsity=0.5,sparsity=0.6", "compress", "way to compress")


def test_steps_become_fewer():
    assert read_timesteps("4") == [4]
    assert read_timesteps("8,4,2,1") == [8, 4, 2, 1]
