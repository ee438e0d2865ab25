"""What is measured of a model, and what is refused before anything is compared."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import InputError, ShapeError
from keras_snnkd.run.finished.evaluation import check_fits, measure

DATA = kd.data.load("digits", limit=60)


def model(*layers, shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), *layers], name="mine")


def dense(units=10, **options):
    return keras.layers.Dense(units, **options)


def two_inputs():
    first, second = (keras.Input((8, 8, 1)) for _ in range(2))
    both = keras.layers.Flatten()(keras.layers.Add()([first, second]))
    return keras.Model([first, second], keras.layers.Dense(10)(both), name="mine")


def test_a_model_of_layers_is_measured():
    row, _ = measure(model(keras.layers.Flatten(), dense()), DATA)
    assert 0 <= row["accuracy"] <= 1
    assert row["spikes_per_image"] is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (model(keras.layers.Reshape((1, 64)), dense()), r"gives \[1, 10\] for an image; expected one logit for each of 10 classes"),
        (model(keras.layers.Reshape((4, 16)), dense()), r"gives \[4, 10\]"),
        (model(keras.layers.Flatten(), dense(7)), "knows 7 classes, digits has images .* of 10 classes"),
        (model(keras.layers.Flatten(), dense(), shape=(8, 8, 3)), r"takes images \(8, 8, 3\)"),
        (model(dense(), shape=(64,)), r"takes images \(64,\)"),
        (keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)], name="mine"), "is not built"),
        (two_inputs(), "2 inputs and 1 outputs"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(wrong, said):
    with pytest.raises(ShapeError, match=said):
        check_fits(wrong, DATA)
    with pytest.raises(ShapeError, match=said):
        measure(wrong, DATA)


def test_images_of_any_size_fit():
    check_fits(model(keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(), dense(), shape=(None, None, 1)), DATA)


@pytest.mark.parametrize("where", ["kernel", "bias"])
def test_answers_that_are_nan_have_no_accuracy(where):
    broken = model(keras.layers.Flatten(), dense())
    weight = getattr(broken.layers[-1], where)
    weight.assign(np.full(weight.shape, np.nan))
    with pytest.raises(InputError, match="60 of 60 answers are NaN"):
        measure(broken, DATA)
