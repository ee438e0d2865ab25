"""Mixtures of two images: pixels and labels are mixed alike, and a view is always the same."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.data.mixup import shares

DATA = kd.data.load("digits", limit=100, batch_size=16, augment="shift+cutout", views=2, mixup=0.5)


def test_shares_are_at_least_a_half_and_follow_the_beta_distribution():
    found = np.asarray(shares(1.0, 20000, [0, 1]))
    assert found.min() >= 0.5
    assert found.max() <= 1
    assert found.mean() == pytest.approx(0.75, abs=0.005)  # of the larger part of a uniform l
    assert np.asarray(shares(0.2, 20000, [0, 1])).mean() > 0.85


def test_a_tiny_strength_gives_numbers():
    found = np.asarray(shares(1e-4, 1000, [0, 1]))
    assert np.isfinite(found).all()


def test_a_batch_has_mixed_images_and_shares_of_classes():
    _, labels, places = next(iter(DATA.training(places=True)))
    assert labels.shape == (16, 10)
    np.testing.assert_allclose(np.sum(labels, axis=1), 1, rtol=1e-6)
    own = DATA.train_arrays[1][places % len(DATA.train_arrays[0])]
    np.testing.assert_array_equal(np.argmax(labels, axis=1), own)
    assert (np.max(labels, axis=1) < 0.99).any()


def test_images_and_labels_are_mixed_in_the_same_shares():
    count = 60
    labels = np.arange(count, dtype="int32")
    images = np.broadcast_to(labels.astype("uint8")[:, None, None, None], (count, 4, 4, 1)).copy()
    whole = {f"{part}_arrays": (images, labels) for part in ("train", "validation", "test")}
    names = tuple(map(str, labels))
    data = kd.data.Data("numbered", (4, 4, 1), count, names, batch_size=count, augment="none", seed=0, mixup=1.0, **whole)
    pixels, mixed = next(iter(data.train))
    np.testing.assert_allclose(pixels[:, 0, 0, 0] * 256, np.asarray(mixed) @ labels, rtol=1e-5)  # each image shows its own number


def test_a_view_shows_the_very_pixels_of_the_training_batches():
    for images, _, places in DATA.training(places=True).take(2 * DATA.steps_per_epoch):
        view = int(places[0]) // len(DATA.train_arrays[0])
        np.testing.assert_array_equal(DATA.view(view, places % len(DATA.train_arrays[0])), images)


def test_validation_and_test_are_not_mixed():
    for batches in (DATA.validation, DATA.test):
        _, labels = next(iter(batches))
        assert labels.dtype == "int32"


@pytest.mark.parametrize("mixup", [-0.1, float("inf"), "0.2", True])
def test_a_strength_that_cannot_be_is_refused(mixup):
    with pytest.raises(ValueError, match="mixup must be a number of at least 0"):
        kd.data.load("digits", mixup=mixup)


def test_where_some_images_have_labels_these_are_mixed_with_one_another():
    few = kd.data.load("digits", limit=200, batch_size=180, mixup=0.5).partly_labelled(0.2)
    known = few.train_arrays[1] >= 0
    for _, labels, places in few.training(places=True).take(3):
        totals = np.sum(labels, axis=1)
        np.testing.assert_allclose(totals, known[places % len(known)], atol=1e-6)  # 1 with a label, 0 without, nothing between
        assert 0 < totals.mean() < 0.5
