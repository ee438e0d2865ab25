"""Scripts in processes of their own."""

import os
import time
from pathlib import Path

import pytest

from keras_snnkd.files.processes import run_script


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return str(path)


def test_a_script_that_ends_well_is_none_and_one_that_fails_is_told(tmp_path):
    assert run_script(script(tmp_path, "import sys\nassert sys.argv[1:] == ['a', 'b']"), "a", "b", seconds=60) is None
    failure = run_script(script(tmp_path, "raise RuntimeError('no such operator')"), seconds=60)
    assert failure.startswith("failed with exit code 1. Its last lines:")
    assert failure.endswith("RuntimeError: no such operator")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_crash_is_told_with_its_signal(tmp_path):
    failure = run_script(script(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"), seconds=60)
    assert failure.startswith("was killed by signal 11.")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks the process up in /proc")
def test_what_a_stopped_script_had_started_ends_with_it(tmp_path):
    text = """
import os, sys, time
child = os.fork()
if child:
    with open(sys.argv[1], "w") as file:
        file.write(str(child))
time.sleep(600)
"""
    noted = tmp_path / "child"
    assert run_script(script(tmp_path, text), str(noted), seconds=3) == "took longer than 3 s and was stopped."
    for _ in range(100):
        state = Path("/proc", noted.read_text(), "stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"process {noted.read_text()} is still there")
