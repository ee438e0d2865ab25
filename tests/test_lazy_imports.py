"""What `import keras_snnkd` loads, and that Keras finds our classes; in fresh processes."""

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
        pytest.param("import keras, keras_snnkd", "numpy", marks=pytest.mark.slow),
        pytest.param("import keras_snnkd.surrogates, keras", "numpy", marks=pytest.mark.slow),
        pytest.param("import keras_snnkd.edge; from keras.saving import load_model; import keras", "numpy", marks=pytest.mark.slow),
    ],
)
def test_a_saved_model_loads_whatever_was_imported_first(imports, backend):
    program = f"{imports}; model = keras.saving.load_model({str(MODEL)!r}); print(type(model.get_layer('block1_neuron')))"
    assert "'keras_snnkd.neurons.lif.LIF'>" in python(program, backend)


@pytest.mark.merge
def test_all_classes_of_saved_files_are_registered():
    decorated = {
        node.name
        for file in (ROOT / "keras_snnkd").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(mark, "id", "") == "public" for mark in node.decorator_list)
    }
    found = python("import keras_snnkd, keras; print(*keras.saving.get_custom_objects())")
    assert {name.removeprefix("keras_snnkd>") for name in found} >= decorated
    assert len(decorated) > 40


@pytest.mark.slow
def test_no_import_is_watched():
    program = "import sys, keras_snnkd; print(any(type(finder).__module__.startswith('keras_snnkd') for finder in sys.meta_path))"
    assert python(program) == ["False"]


def test_without_keras_the_runner_works_and_the_rest_says_what_is_missing():
    program = """
import sys
sys.modules["keras"] = None
import keras_snnkd
from keras_snnkd.edge import Runner
try:
    keras_snnkd.neurons
except ImportError as error:
    print(Runner.__name__, "keras" in str(error))
"""
    assert python(program) == ["Runner", "True"]


def test_every_public_name_is_there_and_an_unknown_one_is_not():
    assert set(keras_snnkd.__all__) == {"__version__", *keras_snnkd._CLASSES, *keras_snnkd._PARTS}
    assert all(getattr(keras_snnkd, name) is not None for name in keras_snnkd.__all__)
    assert set(keras_snnkd.__all__) <= set(dir(keras_snnkd))
    assert keras_snnkd.Distiller.__module__ == "keras_snnkd.distill.distiller"
    assert keras_snnkd.report.plots.__name__ == "keras_snnkd.report.plots"
    with pytest.raises(AttributeError, match="has no attribute 'Distillr'"):
        keras_snnkd.Distillr  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from keras_snnkd import nothing  # noqa: F401
