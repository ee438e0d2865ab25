"""Data sets in `.npz` files: what is read, and what is refused with which words."""

import numpy as np
import pytest

from keras_snnkd.data import load
from keras_snnkd.errors import FileFormatError


def arrays(**changes):
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (30, 6, 5, 3)).astype("uint8"),
        "y_train": np.arange(30) % 3,
        "x_test": random.integers(0, 256, (6, 6, 5, 3)).astype("uint8"),
        "y_test": np.arange(6) % 3,
    } | changes


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        path = tmp_path / "shapes.npz"
        np.savez(path, **{key: value for key, value in arrays(**changes).items() if value is not None})
        return path

    return write


def test_the_last_tenth_of_the_training_arrays_is_validation(write):
    data, expected = load(str(write())), arrays()
    assert (data.name, data.image_shape, data.num_classes, data.class_names) == ("shapes", (6, 5, 3), 3, ("0", "1", "2"))
    np.testing.assert_array_equal(data.train_arrays[0], expected["x_train"][:27])
    np.testing.assert_array_equal(data.validation_arrays[0], expected["x_train"][27:])
    np.testing.assert_array_equal(data.test_arrays[0], expected["x_test"])
    np.testing.assert_array_equal(data.validation_arrays[1], [0, 1, 2])


def test_floats_from_0_to_1_without_a_channel_axis_are_read_too(write):
    expected = arrays()
    data = load(write(**{key: expected[key][..., 0] / 256 for key in ("x_train", "x_test")}))
    assert data.image_shape == (6, 5, 1)
    np.testing.assert_array_equal(data.train_arrays[0], expected["x_train"][:27, ..., :1])


NOT_A_NUMBER = np.full((30, 6, 5, 3), np.nan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "y_test missing; expected x_train, y_train, x_test, y_test, got x_train, y_train, x_test"),
        ({"y_train": np.array([{}] * 30)}, r"not a readable .npz file of plain arrays .*allow_pickle"),
        ({"x_train": np.zeros((30, 6))}, r"x_train must be \[N, H, W\] or \[N, H, W, C\] and not empty, got shape \(30, 6\)"),
        ({"x_train": np.zeros((0, 6, 5, 3)), "y_train": np.zeros(0, int)}, r"not empty, got shape \(0, 6, 5, 3\)"),
        ({"x_train": np.zeros((30, 6, 5, 3), int)}, r"got int64; if its values are 0..255, save x_train.astype\('uint8'\)"),
        ({"x_train": NOT_A_NUMBER}, "x_train holds NaN or infinite values"),
        ({"x_train": np.full((30, 6, 5, 3), 255.0)}, "must lie between 0 and 1, got 255 to 255"),
        ({"x_test": np.zeros((6, 9, 9, 3))}, r"must have one shape, got \(6, 5, 3\) and \(9, 9, 3\)"),
        ({"y_train": np.zeros((30, 1), int)}, r"got shape \(30, 1\); of \[N, 1\] save y_train.ravel"),
        ({"y_train": np.arange(30) % 3 * 1.0}, "y_train must be integers, got float64"),
        ({"y_train": np.arange(29) % 3}, "y_train has 29 labels for 30 images"),
        ({"y_train": np.zeros(30, int)}, r"y_train holds one class only \(0\)"),
        ({"y_train": np.arange(30) % 3 + 1}, r"labels of 3 classes must be 0..2, got 1..3 in y_train"),
        ({"y_test": np.arange(6)}, "labels of y_test must be 0..2 as in y_train, got 0..5"),
        ({"y_train": np.arange(30) // 10}, "y_train is sorted by class"),
    ],
)
def test_what_does_not_fit_is_refused(write, changes, message):
    with pytest.raises(FileFormatError, match=message):
        load(write(**changes))


def test_a_truncated_file_is_refused(write):
    path = write()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match=r"shapes.npz: not a readable .npz file"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"not numpy at all", b"\x80\x04K\x01."])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"foreign.npz: not a readable .npz file"):
        load(path)


def test_damaged_compressed_bytes_are_refused(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **arrays())
    content = bytearray(path.read_bytes())
    content[500:700] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"damaged.npz: not a readable .npz file"):
        load(path)
