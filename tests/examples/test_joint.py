"""The example of two modes runs from the data to the file of the spiking one, and goes on where it was."""

import importlib.util
import pathlib

import pytest

FILE = pathlib.Path(__file__).parents[2] / "examples" / "joint" / "two_modes.py"


@pytest.mark.slow
def test_two_modes_train_together_and_the_spiking_one_is_a_file(tmp_path):
    spec = importlib.util.spec_from_file_location("two_modes", FILE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    arguments = ["--seeds", "1", "--out", str(tmp_path), "--width", "4", "--stages", "2", "--timesteps", "2", "--epochs", "2"]
    found = example.main(arguments)
    assert found["file"]["accuracy"] == pytest.approx(found["arms"]["joint"]["mean"])
    assert found["student"]["accumulates"] > 0
    assert found["difference"]["interval"] is None
    assert example.main(arguments)["arms"] == found["arms"]
