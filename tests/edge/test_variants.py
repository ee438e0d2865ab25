"""Several files of one student, of which one is drawn to answer."""

import shutil

import numpy as np
import pytest

from keras_snnkd.edge import Runner, Variants
from keras_snnkd.edge.__main__ import main
from keras_snnkd.errors import InputError, ShapeError
from tests.edge.conftest import SHELF, WHOLE

INT8 = SHELF / "model_int8.tflite"


def test_each_image_is_answered_by_a_file_that_is_drawn_for_it(digits):
    images = digits[0][:12]
    variants = Variants([WHOLE, INT8], seed=0)
    answers = [Runner(path).predict(images) for path in (WHOLE, INT8)]
    found = variants.predict(images)
    of_first = [np.array_equal(row, other) for row, other in zip(found, answers[0], strict=True)]
    of_second = [np.array_equal(row, other) for row, other in zip(found, answers[1], strict=True)]
    assert all(first or second for first, second in zip(of_first, of_second, strict=True))
    assert any(of_first)
    assert any(of_second)
    np.testing.assert_array_equal(Variants([WHOLE, INT8], seed=0).predict(images), found)


def test_without_a_seed_nobody_can_foresee_the_draws():
    variants = Variants([WHOLE, INT8])
    drawn = {variants.pick().path for _ in range(64)}
    assert drawn == {WHOLE, INT8}
    assert variants.image_shape == (8, 8, 1)


def test_what_are_no_variants_is_refused(monkeypatch):
    with pytest.raises(InputError, match="at least two files of one student, got 1"):
        Variants([WHOLE])
    shapes = iter([(8, 8, 1), (9, 9, 1), (9, 9, 1), (8, 8, 1)])
    monkeypatch.setattr(Runner, "image_shape", property(lambda runner: next(shapes)))
    with pytest.raises(ShapeError, match="takes images"):
        Variants([WHOLE, INT8])


def test_the_command_tells_who_answered(tmp_path, digits, capsys):
    for name in ("first", "second"):
        shutil.copy(WHOLE, tmp_path / f"{name}.tflite")
    np.save(tmp_path / "image.npy", digits[0][3])
    files = [str(tmp_path / name) for name in ("first.tflite", "image.npy", "second.tflite")]
    assert main([*files[:2], "--variant", files[2], "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert f"answered by: {files[0]}" in said or f"answered by: {files[2]}" in said
