"""A given teacher and the augmentation that it was trained with, or without."""

import io

import keras
import numpy as np
import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd.run.experiment import Experiment


@pytest.fixture
def corners():
    """Images whose class is the brightness of their first pixel."""
    random = np.random.default_rng(0)
    images, labels = random.uniform(0, 1, (400, 8, 8, 1)).astype("float32"), np.arange(400) % 2
    images[:, 0, 0, 0] = 0.1 + 0.8 * labels
    return images, labels


@pytest.fixture
def teacher(tmp_path):
    """Reads the first pixel, and is wrong wherever another comes to its place."""
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    kernel = np.zeros((64, 2))
    kernel[0] = -10, 10
    model.layers[-1].set_weights([kernel, np.array([5.0, -5.0])])
    model.save(tmp_path / "teacher.keras")
    return str(tmp_path / "teacher.keras")


def experiment(tmp_path, corners, teacher, **settings):
    recipe = kd.Recipe(mode="distill", teacher=teacher, student="mlp:4", teacher_scale="0..1", seed=0, **settings)
    said = io.StringIO()
    return Experiment(recipe, tmp_path / "run", rich.console.Console(file=said, width=400), data=corners), said


def test_an_augmentation_that_nobody_asked_for_is_left_out_for_a_teacher_that_was_trained_without(tmp_path, corners, teacher):
    made, said = experiment(tmp_path, corners, teacher)
    assert kd.Recipe(dataset="arrays", student="mlp:4").resolved().augment != "none"
    assert made.recipe.augment == made.data.augment == "none"
    assert made.recipe.cache == 1  # one view of each image
    assert "the teacher is right on 100.0% of 256 training images as they are" in said.getvalue()
    assert "So images are not augmented; --augment crop does it all the same" in said.getvalue()


def test_one_that_was_asked_for_stays_with_a_warning(tmp_path, corners, teacher):
    made, said = experiment(tmp_path, corners, teacher, augment="crop")
    assert made.recipe.augment == made.data.augment == "crop"
    (warning,) = made.warned
    assert "Try --augment none" in warning
    assert warning in said.getvalue()


def test_a_teacher_that_bears_it_changes_nothing(tmp_path, corners, teacher):
    images, labels = corners
    bright = np.where(labels[:, None, None, None] == 1, images / 4 + 0.7, images / 4)  # flipped as bright as before
    bright[:, 0, :, 0] = 0.1 + 0.8 * labels[:, None]
    made, said = experiment(tmp_path, (bright.astype("float32"), labels), teacher, augment="flip")
    assert made.recipe.augment == "flip"
    assert made.warned == []
    assert "warning" not in said.getvalue()
