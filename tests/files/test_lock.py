"""A folder belongs to one process at a time, and never to a dead one."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from keras_snnkd.errors import BusyError, ForeignFolderError
from keras_snnkd.files.lock import LOCK, at_work_above, locked, taking_part

HOLDS = """
import sys, time
from keras_snnkd.files.lock import locked
with locked(sys.argv[1], "train.py --name theirs"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "KERAS_BACKEND": "numpy"}  # which is imported soonest
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_is_there_and_changes_nothing(tmp_path, holder):
    before = (tmp_path / LOCK).read_bytes()
    with pytest.raises(BusyError, match=rf"in use: process {holder.pid} on .* since .* \(train.py --name theirs\)"), locked(tmp_path):
        pytest.fail("both are at work")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {LOCK: before}


@pytest.mark.slow
def test_a_killed_process_keeps_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path, "mine"):
        assert json.loads((tmp_path / LOCK).read_text())["command"] == "mine"
    assert not list(tmp_path.iterdir())


def test_the_same_code_may_ask_again_there_and_below_and_another_thread_may_not(tmp_path):
    (tmp_path / "seed0").mkdir()
    refused = []

    def other():
        try:
            with locked(tmp_path):
                refused.append(False)
        except BusyError:
            refused.append(True)

    with locked(tmp_path):
        with locked(tmp_path), locked(tmp_path / "seed0"):
            assert at_work_above(tmp_path / "seed0")
            assert not at_work_above(tmp_path)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True]
    assert not at_work_above(tmp_path / "seed0")


@pytest.mark.slow
def test_workers_write_under_the_lock_of_their_chief(tmp_path, holder):
    (tmp_path / "trials").mkdir()
    with taking_part(tmp_path), locked(tmp_path / "trials"), locked(tmp_path):
        assert at_work_above(tmp_path / "trials")


def test_a_file_or_link_of_somebody_elses_with_the_locks_name_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for make in (lambda: (tmp_path / LOCK).symlink_to(tmp_path / "thesis.tex"), lambda: (tmp_path / LOCK).write_text("mine")):
        make()
        with pytest.raises(ForeignFolderError), locked(tmp_path):
            pytest.fail("it was begun")
        assert (tmp_path / LOCK).read_text() == (tmp_path / "thesis.tex").read_text() == "mine"
        (tmp_path / LOCK).unlink()


def test_a_folder_that_is_not_there_needs_no_lock(tmp_path):
    with locked(tmp_path / "nowhere"):
        assert not (tmp_path / "nowhere").exists()
