"""A chain trains on whatever a person has: arrays of any shape, and batched datasets."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.errors import KDError
from keras_snnkd.training.feed import feed
from tests.sampling import sampled

X = np.random.default_rng(0).normal(size=(70, 6, 2)).astype("float32")
Y = np.repeat([0, 1], 35)


def student():
    series = keras.Input((6, 2))
    x = keras.layers.Conv1D(4, 3, activation="relu")(series)
    return keras.Model(series, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x)), name="student")


def dataset(inputs=X, labels=Y, batch=10):
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(batch)


FORMS = {
    "arrays": lambda: (X, Y),
    "one-hot": lambda: (X, keras.utils.to_categorical(Y)),
    "with validation": lambda: ((X, Y), (X[:20], Y[:20])),
    "mapping": lambda: {"train": (X, Y), "validation": (X[:20], Y[:20])},
    "datasets": lambda: (dataset(), dataset(X[:20], Y[:20])),
    "of unknown length": lambda: (dataset().filter(lambda *_: True), dataset()),
}


@pytest.mark.every(3)
@pytest.mark.parametrize("form", sampled(FORMS, "arrays", "one-hot", "of unknown length"))
def test_a_chain_takes_it(form, tmp_path):
    data = FORMS[form]
    found = kd.Chain([kd.Stage("student", student, epochs=2)], tmp_path).run(data())["student"]
    assert [set(row) >= {"loss", "val_accuracy"} for row in found.history] == [True, True]
    assert found.record["steps_per_epoch"] in (1, 2, 7)


def test_a_tenth_of_each_class_is_validation_and_no_sample_is_lost():
    parts = feed((X, Y), batch_size=7)
    assert np.bincount(parts.held[1]).tolist() == [3, 4]
    assert len(parts.held[1]) + len(parts.train[1]) == 70
    assert parts.steps_per_epoch == 9


def test_the_order_is_that_of_seed_and_epoch_alone():
    parts = feed((X, Y), batch_size=63)
    epochs = [labels.numpy().tolist() for _, labels in parts.training().take(3)]
    assert epochs[0] != epochs[1]
    assert [labels.numpy().tolist() for _, labels in parts.training(1).take(2)] == epochs[1:]
    inputs, labels = next(iter(parts.training()))
    for sample, label in zip(inputs.numpy(), labels.numpy(), strict=True):
        assert Y[np.flatnonzero((sample == X).all((1, 2)))[0]] == label


def test_bytes_become_multiples_of_1_in_256():
    images = np.full((20, 2, 2, 1), 128, np.uint8)
    assert float(feed((images, Y[25:45])).train[0].max()) == 0.5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: dataset(), r"a Dataset needs another one for validation, \(train, validation\)"),
        (lambda: (dataset().unbatch(), dataset()), r"gives single samples; batch it, dataset\.batch\(32\)"),
        (lambda: (dataset().repeat(), dataset()), r"has no end.*dataset\.take\(steps\)"),
        (lambda: (X, Y[:-1]), "the training inputs are 70, and there are 69 labels"),
        (lambda: X, "cannot train on a ndarray; give what keras_snnkd.data.load returns"),
    ],
)
def test_anything_else_is_refused_with_what_can_be_given(data, message):
    with pytest.raises(KDError, match=message):
        feed(data())
