import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import FakeQuant
from keras_snnkd.models import is_quantize_aware, quantize_aware
from tests.export.conftest import BUILDS, SHAPE, digits, trained

IMAGES = digits()[0] * np.float32(16 * 15 / 256)  # multiples of 1/256, as `keras_snnkd.data` gives them


@pytest.fixture(scope="module")
def student():
    keras.utils.set_random_seed(0)
    return trained(**BUILDS["convnet_flatten"])


@pytest.fixture(scope="module")
def aware(student):
    return quantize_aware(student, IMAGES[:128])


def predictions(model):
    return np.asarray(model.predict(IMAGES, verbose=0)).argmax(-1)


@pytest.mark.slow
def test_layers_keep_their_names_and_the_model_stays_as_it_was(student, aware):
    assert {layer.name for layer in student.layers} <= {layer.name for layer in aware.layers}
    added = {layer.name for layer in aware.layers} - {layer.name for layer in student.layers}
    assert added == {"image_quant", "classifier_quant", "readout_quant"}
    assert is_quantize_aware(aware)
    assert not is_quantize_aware(student)
    assert isinstance(aware.get_layer("block1_norm"), FakeQuant)
    assert isinstance(student.get_layer("block1_norm"), keras.layers.BatchNormalization)


@pytest.mark.slow
def test_the_weights_are_those_of_the_trained_model_and_few_answers_change(student, aware):
    assert np.mean(predictions(aware) == predictions(student)) >= 0.97
    kernel = student.get_layer("classifier").layer.kernel
    np.testing.assert_allclose(aware.get_layer("classifier").layer.kernel, kernel)


@pytest.mark.slow
def test_pixels_that_are_bytes_and_spikes_are_not_rounded(aware):
    taps = kd.TapModel(aware, ["image_quant", "block2_neuron"])(IMAGES[:50])
    np.testing.assert_array_equal(taps["image_quant"], IMAGES[:50])
    assert set(np.unique(taps["block2_neuron"])) == {0.0, 1.0}


@pytest.mark.slow
def test_logits_take_at_most_256_values(aware):
    logits = np.asarray(aware.predict(IMAGES, verbose=0))
    step = aware.get_layer("readout_quant").step_size
    np.testing.assert_allclose(logits / step, np.round(logits / step), atol=1e-3)
    assert len(np.unique(logits)) <= 256


@pytest.mark.slow
def test_a_model_trained_in_another_precision_becomes_one_of_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = trained(**BUILDS["mixed_bfloat16"], epochs=2)
    aware = quantize_aware(model, IMAGES[:64])
    assert {layer.compute_dtype for layer in aware.layers if not isinstance(layer, keras.layers.InputLayer)} == {"float32"}
    assert np.mean(predictions(aware) == predictions(model)) >= 0.95


def test_a_leak_on_currents_moves_into_the_synapse_if_nothing_else_reads_it():
    lif = quantize_aware(models.build("mlp:8", SHAPE, 10, tau=4.0), IMAGES[:32])
    assert not lif.get_layer("block1_neuron").dynamics.decay_input
    block = quantize_aware(models.build("resnet:8/1", SHAPE, 10), IMAGES[:32])
    assert block.get_layer("stage1_block1_neuron2").dynamics.decay_input  # behind a sum with spikes
    assert not block.get_layer("stem_neuron").dynamics.decay_input


@pytest.mark.slow
def test_saved_and_loaded_in_a_fresh_process_it_is_the_same_model(aware, tmp_path):
    aware.save(tmp_path / "aware.keras")
    np.save(tmp_path / "images.npy", IMAGES[:20])
    program = """
import numpy, keras_snnkd as kd
model = kd.models.load("aware.keras")
assert kd.models.is_quantize_aware(model)
numpy.save("logits.npy", model.predict(numpy.load("images.npy"), verbose=0))
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), aware.predict(IMAGES[:20], verbose=0))


@pytest.mark.slow
def test_it_learns_from_its_float_self(student):
    aware = quantize_aware(student, IMAGES[:128])
    for layer in (aware.get_layer("block1_conv"), aware.get_layer("block2_conv").layer):
        layer.kernel.assign(layer.kernel + np.random.default_rng(0).normal(0, 0.15, layer.kernel.shape))
    before = {weight.path: weight.numpy() for weight in aware.trainable_variables}
    distiller = kd.Distiller(aware, student, ["soft_targets"])
    distiller.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = distiller.fit(IMAGES, digits()[1], batch_size=128, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert all(np.any(weight.numpy() != before[weight.path]) for weight in aware.trainable_variables)


def test_what_has_no_8_bit_form_is_refused_by_name(student):
    with pytest.raises(ValueError, match=r"layers without an 8-bit form: encoder \(Latency\)"):
        quantize_aware(models.build("mlp:8", SHAPE, 10, encoder="latency"), IMAGES[:8])
    image = keras.Input(SHAPE)
    with pytest.raises(ValueError, match=r"layers without an 8-bit form: multiply\w* \(Multiply\)"):
        quantize_aware(keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image * 2))), IMAGES[:8])
    series = models.SequenceNet((6, 3), 2, widths=(4,), neuron="adlif")
    with pytest.raises(ValueError, match=r"block1_neuron \(AdLIF\)\. AdLIF, recurrent .*tau=20.*Export it with quantize='dynamic'"):
        quantize_aware(series, np.ones((8, 6, 3), "float32"))
    relu = keras.layers.ReLU(name="both")
    flat = keras.layers.Flatten()(image)
    twice = keras.Model(image, keras.layers.Dense(3)(relu(keras.layers.Dense(4)(relu(keras.layers.Dense(4)(flat))))))
    with pytest.raises(ValueError, match="calls both more than once"):
        quantize_aware(twice, IMAGES[:8])
    with pytest.raises(ValueError, match="one input and one output"):
        quantize_aware(kd.Distiller(student), IMAGES[:8])
    for images in (IMAGES[:8, :4], IMAGES[:0], (IMAGES[:8] * 256).astype("uint8")):
        with pytest.raises(ShapeError, match=r"expected images \[N, 8, 8, 1\] of floats"):
            quantize_aware(student, images)


@pytest.mark.parametrize("bits", [5, 6])
def test_as_many_low_bits_as_arithmetic_can_leave_out_leave_a_range_for_the_threshold(student, bits):
    aware = quantize_aware(student, IMAGES[:32], adder_bits=bits)
    (exponent,) = {layer.range_exponent for layer in aware.layers if isinstance(layer, kd.neurons.QuantizedNeuron) and layer.emits_spikes}
    assert exponent <= max(1, 7 - bits)
