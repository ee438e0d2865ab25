"""Spikes made again in the backward pass: the same gradients, and the spikes are not kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.neurons import scan
from tests.sampling import sampled

IMAGES = tf.constant(np.random.default_rng(0).uniform(high=6, size=(6, 8, 8, 2)), tf.float32)


def gradients(remat, builder="ConvNet", in_graph=True, **arguments):
    """Logits, gradients, and the weights after one training step."""
    keras.utils.set_random_seed(3)
    shape = {"ConvNet": {"widths": (4, "pool", 6, 5)}, "ResNet": {"widths": (4, 6), "blocks": (1, 1)}, "MLP": {"widths": (9, 7)}}[builder]
    arguments = {"timesteps": 3, "threshold": 0.4, **shape, **arguments}
    model = getattr(kd.models, builder)((8, 8, 2), 3, remat=remat, **arguments)

    def step(images):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.square(logits - 1.0))
        return logits, tape.gradient(loss, model.trainable_variables)

    logits, found = (tf.function(step) if in_graph else step)(IMAGES)
    return [np.asarray(x) for x in (logits, *found, *model.weights)]


NETWORKS = [
    {},
    {"builder": "ResNet"},
    {"builder": "MLP"},
    {"neuron": "plif"},
    {"encoder": "latency"},
    {"timesteps": 20},
    {"head": "flatten"},
]


@pytest.mark.every(6)
@pytest.mark.parametrize("arguments", sampled(NETWORKS, {}, {"builder": "ResNet"}, {"neuron": "plif"}), ids=str)
def test_gradients_are_the_same(arguments):
    kept, remade = gradients(False, **arguments), gradients(True, **arguments)
    assert np.any(kept[1])
    for found, expected in zip(remade, kept, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_gradients_are_the_same_in_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        kept, remade = gradients(False), gradients(True)
    finally:
        keras.config.set_dtype_policy(before)
    for found, expected in zip(remade, kept, strict=True):
        np.testing.assert_array_equal(found, expected)


def runs(monkeypatch, **arguments):
    """How often neurons run forward while one training step is traced."""
    count, run = [], scan._Plan.run
    monkeypatch.setattr(scan._Plan, "run", lambda self, method, *tensors: (count.append(method), run(self, method, *tensors))[1])
    gradients(**arguments)
    return count.count("forward"), count.count("backward")


def test_neurons_run_once_more_for_each_layer_that_reads_spikes(monkeypatch):
    assert runs(monkeypatch, remat=False) == (3, 3)
    forward, backward = runs(monkeypatch, remat=True)
    assert backward == 3
    assert forward > 3


def test_outside_a_graph_nothing_is_made_again(monkeypatch):
    assert runs(monkeypatch, remat=True, in_graph=False) == (3, 3)


def test_it_is_kept_in_the_config():
    layer = kd.layers.OverTime(keras.layers.Dense(3), remat=True)
    assert kd.layers.OverTime.from_config(layer.get_config()).remat
