"""What `import keras_snnkd` loads, and that Keras finds our classes all the same; in fresh processes."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_snnkd

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "saved_models" / "digits_student" / "model.keras"


def python(program, backend="numpy"):
    """What a program prints; Keras' NumPy backend spares it the import of TensorFlow."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("imports", "backend"),
    [
        ("import keras_snnkd, keras", "tensorflow"),
        ("import keras, keras_snnkd", "numpy"),
        ("import keras_snnkd.surrogates, keras", "numpy"),  # imports Keras while it is itself being imported
        ("import keras_snnkd.edge; from keras.saving import load_model; import keras", "numpy"),
    ],
)
def test_a_saved_model_loads_whatever_was_imported_first(imports, backend):
    program = f"{imports}; model = keras.saving.load_model({str(MODEL)!r}); print(type(model.get_layer('block1_neuron')))"
    assert "'keras_snnkd.neurons.lif.LIF'>" in python(program, backend)


def test_all_classes_of_saved_files_are_registered_and_the_hook_is_gone_as_soon_as_keras_is_there():
    decorated = {
        node.name
        for file in (ROOT / "keras_snnkd").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(mark, "id", "") == "public" for mark in node.decorator_list)
    }
    program = """
import sys
before = len(sys.meta_path)
import keras_snnkd
assert len(sys.meta_path) == before + 1 and "keras" not in sys.modules
import keras
assert len([finder for finder in sys.meta_path if type(finder).__module__.startswith("keras_snnkd")]) == 0
print(*keras.saving.get_custom_objects())
"""
    assert {name.removeprefix("keras_snnkd>") for name in python(program)} >= decorated
    assert len(decorated) > 40


def test_a_failed_import_of_keras_is_told_and_may_be_tried_again():
    program = """
import sys, keras_snnkd
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "keras.src":
            raise ImportError("half installed")
sys.meta_path.insert(0, Broken())
try:
    import keras
except ImportError as error:
    print(error)
del sys.meta_path[0]
import keras
print("keras_snnkd>LIF" in keras.saving.get_custom_objects())
"""
    assert python(program) == ["half", "installed", "True"]


def test_every_public_name_is_there_and_an_unknown_one_is_not():
    assert set(keras_snnkd.__all__) == {"__version__", *keras_snnkd._CLASSES, *keras_snnkd._PARTS}
    assert all(getattr(keras_snnkd, name) is not None for name in keras_snnkd.__all__)
    assert set(keras_snnkd.__all__) <= set(dir(keras_snnkd))
    assert keras_snnkd.Distiller.__module__ == "keras_snnkd.distill.distiller"
    assert keras_snnkd.plots.__name__ == "keras_snnkd.plots"
    with pytest.raises(AttributeError, match="has no attribute 'Distillr'"):
        keras_snnkd.Distillr  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from keras_snnkd import nothing  # noqa: F401
