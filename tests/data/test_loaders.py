"""`load`: names, paths, splits, and what it refuses."""

import numpy as np
import pytest

from keras_snnkd.data import load, names
from keras_snnkd.data.splits import Source, split
from keras_snnkd.errors import DatasetUnavailableError, FileFormatError, UnknownNameError


def test_the_known_names():
    assert sorted(names()) == ["cifar10", "digits", "fashion_mnist", "mnist"]


def test_digits_are_split_by_index():
    from sklearn.datasets import load_digits

    data, digits = load("digits"), load_digits()
    assert data.image_shape == (8, 8, 1)
    assert (data.num_classes, data.class_names) == (10, tuple("0123456789"))
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [1295, 143, 359]
    np.testing.assert_array_equal(data.test_arrays[1], digits.target[4::5])
    np.testing.assert_allclose(data.sample(359)[0][..., 0], digits.images[4::5] / 16, atol=1 / 256)
    rest = np.delete(digits.target, np.s_[4::5])
    np.testing.assert_array_equal(np.concatenate([data.train_arrays[1], data.validation_arrays[1]]), rest)


def test_limit_takes_the_first_images_and_splits_them_as_the_whole():
    whole, few = load("digits"), load("digits", limit=50)
    assert [len(part[1]) for part in (few.train_arrays, few.validation_arrays, few.test_arrays)] == [45, 5, 50]
    np.testing.assert_array_equal(few.train_arrays[0], whole.train_arrays[0][:45])
    np.testing.assert_array_equal(few.validation_arrays[0], whole.train_arrays[0][45:50])
    np.testing.assert_array_equal(few.test_arrays[1], whole.test_arrays[1][:50])


def test_two_images_are_enough_for_a_try():
    few = load("digits", limit=2)
    assert len(few.train_arrays[1]) == len(few.validation_arrays[1]) == few.steps_per_epoch == 1


def test_the_arrays_cannot_be_changed_by_accident():
    images, _ = load("digits").train_arrays
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.mark.parametrize(("name", "hint"), [("mnst", "Did you mean 'mnist'"), ("imagenet", "Known: cifar10, digits, fashion_mnist, mnist")])
def test_an_unknown_name_is_refused_with_the_nearest(name, hint):
    with pytest.raises(UnknownNameError, match=f"unknown data set '{name}'.*{hint}"):
        load(name)


@pytest.mark.parametrize("name", ["nowhere/images", "nowhere.npz"])
def test_a_path_to_nothing_is_refused(name, tmp_path):
    with pytest.raises(DatasetUnavailableError, match="there is no file or folder"):
        load(tmp_path / name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"expected a .npz file or a folder of images, got a file ending in '.zip'"):
        load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"batch_size": 0}, "batch_size must be"), ({"limit": 1}, "limit must be at least 2"), ({"augment": "flop"}, "unknown augmentation")],
)
def test_bad_settings_are_refused_before_anything_is_read(arguments, message):
    with pytest.raises(ValueError, match=message):
        load("nowhere/nothing.npz", **arguments)


def test_too_few_images_to_split_are_refused():
    arrays = np.zeros((1, 8, 8, 1), "uint8"), np.zeros(1, "int32")
    with pytest.raises(FileFormatError, match="got 1 training and 1 test images; training and validation need at least 2"):
        split(Source("tiny", ("a", "b"), arrays, arrays))
