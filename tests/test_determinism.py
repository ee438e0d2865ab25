"""One seed, one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_two_processes_train_alike_to_the_last_bit_and_another_seed_does_not():
    """Twenty steps, in processes that order their sets and dictionaries by other hashes."""

    def trained(hashes):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "tests.integration.twenty_steps"]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    first, again = trained("1"), trained("2")
    assert first == again
    assert first[0]["weights"] != first[1]["weights"]
