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

    def trained(hashes, *seeds):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "tests.integration.twenty_steps", *seeds]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    (first, other), (again,) = trained("1", "0", "1"), trained("2", "0")
    assert first == again
    assert first["weights"] != other["weights"]
