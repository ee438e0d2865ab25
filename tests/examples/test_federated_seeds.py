"""The example of several seeds runs both exchanges in one process and goes on where it was."""

import importlib.util
import json
import pathlib

import pytest

FILE = pathlib.Path(__file__).parents[2] / "examples" / "federated" / "seeds.py"


@pytest.mark.slow
def test_outputs_and_weights_are_compared_over_seeds(tmp_path):
    spec = importlib.util.spec_from_file_location("federated_seeds", FILE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    settings = "members=2 rounds=2 public=40 student=mlp:8 timesteps=2 epochs=1 public_epochs=1 batch_size=256 weights.learning_rate=0.01"
    found = example.main(["--out", str(tmp_path), "--seeds", "2", *settings.split()])
    heads = len(b'["spikes", [40, 2, 10]]\n'), len(b'["logits", [40, 10]]\n')
    answers = 2 * 2 * (40 * 2 * 10 // 8 + heads[0])
    assert found["bytes"]["outputs"] == answers + 2 * (2 * 40 * 10 + heads[1])  # nothing was sent in the first round
    weights = 64 * 8 + 4 * 8 + 8 * 10 + 10
    assert found["bytes"]["weights"] == 2 * 2 * 2 * 4 * weights
    assert len(found["accuracies"]["outputs"]) == 2
    rates = [
        json.loads((tmp_path / f"{kind}_0" / "rounds.json").read_text())["setting"]["learning_rate"] for kind in ("weights", "outputs")
    ]
    assert rates == [0.01, 0.005]
    assert example.main(["--out", str(tmp_path), "--seeds", "2", *settings.split()]) == found
