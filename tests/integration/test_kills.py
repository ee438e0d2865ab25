"""Processes that are killed and resumed end as if nobody had killed them."""

import os

import pytest

from keras_snnkd.files import read_json
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


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(file.read_bytes()[:-9]), lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("name", ["history.json", "model.keras", "best-0001.weights.h5", "model.tflite", "report.html"])
def test_the_check_finds_a_file_that_is_not_whole(name, spoil, tmp_path):
    import json

    from tests.distill import tiny

    model = tiny.compiled(tiny.plain())
    if name.endswith(".weights.h5"):
        model.save_weights(tmp_path / name)
    elif name.endswith(".keras"):
        model.student.save(tmp_path / name)
    elif name.endswith(".tflite"):
        import tensorflow as tf

        (tmp_path / name).write_bytes(tf.lite.TFLiteConverter.from_keras_model(model.student).convert())
    else:
        (tmp_path / name).write_text(json.dumps([{"loss": 1.0}]) if name.endswith("json") else "<html></html>\n")
    kill_and_resume.check_whole(tmp_path)
    spoil(tmp_path / name)
    with pytest.raises(Exception, match=r"."):
        kill_and_resume.check_whole(tmp_path)
