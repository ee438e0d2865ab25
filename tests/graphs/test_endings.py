"""What a model ends in is told by its graph, and the logits before it are had with the same weights."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_snnkd import graphs
from keras_snnkd._outputs import looks_like_probabilities
from keras_snnkd.layers import Logits, logits_of

IMAGES = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
WEIGHTS = [np.random.default_rng(1).normal(size=(4, 3)).astype("float32"), np.zeros(3, "float32")]


def ending(*last, classes=3):
    """A Dense layer of known weights with something behind it."""
    image = keras.Input((4,))
    x = image
    for layer in last:
        x = layer(x)
    model = keras.Model(image, x)
    model.set_weights([part[..., :classes] for part in WEIGHTS])
    return model


SOFTMAX = {
    "fused": lambda: [layers.Dense(3, activation="softmax")],
    "a function": lambda: [layers.Dense(3, activation=keras.activations.softmax)],
    "a layer": lambda: [layers.Dense(3), layers.Softmax()],
    "an activation in float32": lambda: [layers.Dense(3), layers.Activation("softmax", dtype="float32")],
    "an operation": lambda: [layers.Dense(3), ops.softmax],
    "before a reshape": lambda: [layers.Dense(3, activation="softmax"), layers.Reshape((3,)), layers.Dropout(0.5)],
    "in a model inside": lambda: [keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")], name="inside")],
}


@pytest.mark.parametrize("last", SOFTMAX.values(), ids=SOFTMAX)
def test_a_softmax_is_found_and_taken_off(last):
    model = ending(*last())
    assert graphs.last_activation(model) == "softmax"
    logits = logits_of(model)
    np.testing.assert_allclose(logits(IMAGES), IMAGES @ WEIGHTS[0], atol=1e-5)
    assert {id(weight) for weight in logits.weights} == {id(weight) for weight in model.weights}
    np.testing.assert_allclose(np.sum(model(IMAGES), -1), 1, atol=1e-5)  # the model stays as it was


@pytest.mark.parametrize("last", SOFTMAX.values(), ids=SOFTMAX)
def test_the_logits_can_be_had_beside_the_probabilities(last):
    model = ending(*last())
    split, logits = graphs.apart(model)
    both = keras.Model(split.inputs[0], [logits, split.outputs[0]])(IMAGES)
    np.testing.assert_allclose(both[0], IMAGES @ WEIGHTS[0], atol=1e-5)
    np.testing.assert_allclose(both[1], model(IMAGES), atol=1e-6)


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (lambda: [layers.Dense(3)], "linear"),
        (lambda: [layers.Dense(3), layers.Activation("linear", name="readout")], "linear"),
        (lambda: [layers.Dense(3, activation="sigmoid")], "sigmoid"),
        (lambda: [layers.Dense(3, activation="log_softmax")], "linear"),
        (lambda: [layers.Dense(3), layers.Lambda(lambda x: x)], None),
    ],
    ids=["Dense", "Activation", "sigmoid", "log softmax", "own code"],
)
def test_other_endings(last, told):
    model = ending(*last())
    assert graphs.last_activation(model) == told
    if told == "linear":
        assert logits_of(model) is model


def test_one_output_of_a_sigmoid_is_the_second_of_two_classes():
    model = ending(layers.Dense(1, activation="sigmoid"), classes=1)
    probabilities = np.array(ops.softmax(logits_of(model)(IMAGES)))
    np.testing.assert_allclose(probabilities[:, 1:], model(IMAGES), atol=1e-6)


def test_logarithms_are_logits_of_probabilities():
    probabilities = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]], "float32")
    np.testing.assert_allclose(ops.softmax(Logits()(probabilities)), probabilities, atol=1e-6)
    np.testing.assert_allclose(ops.softmax(Logits("binary")(probabilities[:, :1])), [[0.3, 0.7], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(ops.sigmoid(Logits("sigmoid")(probabilities)), probabilities, atol=1e-6)
    with pytest.raises(ValueError, match="Known: binary, margin, sigmoid, softmax"):
        Logits("logits")


def test_outputs_that_add_up_to_1_are_probabilities():
    assert looks_like_probabilities(np.array([[0.2, 0.8], [1, 0]]))
    assert not looks_like_probabilities(np.array([[0.2, 0.8], [0.5, 0.6]]))  # rates, or one against the rest
    assert not looks_like_probabilities(np.array([[-0.2, 1.2]]))
