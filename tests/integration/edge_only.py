"""The edge runner on a bare device: `python tests/integration/edge_only.py [folder]` (needs a network for pip).

Makes a virtual environment, installs the distribution of the runner alone (`packaging/edge`), which brings nothing but numpy and
ai-edge-litert, and runs the command on the shipped student's files. Exits with an error if anything of that fails, if TensorFlow or Keras
is there after all, or if an answer is wrong. The folder holds the environment; a temporary one by default.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "saved_models" / "digits_student"
ZERO = ["  5D91  ", "  DFAF5 ", " 3F2 B8 ", " 4C  88 ", " 58  98 ", " 4B 1C7 ", " 2E5AC  ", "  6DA   "]
"""The first of scikit-learn's digits, a zero, in sixteenths."""

PROGRAM = """
import importlib.util, sys
import numpy as np
from keras_snnkd.edge import Runner
assert not [name for name in ("keras", "tensorflow", "PIL", "sklearn") if importlib.util.find_spec(name)]
for path in sys.argv[2:]:
    logits = Runner(path).predict(np.load(sys.argv[1])[np.newaxis])
    assert logits.shape == (1, 10) and logits.argmax() == 0, (path, logits)
"""


def main(folder: Path) -> None:
    """Run all of it in `folder`."""
    work = folder / "elsewhere"  # so that the package is found where it was installed
    source = folder / "source"
    work.mkdir(parents=True)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"

    def run(*arguments):
        print("python", *arguments[:2] if arguments[0] == "-m" else ["-c", "..."], flush=True)
        return subprocess.run([python, *map(str, arguments)], cwd=work, check=True, stdout=subprocess.PIPE, text=True).stdout

    for name in ("keras_snnkd", "packaging/edge"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run("-m", "pip", "install", "--quiet", source / "packaging" / "edge")
    run("-c", f"import numpy; numpy.save('zero.npy', numpy.array({_pixels()}, 'float32')[..., None] / 16)")
    files = sorted(SHELF.glob("*.tflite"))
    assert files, f"there are no .tflite files in {SHELF}"
    run("-c", PROGRAM, "zero.npy", *files)
    for file in files:
        said = run("-m", "keras_snnkd.edge", file, "zero.npy")
        assert "prediction: 0" in said.splitlines(), said
    print(said)


def _pixels():
    return [[int(pixel, 17) if pixel != " " else 0 for pixel in row] for row in ZERO]


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
