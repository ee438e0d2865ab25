"""How to run a student: one text, and what it says works."""

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_snnkd import report
from keras_snnkd.edge import Runner
from keras_snnkd.edge.images import read_image
from keras_snnkd.files.pictures import Resize
from keras_snnkd.files.staging import read_json
from keras_snnkd.report.usage import usage

ROOT = Path(__file__).parents[2]
STUDENT = ROOT / "saved_models" / "digits_student"
CARD = {
    "dataset": {"image_shape": [32, 32, 3], "class_names": ["ant", "bee"]},
    "targets": [{"state": "written", "path": "model_dynamic.tflite"}],
}


@pytest.mark.parametrize("keep_aspect", [False, True])
def test_the_python_names_the_class_that_the_runner_names(keep_aspect, tmp_path, monkeypatch):
    card = read_json(STUDENT / "card.json")
    card["dataset"]["resize"] = {"width": 8, "height": 8, "keep_aspect": keep_aspect}
    for name in ("card.json", "model_dynamic.tflite"):
        shutil.copy(STUDENT / name, tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 11, 3), dtype="uint8")).save(tmp_path / "picture.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = [code for _, language, code in usage(card) if language == "python"]
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    expected = read_image("picture.jpg", (8, 8, 1), Resize(8, 8, keep_aspect))
    np.testing.assert_array_equal(names["images"][0], expected)
    logits = Runner("model_dynamic.tflite").predict(expected[np.newaxis])[0]
    assert printed.getvalue().strip() == card["dataset"]["class_names"][logits.argmax()]


def test_the_guide_says_what_a_card_says():
    guide = (ROOT / "docs" / "guides" / "pictures.md").read_text("utf-8")
    for said, _, code in usage(CARD, "saved_models/my_images_distill/"):
        assert code in guide, code
        assert said in " ".join(guide.split()), said


def test_what_is_no_picture_gets_no_snippet_and_without_a_file_nothing_is_said():
    series = {**CARD, "dataset": {"image_shape": [30, 12], "class_names": ["a", "b"]}}
    assert [language for _, language, _ in usage(series)] == ["bash", "bash"]
    assert usage(series)[-1][-1].endswith("model_dynamic.tflite sample.npy")
    assert report.usage_markdown({**CARD, "targets": []}) == ""
