"""Processes that are killed and resumed end as if nobody had killed them."""

import os

import numpy as np
import pytest

from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import read_json, write_json
from tests.distill import tiny
from tests.integration import kill_and_resume

COMPARE = [
    "--mode",
    "compare",
    "--objective",
    "soft_targets",
    "--seeds",
    "1",
    *kill_and_resume.TINY,
]  # it exports nothing, which takes long
KILLS = {
    "while a checkpoint is written": {"event": "tempfile.mkdtemp", "path": "run/teacher/.unfinished-*", "count": 7, "delay": 0.005},
    "between a part of the cache and its record": {"event": "os.rename", "path": "run/*.cache/*/cache.json", "count": 2},
    "between a stage's model and its record": {"event": "os.rename", "path": "run/seed3/soft_targets/stage.json"},
}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_that_is_killed_three_times_ends_as_one_that_is_not(tmp_path):
    reference = tmp_path / "reference"
    reference.mkdir()
    assert kill_and_resume.train(COMPARE, reference)
    assert len(read_json(reference / "run" / "seed3" / "soft_targets" / "history.json")) == 3
    done = [name for _, name, _ in kill_and_resume.trials(list(KILLS.items()), tmp_path, reference, 0.0, COMPARE)]
    assert done == [*KILLS, "finished"]


@pytest.mark.parametrize("name", ["history.json", "model.keras", "best-0001.weights.h5"])
def test_a_file_that_is_not_whole_would_be_found(name, tmp_path):
    model = tiny.compiled(tiny.plain())
    if name == "model.keras":
        model.student.save(tmp_path / name)
    elif name == "history.json":
        write_json(tmp_path / name, [{"loss": 1.0}])
    else:
        model.save_weights(tmp_path / name)
    kill_and_resume.check_whole(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-9])
    with pytest.raises((KDError, OSError), match=f"{name}|truncated file"):
        kill_and_resume.check_whole(tmp_path)


def test_one_other_bit_would_be_found(tmp_path):
    for place, change in (("one", 0.0), ("same", 0.0), ("other", np.finfo("float32").eps)):
        model = tiny.plain()
        model.set_weights([np.ones(weight.shape) + change for weight in model.weights])
        (tmp_path / place).mkdir()
        model.save(tmp_path / place / "model.keras")
    kill_and_resume.check_equal(tmp_path / "same", tmp_path / "one")
    with pytest.raises(AssertionError, match=r"model\.keras: .* differs by 1\.19"):
        kill_and_resume.check_equal(tmp_path / "other", tmp_path / "one")
