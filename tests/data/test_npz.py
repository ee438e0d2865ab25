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


def test_every_tenth_of_a_class_of_the_training_arrays_is_validation(write):
    data, expected = load(str(write())), arrays()
    held = np.isin(np.arange(30), [15, 16, 17])  # the sixth of ten of each class
    assert (data.name, data.image_shape, data.num_classes, data.class_names) == ("shapes", (6, 5, 3), 3, ("0", "1", "2"))
    np.testing.assert_array_equal(data.train_arrays[0], expected["x_train"][~held])
    np.testing.assert_array_equal(data.validation_arrays[0], expected["x_train"][held])
    np.testing.assert_array_equal(data.test_arrays[0], expected["x_test"])
    np.testing.assert_array_equal(data.validation_arrays[1], [0, 1, 2])


def test_floats_from_0_to_1_without_a_channel_axis_are_read_too(write):
    expected = arrays()
    data = load(write(**{key: expected[key][..., 0] / 256 for key in ("x_train", "x_test")}))
    assert data.image_shape == (6, 5, 1)
    np.testing.assert_array_equal(data.test_arrays[0], expected["x_test"][..., :1])
    assert "pixels were float64 from 0 to 1, and are kept in 8 bits" in data.notes


@pytest.mark.parametrize("order", [np.arange(30) // 10, 2 - np.arange(30) // 10, np.arange(30) // 5 % 3, np.arange(30) % 3])
def test_all_parts_have_all_classes_in_whatever_order_they_come(write, order):
    test = np.repeat([0, 1, 2], 2)
    for limit in (None, 12):
        data = load(write(y_train=order, y_test=test), limit=limit)
        assert [sorted(set(part[1])) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [[0, 1, 2]] * 3
    assert len(data.train_arrays[1]) + len(data.validation_arrays[1]) == 12
    assert np.bincount(load(write(y_train=order, y_test=test), limit=3).test_arrays[1]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_part_to_choose_by_is_used(write, name):
    expected = arrays()
    data = load(write(**{f"x_{name}": expected["x_test"] // 2, f"y_{name}": expected["y_test"]}))
    np.testing.assert_array_equal(data.validation_arrays[0], expected["x_test"] // 2)
    np.testing.assert_array_equal(data.train_arrays[0], expected["x_train"])
    assert data.notes == ("validation comes with the files",)


def test_a_part_to_choose_by_is_checked_as_the_others(write):
    random = arrays()["x_test"]
    with pytest.raises(FileFormatError, match=r"y_val missing; expected x_train, y_train, x_test, y_test, x_val, y_val"):
        load(write(x_val=random))
    with pytest.raises(FileFormatError, match=r"labels of y_val must be 0\.\.2 as in y_train"):
        load(write(x_val=random, y_val=np.arange(6)))


def test_what_is_not_used_is_said(write):
    assert load(write(names=np.arange(3))).notes[-1] == "not used: names"


def test_floats_a_rounding_above_1_are_1(write):
    images = arrays()["x_train"] / 255
    images[0, 0, 0, 0] = 1.0000001
    data = load(write(x_train=images.astype("float32"), x_test=arrays()["x_test"] / 255))
    assert data.train_arrays[0][0, 0, 0, 0] == 255


NOT_A_NUMBER = np.full((30, 6, 5, 3), np.nan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "y_test missing; expected x_train, y_train, x_test, y_test, got x_train, y_train, x_test"),
        ({"y_train": np.array([{}] * 30)}, r"y_train holds Python objects, which are not read from files"),
        ({"x_train": np.zeros((30, 6))}, r"x_train must be \[N, H, W\] or \[N, H, W, C\] and not empty, got shape \(30, 6\)"),
        ({"x_train": np.zeros((0, 6, 5, 3)), "y_train": np.zeros(0, int)}, r"not empty, got shape \(0, 6, 5, 3\)"),
        ({"x_train": np.zeros((30, 6, 5, 3), int)}, r"got int64 from 0 to 0"),
        (
            {"x_train": np.arange(2700).reshape(30, 6, 5, 3) % 256},
            r"got int64 from 0 to 255; if its values are 0..255, save x_train.astype\('uint8'\)",
        ),
        ({"x_train": np.arange(2700).reshape(30, 6, 5, 3)}, r"got int64 from 0 to 2699; save \(x_train / 4095\).astype"),
        ({"x_train": np.zeros((30, 6, 5, 3), bool)}, r"got booleans; save x_train.astype\('uint8'\) \* 255"),
        ({"x_train": np.full((30, 6, 5, 3), "a")}, r"got <U1; pixels are numbers"),
        (
            {"x_train": np.arange(2700).reshape(30, 6, 5, 3).astype("uint8") % 2},
            r"of 0 and 1 only, .*save x_train.astype\('uint8'\) \* 255",
        ),
        ({"x_train": np.linspace(-1, 1, 2700).reshape(30, 6, 5, 3)}, r"got -1 to 1; of values from -1 to 1, save \(\(x_train \+ 1\) / 2\)"),
        ({"x_train": np.linspace(-2, 3, 2700).reshape(30, 6, 5, 3)}, r"got -2 to 3; save \(\(x_train - -2\) / 5\)"),
        ({"x_train": np.linspace(0, 1 / 255, 2700).reshape(30, 6, 5, 3)}, r"reach 0.0039\d+ only; were they divided by 255 twice"),
        ({"x_train": np.zeros((30, 3, 32, 32), "uint8")}, r"of \[N, C, H, W\] save x_train.transpose\(0, 2, 3, 1\)"),
        ({"x_train": np.zeros((30, 64, 3), "uint8")}, r"got shape \(30, 64, 3\), which looks like a series of 64 steps or points with 3"),
        ({"x_train": np.zeros((30, 784), "uint8")}, r"of flat images save x_train.reshape\(-1, H, W\)"),
        ({"y_train": np.eye(3, dtype=int)[np.arange(30) % 3]}, r"got shape \(30, 3\); of one-hot labels \[N, K\] save y_train.argmax\(1\)"),
        ({"y_train": np.array(["cat", "dog", "cow"] * 10)}, r"got names; save numpy.unique\(y_train, return_inverse=True\)\[1\]"),
        ({"y_train": np.arange(30) % 2 == 0}, r"got bool; save y_train.astype\(int\)"),
        ({"y_train": np.linspace(0, 2, 30)}, "got float64 with values in between, which are no classes"),
        (
            {"y_train": np.where(np.arange(30) < 1, np.nan, np.arange(30) % 3)},
            "got float64 with NaN or infinite values; leave out the images",
        ),
        ({"y_train": np.where(np.arange(30) < 1, np.inf, np.arange(30) % 3)}, "got float64 with NaN or infinite values"),
        ({"y_train": np.arange(30) % 3 + 2**60}, r"got 1152921504606846976..1152921504606846978; renumber them with numpy.unique"),
        ({"x_train": NOT_A_NUMBER}, "x_train holds NaN or infinite values"),
        ({"x_train": np.full((30, 6, 5, 3), 255.0)}, "must lie between 0 and 1, got 255 to 255"),
        ({"x_test": np.zeros((6, 9, 9, 3))}, r"must have one shape, got \(6, 5, 3\) and \(9, 9, 3\)"),
        ({"y_train": np.zeros((30, 1), int)}, r"got shape \(30, 1\); of \[N, 1\] save y_train.ravel"),
        ({"y_train": np.arange(30) % 3 * 1.0}, r"got float64; save y_train.astype\(int\)"),
        ({"y_train": np.arange(29) % 3}, "y_train has 29 labels for 30 images"),
        ({"y_train": np.zeros(30, int)}, r"y_train holds one class only \(0\)"),
        ({"y_train": np.arange(30) % 3 + 1}, r"labels of 3 classes must be 0..2, got 1..3 in y_train"),
        ({"y_test": np.arange(6)}, "labels of y_test must be 0..2 as in y_train, got 0..5"),
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
