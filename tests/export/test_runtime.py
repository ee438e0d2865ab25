import numpy as np
import pytest

from keras_snnkd.edge import read_contents
from keras_snnkd.errors import FileFormatError, ShapeError
from keras_snnkd.export import LiteRT, SavedModel
from tests.export.conftest import LITERT


@pytest.fixture(scope="module")
def file(tmp_path_factory, reference):
    path = tmp_path_factory.mktemp("runtime") / "student.tflite"
    LITERT.write_litert(reference, {"float32": path}, [path])
    return path


def test_predict_gives_logits_in_the_order_of_the_images(file, student, samples):
    logits = LiteRT(file).predict(samples[:5])
    assert logits.shape == (5, 10)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, student.predict(samples[:5], verbose=0), atol=1e-4)


@pytest.mark.parametrize("images", [np.zeros((2, 28, 28, 1), "float32"), np.zeros((8, 8, 1), "float32"), np.zeros((0, 8, 8, 1), "float32")])
def test_images_of_another_shape_are_refused(file, images):
    with pytest.raises(ShapeError, match=r"expected images \[N, 8, 8, 1\]"):
        LiteRT(file).predict(images)


def test_bytes_are_refused(file):
    with pytest.raises(ShapeError, match="images / 256"):
        LiteRT(file).predict(np.zeros((1, 8, 8, 1), "uint8"))


def test_a_truncated_file_is_refused_wherever_it_ends(file, tmp_path):
    content, short = file.read_bytes(), tmp_path / "short.tflite"
    for length in [0, 3, 8, 100, *range(1000, len(content), len(content) // 17), len(content) - 1]:
        short.write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            LiteRT(short)


def test_foreign_and_missing_files_are_refused(tmp_path):
    (tmp_path / "text.tflite").write_text("this is no model at all")
    with pytest.raises(FileFormatError, match="identifier"):
        LiteRT(tmp_path / "text.tflite")
    with pytest.raises(FileFormatError, match="there is no file"):
        LiteRT(tmp_path / "missing.tflite")
    with pytest.raises(FileFormatError, match="is not a SavedModel"):
        SavedModel(tmp_path)


def test_the_contents_name_every_operator(file):
    contents = read_contents(file)
    assert {"CONV_2D", "FLOOR", "FULLY_CONNECTED"} <= set(contents.operators)
    assert not {"GREATER_EQUAL", "CAST", "WHILE"} & set(contents.operators), "the spikes are not in the form that XNNPACK takes whole"
    assert contents.custom == ()
