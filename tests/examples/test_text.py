"""The example on sentences runs from the file to a file for devices that takes token ids."""

import importlib.util
import pathlib

import numpy as np
import pytest

import keras_snnkd as kd
from tests.data.test_text import write_tsv

FILE = pathlib.Path(__file__).parents[2] / "examples" / "text" / "two_stages.py"


@pytest.mark.slow
def test_two_stages_on_a_few_sentences(tmp_path):
    spec = importlib.util.spec_from_file_location("two_stages", FILE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    del example.ARMS["one_stage"]  # which is half of the two
    sizes = "--length 6 --vocabulary 30 --teacher-width 16 --student-width 8 --timesteps 2 --epochs 1 --hidden-epochs 1 --teacher-epochs 30"
    sentences = write_tsv(tmp_path / "s.tsv")
    found = example.main([str(sentences), "--unlabelled", str(sentences), "--seeds", "1", "--out", str(tmp_path / "run"), *sizes.split()])
    assert set(found["arms"]) == {"alone", "two_stages"}
    assert found["student"]["parameters"] < found["teacher"]["parameters"]
    assert found["student"]["accumulates"] > 0
    assert found["file"]["accuracy"] == pytest.approx(found["arms"]["two_stages"]["mean"])
    runner = kd.edge.Runner(tmp_path / "run" / "student.tflite")
    assert runner.predict(np.array([[5, 3, 0, 0, 0, 0]], "int32")).shape == (1, 2)
    with pytest.raises(kd.errors.ShapeError, match="token ids"):
        runner.predict(np.zeros((1, 6), "float32"))
