"""What a user got wrong is one line that says so."""

import json
import subprocess
import sys

import pytest

import keras_snnkd as kd
from keras_snnkd.cli import main
from keras_snnkd.errors import FileFormatError


def nested(depth, leaf="hinton"):
    return leaf if not depth else [nested(depth - 1, leaf)]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"objectives": nested(90)}, "nested deeper than 64"),
        ({"student": {"a": nested(400)}}, "nested deeper than 64"),
        ({"objectives": [{"objective": ["x"]}]}, "unknown objective ['x']"),
        ({"objectives": [{"objective": {}}]}, "unknown objective {}"),
        ({"objectives": [{"objective": "soft_targets", "distance": ["kl"]}]}, "cannot make the objective SoftTargets"),
        ({"objectives": [{"objective": "soft_targets", "teacher_tap": [["a"]]}]}, "a tap is the name of a layer"),
        ({"student": "mlp:99999999999"}, "must be at most 100,000 each, got 99,999,999,999"),
    ],
)
def test_a_recipe_that_cannot_be_is_told_in_one_line(recipe, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    assert main(["--recipe", "recipe.json", "--dry-run"]) == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_time_of_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileFormatError, match="there is no file"):
        kd.export.latency(tmp_path / "missing.tflite")


@pytest.mark.slow
def test_the_command_line_goes_on_without_a_reader(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")  # which is imported soonest
    inside = "    print('x' * 100_000, flush=True)\n    print('y')\n"
    code = f"from keras_snnkd.files.output import unread_output\nwith unread_output():\n{inside}"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait() == 0
    assert "BrokenPipe" not in error
    closed = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, f"{code}import sys\nassert sys.stdout is None\n"]
    done = subprocess.run(closed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
