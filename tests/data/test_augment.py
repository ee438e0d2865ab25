"""Augmentations are pure functions of images and their integers, and move, mirror and blank what they say."""

import numpy as np
import pytest

from keras_snnkd.data import AUGMENTATIONS
from keras_snnkd.data.augment import augmentation
from keras_snnkd.errors import UnknownNameError

IMAGES = np.random.default_rng(0).uniform(0.1, 1.0, (64, 16, 12, 3)).astype("float32")


def augmented(names, seed=(1, 2), images=IMAGES):
    augment = augmentation(names)
    return np.asarray(augment.apply(images, augment.draw(len(images), images.shape[1:], np.array(seed, "int32"))))


OF_IMAGES = [name for name, one in AUGMENTATIONS.items() if one.axes in (None, 3)]


@pytest.mark.parametrize("name", [*OF_IMAGES, "flip+crop+cutout"])
def test_same_seed_same_images_and_shape_type_and_range_are_kept(name):
    once, again = augmented(name), augmented(name)
    np.testing.assert_array_equal(once, again)
    assert once.shape == IMAGES.shape
    assert once.dtype == np.float32
    assert once.min() >= 0
    assert once.max() <= 1


@pytest.mark.parametrize("name", sorted(set(OF_IMAGES) - {"none"}))
def test_another_seed_gives_other_images(name):
    assert (augmented(name, seed=(1, 2)) != augmented(name, seed=(1, 3))).any()


@pytest.mark.parametrize("name", [*OF_IMAGES, "flip+crop+cutout"])
def test_an_image_changes_alike_in_every_batch(name):
    augment = augmentation(name)
    integers = np.asarray(augment.draw(len(IMAGES), IMAGES.shape[1:], np.array([1, 2], "int32")))
    some = [40, 3, 3, 63]
    np.testing.assert_array_equal(augment.apply(IMAGES[some], integers[some]), augmented(name)[some])


def test_none_changes_nothing():
    np.testing.assert_array_equal(augmented("none"), IMAGES)


def test_flip_mirrors_about_half_of_the_images_and_leaves_the_others():
    images = augmented("flip")
    same = (images == IMAGES).all(axis=(1, 2, 3))
    mirrored = (images == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


@pytest.mark.parametrize(("name", "rows", "columns"), [("crop", 2, 1), ("shift", 1, 1)])
def test_crop_and_shift_cut_a_window_out_of_the_zero_padded_image(name, rows, columns):
    images = np.tile(IMAGES, (4, 1, 1, 1))
    padded = np.pad(images, [(0, 0), (rows, rows), (columns, columns), (0, 0)])
    seen = set()
    for image, wide in zip(augmented(name, images=images), padded, strict=True):
        windows = {(r, c): wide[r : r + 16, c : c + 12] for r in range(2 * rows + 1) for c in range(2 * columns + 1)}
        (place,) = [place for place, window in windows.items() if (window == image).all()]
        seen.add(place)
    assert seen == {(r, c) for r in range(2 * rows + 1) for c in range(2 * columns + 1)}


def test_cutout_blanks_one_square_of_half_the_height_at_most():
    blank = (augmented("cutout") == 0).all(axis=-1)
    rows, columns = blank.any(axis=2), blank.any(axis=1)
    np.testing.assert_array_equal(blank, rows[:, :, None] & columns[:, None, :])
    assert rows.sum(axis=1).max() == columns.sum(axis=1).max() == 8
    assert rows.sum(axis=1).min() >= 4
    np.testing.assert_array_equal(augmented("cutout")[~blank], IMAGES[~blank])


def test_joined_names_act_one_after_the_other():
    both = augmented("flip + cutout")
    blank = (both == 0).all(axis=-1)
    same, mirrored = ((both == other) | blank[..., None] for other in (IMAGES, IMAGES[:, :, ::-1]))
    assert (same.all(axis=(1, 2, 3)) | mirrored.all(axis=(1, 2, 3))).all()
    assert blank.any()


def test_the_parts_of_a_joined_name_draw_different_numbers():
    dots = np.zeros((64, 9, 9, 1), "float32")
    dots[:, 4, 4] = 1
    moved = np.argwhere(augmented("shift+shift", images=dots))[:, 1] - 4
    assert set(moved) == {-2, -1, 0, 1, 2}  # equal draws would move by an even number of pixels


@pytest.mark.parametrize("name", ["flop", "flip+flop", ""])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(UnknownNameError, match=r"unknown augmentation .*Known: crop, cutout, flip, jitter, none, scale, shift, time_mask"):
        augmentation(name)
