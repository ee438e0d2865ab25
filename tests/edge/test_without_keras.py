"""The runner in fresh processes in which Keras and TensorFlow cannot be imported."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.edge.conftest import WHOLE

ROOT = Path(__file__).parents[2]
BLOCKED = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "PIL"):
            raise ImportError(f"{name} is not on this device")

sys.meta_path.insert(0, Blocked())
"""


def python(program, *arguments):
    command = [sys.executable, "-c", BLOCKED + program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_runner_works_where_keras_and_tensorflow_do_not(stream):
    done = python(
        """
import numpy as np, keras_snnkd
from keras_snnkd.edge import Runner
assert keras_snnkd.edge.Runner is Runner
assert keras_snnkd.__version__ and "Distiller" in dir(keras_snnkd)
print(Runner(sys.argv[1]).predict(np.zeros((1, 8, 8, 1))).shape, Runner(sys.argv[2]).run(np.zeros((8, 8, 1)), None).steps)
assert not {"keras", "tensorflow"} & set(sys.modules)
""",
        WHOLE,
        stream,
    )
    assert (done.returncode, done.stdout) == (0, "(1, 10) 4\n"), done.stderr


def test_pictures_need_pillow_and_say_so(tmp_path):
    (tmp_path / "image.png").write_bytes(b"")
    program = "from keras_snnkd.edge.__main__ import main; raise SystemExit(main(sys.argv[1:]))"
    done = python(program, WHOLE, tmp_path / "image.png")
    assert done.returncode == 1
    assert "pip install pillow; .npy files are read without it" in done.stderr


def test_what_needs_keras_says_what_is_missing():
    done = python("import keras_snnkd; keras_snnkd.Distiller")
    assert done.returncode == 1
    assert "ImportError: keras is not on this device" in done.stderr


def test_the_command_does_not_import_keras_where_it_is_installed(tmp_path):
    np.save(tmp_path / "image.npy", np.zeros((8, 8, 1), "float32"))
    command = [sys.executable, "-X", "importtime", "-m", "keras_snnkd.edge", str(WHOLE), str(tmp_path / "image.npy")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "keras_snnkd.edge.runner" in imported
    assert not {"keras", "tensorflow"} & imported
