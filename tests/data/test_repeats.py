"""Images that are there more than once are said, since they make a test say less than it seems to."""

import numpy as np
import pytest

from keras_snnkd.data import describe, load

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype="uint8")
LABELS = np.arange(60) % 3


def said(train, validation=(IMAGES[40:45], LABELS[40:45])):
    return " ".join(describe(load({"train": train, "validation": validation, "test": (IMAGES[45:], LABELS[45:])})))


def test_of_images_that_are_there_once_nothing_is_said():
    assert load({"train": (IMAGES[:45], LABELS[:45]), "test": (IMAGES[45:], LABELS[45:])}).repeats == []


def test_images_to_be_judged_by_that_are_training_images_too():
    lines = said((IMAGES[:55], LABELS[:55]))
    assert "5 of 5 validation images are training images too, pixel by pixel" in lines
    assert "10 of 15 test images are training images too" in lines


@pytest.mark.parametrize("shown", [7, 255])
def test_images_that_are_all_alike(shown):
    assert "all training images are alike, so that there is nothing to learn" in said((np.full_like(IMAGES, shown), LABELS))


def test_one_image_under_two_labels():
    images, labels = np.concatenate([IMAGES[:40], IMAGES[:5]]), np.append(LABELS[:40], (LABELS[:5] + 1) % 3)
    assert "5 images are there under several labels" in said((images, labels))
