"""The Flower app on real processes on this machine: a SuperLink and two SuperNodes, one of which is lost."""

import importlib.util
import pathlib
import shutil

import pytest

FILE = pathlib.Path(__file__).parents[2] / "examples" / "federated" / "run.py"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flower-superlink") is None, reason="Flower is not installed (the extra federated)")
def test_members_exchange_outputs_through_flower(tmp_path):
    spec = importlib.util.spec_from_file_location("run_federation", FILE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    settings = "members=2 rounds=2 public=40 student=mlp:8 timesteps=2 epochs=1 public_epochs=1 batch_size=256"
    rounds = example.main(["--out", str(tmp_path), "--minutes", "10", *settings.split()])
    assert [row["answered"] for row in rounds] == [2, 2]
    assert rounds[0]["bytes_received"] < 2 * 40 * 2 * 10
