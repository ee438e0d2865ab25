"""From clip-floor activations to firing rates, and frames that are dropped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ShapeError
from keras_snnkd.export import litert
from keras_snnkd.layers import ClipFloor, FrameGate, KeptFrames
from tests.export.conftest import in_process  # noqa: F401 - a fixture

EVENTS = np.random.default_rng(0).poisson(0.6, (6, 4, 8, 8, 2)).astype("float32")


def test_the_staircase_and_its_gradient_by_hand():
    layer, x = ClipFloor(levels=4, scale=2.0), keras.Variable([-1.0, 0.6, 1.1, 5.0])
    np.testing.assert_allclose(layer(x), [0, 0.5, 1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x.value)
        total = tf.reduce_sum(layer(x.value))
    found = tape.gradient(total, [x.value, layer.height.value])
    np.testing.assert_allclose(found[0], [0, 1, 1, 0])
    np.testing.assert_allclose(found[1], (0.25 - 0.3) + (0.5 - 0.55) + 1, rtol=1e-5)  # what is rounded, and 1 above


def test_rates_of_many_steps_say_what_activations_said():
    keras.utils.set_random_seed(0)
    spec = {"image_shape": (8, 8, 1), "num_classes": 5, "widths": (6, "pool", 8)}
    ann = models.with_clip_floor(models.ConvNet(**spec, neuron="relu"), levels=32)
    for name, height in (("block1_neuron", 1.5), ("block2_neuron", 0.7)):
        ann.get_layer(name).height.assign(height)
    for block in (1, 2):
        ann.get_layer(f"block{block}_norm").beta.assign(np.linspace(-0.3, 0.6, 6 if block == 1 else 8))
    student = models.ConvNet(**spec, neuron="if", reset="soft", timesteps=64)
    assert models.convert_weights(ann, student) == 5
    images = np.random.default_rng(0).random((8, 8, 8, 1)).astype("float32")
    expected, found = np.array(ann(images)), np.array(student(images))
    assert np.abs(found - expected).max() < 0.1 * np.ptp(expected)
    unconverted = models.ConvNet(**spec, neuron="if", reset="soft", timesteps=64)
    models.copy_weights(models.with_clip_floor(models.ConvNet(**spec, neuron="relu")), unconverted)
    assert np.abs(np.array(unconverted(images)) - expected).max() > 0.3 * np.ptp(expected)


def test_branches_and_networks_without_activations_are_refused():
    spec = {"image_shape": (8, 8, 1), "num_classes": 5, "widths": (4,), "blocks": (1,)}
    ann = models.with_clip_floor(models.ResNet(**spec, neuron="relu"))
    with pytest.raises(ShapeError, match="adds branches"):
        models.convert_weights(ann, models.ResNet(**spec, neuron="if"))
    plus = keras.Input((8, 8, 1))
    with pytest.raises(ShapeError, match="adds branches"):
        models.convert_weights(ann, keras.Model(plus, plus + keras.layers.Identity()(plus)))
    with pytest.raises(ValueError, match="no ReLU layers"):
        models.with_clip_floor(models.ConvNet((8, 8, 1), 5, widths=(4,)))


def gated():
    keras.utils.set_random_seed(0)
    model = models.with_frame_gate(models.ConvNet((4, 8, 8, 2), 3, widths=(4,), timesteps=4), penalty=0.2)
    model.get_layer("gate").embedding.assign([1.0, -1.0, 0.5, -0.2])
    return model


@pytest.mark.slow
def test_a_gated_network_has_a_file_of_its_own(tmp_path):
    assert litert(gated(), tmp_path / "gated.tflite", samples=EVENTS).agreement == 1.0
    series = models.with_frame_gate(models.SequenceNet((8, 3), 2, widths=(4,)))
    shown = np.random.default_rng(0).normal(size=(8, 8, 3)).astype("float32")
    assert litert(series, tmp_path / "series.tflite", samples=shown).agreement == 1.0


def test_a_gate_drops_frames_and_pays_for_those_it_keeps():
    model = gated()
    gate = model.get_layer("gate")
    assert isinstance(gate, FrameGate)
    shown = np.array(gate(EVENTS))
    np.testing.assert_array_equal(shown[:, [0, 2]], EVENTS[:, [0, 2]])
    assert not shown[:, [1, 3]].any()
    np.testing.assert_allclose(sum(model.losses), 0.2 * np.mean(1 / (1 + np.exp([-1.0, 1.0, -0.5, 0.2]))), rtol=1e-5)
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    before = gate.embedding.numpy()
    model.fit(EVENTS, np.arange(6) % 3, verbose=0)
    assert (gate.embedding.numpy() != before).all()  # those that are dropped too, so that they can come back


def test_the_network_of_the_kept_frames_has_fewer_steps_and_does_the_same_on_them():
    model = gated()
    shorter = models.keep_frames(model)
    assert isinstance(shorter.get_layer("gate"), KeptFrames)
    assert shorter.get_layer("gate").kept == [0, 2]
    assert shorter.get_layer("block1_neuron").output.shape[1] == 2
    two = models.ConvNet((2, 8, 8, 2), 3, widths=(4,), timesteps=2)
    two.set_weights(shorter.get_weights())
    np.testing.assert_allclose(shorter(EVENTS), two(EVENTS[:, [0, 2]]), rtol=1e-5)
    shorter.get_layer("classifier").layer.bias.assign([1.0, 2.0, 3.0])
    assert not model.get_layer("classifier").layer.bias.numpy().any()  # its own weights
    operations = [kd.metrics.synaptic_operations(one, EVENTS).dense for one in (model, shorter)]
    assert operations[1] == operations[0] / 2


def test_one_frame_always_stays():
    model = gated()
    model.get_layer("gate").embedding.assign([-3.0, -1.0, -2.0, -4.0])
    assert models.keep_frames(model).get_layer("gate").kept == [1]


@pytest.mark.slow
def test_a_file_of_the_kept_frames_is_checked(tmp_path, in_process):  # noqa: F811
    report = litert(models.keep_frames(gated()), tmp_path / "kept.tflite", samples=EVENTS)
    assert report.agreement == 1.0


def test_images_have_no_frames_to_drop():
    with pytest.raises(ValueError, match="data with time"):
        models.with_frame_gate(models.ConvNet((8, 8, 1), 3, widths=(4,)))
    with pytest.raises(ValueError, match="FrameGate"):
        models.keep_frames(models.ConvNet((4, 8, 8, 2), 3, widths=(4,), timesteps=4))
