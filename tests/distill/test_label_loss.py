"""A label loss that takes something else than the student gives is refused, in whatever way it is given."""

import functools

import keras
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.label_loss import LossError
from tests.distill import tiny

Losses = keras.losses

OF_PROBABILITIES = [
    "sparse_categorical_crossentropy",
    "SparseCategoricalCrossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "bce",
    "categorical_focal_crossentropy",
    "kl_divergence",
    Losses.sparse_categorical_crossentropy,
    Losses.binary_crossentropy,
    Losses.SparseCategoricalCrossentropy,
    Losses.SparseCategoricalCrossentropy(),
    Losses.CategoricalCrossentropy(label_smoothing=0.1),
    Losses.BinaryFocalCrossentropy(),
    functools.partial(Losses.sparse_categorical_crossentropy, from_logits=False),
    {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": False}},
    ["sparse_categorical_crossentropy"],
]

OF_LOGITS = [
    None,
    Losses.SparseCategoricalCrossentropy(from_logits=True),
    functools.partial(Losses.sparse_categorical_crossentropy, from_logits=True),
    "mse",
    lambda labels, outputs: 0.0,
]


def compile_with(loss, student):
    kd.Distiller(student).compile("sgd", loss)


@pytest.mark.parametrize("loss", OF_PROBABILITIES, ids=map(str, range(len(OF_PROBABILITIES))))
def test_probabilities_are_not_what_a_student_of_logits_gives(loss):
    with pytest.raises(LossError, match=r"student student gives logits; (write|use)[\s\S]*from_logits=True"):
        compile_with(loss, tiny.snn())


@pytest.mark.parametrize("loss", OF_LOGITS, ids=map(str, range(len(OF_LOGITS))))
def test_a_loss_on_logits_is_taken(loss):
    compile_with(loss, tiny.snn())


def test_a_student_that_ends_in_a_softmax_takes_the_other_one():
    image = keras.Input((4,))
    student = keras.Model(image, keras.layers.Dense(3, activation="softmax")(image), name="student")
    compile_with("sparse_categorical_crossentropy", student)
    with pytest.raises(LossError, match=r"takes logits .* ends in a softmax; write loss=keras\.losses\.SparseCategoricalCrossentropy\(\)"):
        compile_with(Losses.SparseCategoricalCrossentropy(from_logits=True), student)
