"""Labels that are numbers: forms, parts in which small and large ones are alike, and what is told of others."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.data.splits import strata
from keras_snnkd.errors import FileFormatError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (60, 6, 6, 1)).astype("uint8")


def write(path, labels, test=20):
    labels = np.asarray(labels)
    np.savez(path, x_train=IMAGES[test:], y_train=labels[test:], x_test=IMAGES[:test], y_test=labels[:test])
    return path


@pytest.mark.parametrize(
    ("labels", "shape", "told"),
    [
        (np.linspace(-5, 5, 60), (1,), "one number each"),
        (np.arange(60), (1,), "one number each"),
        (RANDOM.normal(size=(60, 3)), (3,), "3 numbers each"),
        (RANDOM.normal(size=(60, 6, 6)), (6, 6, 1), "maps"),
        (RANDOM.normal(size=(60, 6, 6, 2)), (6, 6, 2), "maps"),
    ],
)
def test_numbers_and_maps_are_labels(tmp_path, labels, shape, told):
    data = kd.data.load(write(tmp_path / "n.npz", labels), task="regression")
    assert data.train_arrays[1].shape[1:] == shape
    assert (data.train_arrays[1].dtype, data.num_outputs, data.num_classes) == (np.float32, shape[-1], 0)
    assert told in kd.data.describe(data)[0]
    assert next(iter(data.train))[1].shape[1:] == shape
    assert kd.data.holds_maps(tmp_path / "n.npz") == (len(shape) == 3)


def test_validation_has_small_and_large_numbers(tmp_path):
    data = kd.data.load(write(tmp_path / "n.npz", np.sort(RANDOM.normal(size=60))), task="regression")
    assert len(data.validation_arrays[1]) == 4
    train, held = data.train_arrays[1].mean(), data.validation_arrays[1].mean()
    assert abs(train - held) < 0.5 * data.train_arrays[1].std()
    assert strata(np.arange(100.0)[::-1]).tolist()[:11] == [9] * 10 + [8]


def test_arrays_in_memory_and_without_a_test_part():
    data = kd.data.load((IMAGES, np.linspace(0, 1, 60)), task="regression")
    assert len(data.test_arrays[1]) == 12
    np.testing.assert_allclose(data.test_arrays[1].mean(), 0.5, atol=0.05)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.full(60, 3.0), "3 everywhere; there is nothing to learn"),
        (np.array([np.nan] * 60), "NaN"),
        (RANDOM.normal(size=(60, 4, 4)), "as large as the images, got shape"),
        (np.array(["one"] * 60), "must be numbers"),
    ],
)
def test_other_labels_are_told(tmp_path, labels, told):
    with pytest.raises(FileFormatError, match=told):
        kd.data.load(write(tmp_path / "n.npz", labels), task="regression")


def test_numbers_that_nobody_asked_for_name_the_task(tmp_path):
    with pytest.raises(FileFormatError, match="--task regression"):
        kd.data.load(write(tmp_path / "n.npz", np.linspace(0, 1, 60)))
    with pytest.raises(ValueError, match="digits is something else"):
        kd.data.load("digits", task="regression")
    with pytest.raises(kd.errors.UnknownNameError, match="Did you mean 'regression'"):
        kd.data.load("digits", task="regresion")
    with pytest.raises(ValueError, match="mixup"):
        kd.data.load(tmp_path / "n.npz", task="regression", mixup=0.3)
