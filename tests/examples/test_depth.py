"""The example on depth runs from rendered scenes to a file that gives maps."""

import importlib.util
import pathlib

import numpy as np
import pytest

import keras_snnkd as kd

FILE = pathlib.Path(__file__).parents[2] / "examples" / "depth" / "across_modalities.py"


@pytest.mark.slow
def test_a_teacher_of_images_teaches_a_student_of_events(tmp_path):
    spec = importlib.util.spec_from_file_location("across_modalities", FILE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    sizes = "--scenes 120 --size 8 --frames 2 --teacher-width 4 --student-width 2 --teacher-epochs 6 --epochs 1"
    found = example.main(["--seeds", "1", "--out", str(tmp_path), *sizes.split()])
    assert found["data"] == "synthetic scenes, simulated events"
    assert set(found["taught"]) == {"abs_rel", "rmse", "delta"}
    assert found["taught"] != found["alone"]
    assert found["file"]["largest difference"] < 1e-3
    assert kd.edge.Runner(tmp_path / "student.tflite").predict(np.zeros((1, 2, 8, 8, 2), "float32")).shape == (1, 8, 8, 1)
