"""An ANN whose activations are the firing rates of its spiking twin."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd import models, neurons
from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import RateActivation

SHAPE = {"image_shape": (8, 8, 1), "num_classes": 5, "widths": (6, "pool", 8)}
IMAGES = np.random.default_rng(0).random((16, 8, 8, 1)).astype("float32")


def test_rates_of_lif_by_hand():
    """tau = 2 adds half of what is missing: a current of 1.5 gives 0.75, 1.125 > 1, and after the reset the same again."""
    layer = RateActivation(neurons.LIF(tau=2.0, reset="hard"), timesteps=4)
    np.testing.assert_allclose(layer(np.array([[-1.0, 0.9, 1.07, 1.5, 2.0, 9.0]], "float32"))[0], [0, 0, 0.25, 0.5, 1, 1])


def test_its_gradient_is_that_of_the_neurons():
    current = tf.Variable([[0.3, 0.8, 1.2, 1.9]])
    for layer in (neurons.LIF(), neurons.IF(reset="soft")):
        with tf.GradientTape() as tape:
            rates = tf.reduce_sum(RateActivation(layer, 4)(current) ** 2)
        found = tape.gradient(rates, current)
        with tf.GradientTape() as tape:
            spikes = layer(tf.stack([current] * 4, axis=1))
            rates = tf.reduce_sum(tf.reduce_mean(spikes, axis=1) ** 2)
        np.testing.assert_allclose(found, tape.gradient(rates, current), rtol=1e-5)
        assert np.abs(found).max() > 0


def test_in_a_graph_it_is_a_kernel_with_the_same_rates_and_gradient():
    layer, currents = RateActivation(neurons.LIF(), 4), tf.constant(np.random.default_rng(0).normal(1, 1, (3, 5, 4)), "float32")

    def rates_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            rates = layer(x)
            loss = tf.reduce_sum(rates**2)
        return rates, tape.gradient(loss, x)

    for eager, compiled in zip(rates_and_gradient(currents), tf.function(rates_and_gradient)(currents), strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-7)
    graph = tf.function(layer).get_concrete_function(currents).graph
    assert not any("Mean" in operation.type for operation in graph.get_operations())


@pytest.mark.parametrize("neuron", ["lif", "plif", "if", "alif"])
def test_a_first_layer_of_spikes_says_just_what_its_rates_said(neuron):
    student = models.ConvNet((8, 8, 1), 5, widths=(6,), timesteps=4, neuron=neuron)
    twin = models.with_rates(models.ConvNet((8, 8, 1), 5, widths=(6,), neuron="relu"), student, timesteps=4)
    twin.get_layer("block1_norm").gamma.assign([2.0, 3, 1, 4, 2, 5])
    models.copy_weights(twin, student)
    rates = np.array(twin(IMAGES))
    np.testing.assert_allclose(student(IMAGES), rates, atol=1e-5)
    assert np.ptp(rates, axis=0).min() > 0
    assert len(twin.weights) == len(student.weights)  # learned time constants are handed over too


def test_its_neurons_are_set_as_the_students_are():
    neuron = {"tau": 3.0, "threshold": 0.4, "reset": "soft"}
    student = models.ConvNet((8, 8, 1), 5, widths=(6,), timesteps=4, **neuron)
    twin = models.with_rates(models.ConvNet((8, 8, 1), 5, widths=(6,), neuron="relu"), student, timesteps=4)
    models.copy_weights(twin, student)
    np.testing.assert_allclose(student(IMAGES), twin(IMAGES), atol=1e-5)
    usual = models.with_rates(models.ConvNet((8, 8, 1), 5, widths=(6,), neuron="relu"), models.ConvNet((8, 8, 1), 5, widths=(6,)), 4)
    models.copy_weights(twin, usual)
    assert np.abs(np.array(usual(IMAGES)) - np.array(twin(IMAGES))).max() > 0.01


def test_a_file_gives_the_same_network(tmp_path):
    student = models.ConvNet(**SHAPE, timesteps=4, neuron="plif")
    twin = models.with_rates(models.ConvNet(**SHAPE, neuron="relu"), student, 4)
    twin.save(tmp_path / "twin.keras")
    np.testing.assert_array_equal(kd.models.load(tmp_path / "twin.keras")(IMAGES), twin(IMAGES))


def test_residual_networks_have_one_too():
    shape = {"image_shape": (8, 8, 1), "num_classes": 5, "widths": (4,), "blocks": (1,)}
    student = models.ResNet(**shape, timesteps=2)
    twin = models.with_rates(models.ResNet(**shape, neuron="relu"), student, 2)
    assert models.copy_weights(twin, student) == sum(bool(layer.weights) for layer in student.layers)


def test_activations_without_neurons_are_refused():
    ann = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.ReLU(name="mine"), keras.layers.Dense(2)])
    student = models.ConvNet(**SHAPE)
    with pytest.raises(ShapeError, match="has no neurons 'mine', an activation of"):
        models.with_rates(ann, student, 4)
    with pytest.raises(ValueError, match="has no ReLU layers to replace"):
        models.with_rates(student, student, 4)
    signals = {"series_shape": (6, 2), "num_classes": 3, "widths": (4,)}
    with pytest.raises(ValueError, match="makes no time steps of its own"):
        models.with_rates(models.SequenceNet(**signals, neuron="relu"), models.SequenceNet(**signals), 4)
