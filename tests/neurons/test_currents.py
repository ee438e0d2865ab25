"""Notes on how currents were made: they save work, and change no result."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.neurons import currents as module
from keras_snnkd.neurons.currents import currents_of
from tests.sampling import sampled

IMAGES = tf.constant(np.random.default_rng(0).uniform(high=6, size=(6, 8, 8, 2)), tf.float32)


def network(**arguments):
    keras.utils.set_random_seed(3)
    return kd.models.ConvNet((8, 8, 2), 3, widths=(4, "pool", 6), **{"timesteps": 3, "threshold": 0.4, **arguments})


def outcome(model, training=True):
    """Logits, gradients and, after the step, all weights; in a graph."""

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            logits = model(images, training=training)
            loss = tf.reduce_mean(tf.square(logits - 1.0))
        return logits, tape.gradient(loss, model.trainable_variables)

    logits, gradients = step(IMAGES)
    return [np.asarray(x) for x in (logits, *gradients, *model.weights)]


NETWORKS = [
    {},
    {"neuron": "plif"},
    {"neuron": "alif"},
    {"normalization": "threshold"},
    {"encoder": "latency"},
    {"detach_reset": False},
    {"neuron": "plif", "timesteps": 10},
]


@pytest.mark.every(4)
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("arguments", sampled(NETWORKS, {}, {"normalization": "threshold"}), ids=str)
def test_a_network_computes_the_same_with_notes_and_without(arguments, training, monkeypatch):
    with_notes = outcome(network(**arguments), training)
    monkeypatch.setattr(module, "in_tensorflow_graph", lambda: False)
    without = outcome(network(**arguments), training)
    assert len(np.unique(with_notes[0])) > 3
    for found, expected in zip(with_notes, without, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def seen_by_the_neurons(layers, monkeypatch):
    """What is noted on the currents of a LIF layer after `layers`, in a graph."""
    seen = []

    def spy(currents):
        seen.append(currents_of(currents))
        return seen[-1]

    monkeypatch.setattr(kd.neurons.scan, "currents_of", spy)

    @tf.function
    def run(x):
        for layer in (*layers, kd.neurons.LIF()):
            x = layer(x)
        return x

    run(IMAGES)
    return seen[-1]


def test_neurons_after_norm_and_repetition_read_what_the_norm_read(monkeypatch):
    found = seen_by_the_neurons([kd.layers.BatchNormalization(), kd.layers.Direct(3)], monkeypatch)
    assert found.repeated
    assert len(found.scale_and_shift) == 2
    assert found.source.shape == found.target.shape == IMAGES.shape
    assert found.source is not found.target


def test_neurons_after_a_repetition_alone_read_the_image(monkeypatch):
    found = seen_by_the_neurons([kd.layers.Direct(3)], monkeypatch)
    assert found.repeated
    assert found.scale_and_shift == ()
    assert found.source is found.target


def test_a_layer_in_between_hides_the_note(monkeypatch):
    found = seen_by_the_neurons([kd.layers.BatchNormalization(), kd.layers.Direct(3), keras.layers.ReLU()], monkeypatch)
    assert not found.repeated


def test_there_are_no_notes_outside_a_graph():
    outputs = kd.layers.Direct(3)(IMAGES)
    found = currents_of(outputs)
    assert found.source is outputs
    assert found.target is outputs
    assert (found.repeated, found.scale_and_shift) == (False, ())


def test_the_gradient_of_a_repeated_current_is_summed_over_time():
    layers = [kd.layers.Direct(5), kd.neurons.LIF()]

    @tf.function
    def gradient(x, hide):
        with tf.GradientTape() as tape:
            tape.watch(x)
            spikes = layers[1](tf.identity(layers[0](x)) if hide else layers[0](x))
            loss = tf.reduce_sum(spikes * tf.reshape(tf.range(5.0), (5, 1, 1, 1)))
        return tape.gradient(loss, x)

    np.testing.assert_allclose(gradient(IMAGES, False), gradient(IMAGES, True), rtol=1e-5)


def test_a_normalized_tensor_that_somebody_reads_is_there_all_the_same():
    model = network()
    tapped = keras.Model(model.input, [model.get_layer("block1_norm").output, model.output])
    np.testing.assert_allclose(tf.function(tapped)(IMAGES)[0], tapped(IMAGES)[0], rtol=1e-5, atol=1e-6)
