"""`load`: names, paths, splits, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from keras_snnkd.data import load, names
from keras_snnkd.data.description import describe
from keras_snnkd.data.splits import Source, split, spread
from keras_snnkd.errors import DatasetUnavailableError, FileFormatError, UnknownNameError


def test_the_known_names():
    assert sorted(names()) == ["cifar10", "digits", "fashion_mnist", "japanese_vowels", "mnist", "speech_commands"]


def test_digits_are_split_by_index():
    from sklearn.datasets import load_digits

    data, digits = load("digits"), load_digits()
    assert data.image_shape == (8, 8, 1)
    assert (data.num_classes, data.class_names) == (10, tuple("0123456789"))
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [1295, 143, 359]
    assert data.notes == (
        "validation is every tenth training image of each class, spread evenly over it",
        "test is every fifth image, so that all parts are of the same writers",
    )
    np.testing.assert_array_equal(data.test_arrays[1], digits.target[4::5])
    np.testing.assert_allclose(data.sample(359)[0][..., 0], digits.images[4::5] / 16, atol=1 / 256)
    rest = np.delete(digits.target, np.s_[4::5])
    expected = np.bincount(rest)
    np.testing.assert_array_equal(np.bincount(data.train_arrays[1]) + np.bincount(data.validation_arrays[1]), expected)
    assert np.abs(np.bincount(data.validation_arrays[1]) - expected / 10).max() < 1


def test_validation_and_test_of_the_digits_are_of_the_same_writers():
    """The file goes from writer to writer; both parts are spread evenly over it."""
    from sklearn.datasets import load_digits

    digits, data = load_digits(), load("digits")
    places = {image.tobytes(): place for place, image in enumerate(np.minimum(digits.images * 16, 255).astype("uint8"))}
    for images, _ in (data.validation_arrays, data.test_arrays):
        share = np.histogram([places[image.tobytes()] for image in images], bins=6, range=(0, 1797))[0] / len(images)
        assert np.abs(share - 1 / 6).max() < 0.05


def test_limit_takes_the_first_images_of_all_classes():
    few, digits = load("digits", limit=50), load("digits")
    assert [len(part[1]) for part in (few.train_arrays, few.validation_arrays, few.test_arrays)] == [40, 10, 50]
    assert np.bincount(few.validation_arrays[1]).tolist() == [1] * 10
    together = np.bincount(few.train_arrays[1]) + 1
    assert (together.min(), together.max()) == (4, 6)
    assert min(np.bincount(few.test_arrays[1])) >= 3
    assert load("digits", limit=10**6).fingerprint == digits.fingerprint


def test_two_images_are_enough_for_a_try():
    few = load("digits", limit=2)
    assert len(few.train_arrays[1]) == len(few.validation_arrays[1]) == few.steps_per_epoch == 1


def test_the_arrays_cannot_be_changed_by_accident():
    images, _ = load("digits").train_arrays
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.mark.parametrize(
    ("name", "hint"), [("mnst", "Did you mean 'mnist'"), ("imagenet", "Known: cifar10, digits, fashion_mnist, japanese_vowels")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name, hint):
    with pytest.raises(UnknownNameError, match=f"unknown data set '{name}'.*{hint}"):
        load(name)


def test_a_folder_of_nearly_that_name_is_meant(tmp_path, monkeypatch):
    (tmp_path / "shapes").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown data set 'shape'\. Did you mean 'shapes'\? There is no folder"):
        load("shape")
    with pytest.raises(DatasetUnavailableError, match=r"Did you mean 'shapes'\?"):
        load(tmp_path / "shape")


@pytest.mark.parametrize("name", ["nowhere/images", "nowhere.npz", "nowhere.tsv"])
def test_a_path_to_nothing_is_refused(name, tmp_path):
    with pytest.raises(DatasetUnavailableError, match="there is no file or folder"):
        load(tmp_path / name)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"expected a .npz, .ts, .csv or .tsv file or .* got a file ending in '.zip'"):
        load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be"),
        ({"batch_size": True}, "batch_size must be an integer of at least 1, got True"),
        ({"seed": False}, "seed must be an integer"),
        ({"limit": 1}, "limit must be at least 2"),
        ({"limit": "100"}, "limit must be at least 2 .* got '100'"),
        ({"limit": 2.5}, "limit must be at least 2"),
        ({"augment": "flop"}, "unknown augmentation"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(arguments, message):
    with pytest.raises(ValueError, match=message):
        load("nowhere/nothing.npz", **arguments)


def test_too_few_images_to_split_are_refused():
    arrays = np.zeros((1, 8, 8, 1), "uint8"), np.zeros(1, "int32")
    with pytest.raises(FileFormatError, match="got 1 training and 1 test images; training and validation need at least 2"):
        split(Source("tiny", ("a", "b"), arrays, arrays))


def test_a_tenth_of_each_class_adds_up_and_leaves_none_out():
    assert spread(np.array([0, 0, 0, 0, 1, 1]), 3).nonzero()[0].tolist() == [1, 3, 5]
    random = np.random.default_rng(0)
    for _ in range(20):
        labels = random.permutation(np.repeat(np.arange(5), random.integers(1, 60, 5)))
        chosen = spread(labels, len(labels) // 10)
        each, counts = np.bincount(labels[chosen], minlength=5), np.bincount(labels)
        assert ((each >= 1) | (counts == 1)).all()
        assert (each < counts).all()
        assert (each <= np.ceil(counts / 10) + 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resize": "8x"}, "resize must be a size in pixels such as 32, or WIDTHxHEIGHT such as 48x32, got '8x'"),
        ({"resize": 0}, "width must be a whole number from 1"),
        ({"resize": 16}, r"resize \(--resize\) is for folders of pictures, got 'digits'"),
        ({"keep_aspect": True}, "give the size too"),
    ],
)
def test_a_size_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load("digits", **arguments)


def test_what_came_is_said_back():
    lines = describe(load("digits", limit=100))
    assert lines[0] == "data: digits: images (8, 8, 1), bytes 0 to 255, 10 classes; 90 train, 10 validation, 100 test; batches of 8"
    assert lines[1] == "  validation is every tenth training image of each class, spread evenly over it"
    assert lines[3].startswith("  images per class (train, validation, test): 0 10/1/8; 1 10/1/6;")
    lacking = dataclasses.replace(load("digits"), num_classes=12, class_names=tuple("0123456789ab"))
    assert "  no images of a, b in test" in describe(lacking)


def test_a_folder_that_is_called_as_a_data_set_is_not_passed_over_in_silence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(load("digits").notes) == 2
    (tmp_path / "digits").mkdir()
    assert "there is a file or folder of this name here too, for which give ./digits" in load("digits").notes[-1]
    with pytest.raises(FileFormatError, match="no class folders in it"):
        load("./digits")
