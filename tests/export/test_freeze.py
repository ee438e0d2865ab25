import keras
import numpy as np
import pytest

from keras_snnkd import compress, export, layers, models, neurons
from keras_snnkd.errors import ExportError, UnknownNameError
from keras_snnkd.export import freeze

SHAPE = (8, 8, 1)


def test_the_frozen_model_gives_the_same_spikes_and_logits_and_has_the_batch_size_asked_for(student, samples):
    frozen = freeze(student, batch_size=1, taps=["block1_neuron"])
    assert frozen.inputs[0].shape == (1, *SHAPE)
    outputs = frozen(samples[:1])
    np.testing.assert_array_equal(outputs["logits"], student(samples[:1]))
    assert outputs["block1_neuron"].shape == (1, 4, 8, 8, 8)
    assert freeze(student).inputs[0].shape == (None, *SHAPE)


def test_every_layer_computes_in_float32_whatever_it_was_trained_in():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = models.build("convnet:4,pool,4", SHAPE, 10)
    frozen = freeze(model)
    layers = [layer for layer in frozen._flatten_layers(include_self=False) if not isinstance(layer, keras.layers.InputLayer)]
    assert {layer.dtype_policy.name for layer in layers} == {"float32"}
    for ours, theirs in zip(frozen.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_masks_become_plain_kernels_and_half_trains_stay(samples):
    convnet = models.build("convnet:6,8,flatten", SHAPE, 10)
    masked = compress.prunable(convnet, "unstructured")
    for layer in compress.prunable_layers(masked):
        layer.hard.assign(1.0)
    frozen = freeze(masked)
    assert compress.is_plain(frozen)
    np.testing.assert_allclose(frozen(samples[:2]), masked(samples[:2]), rtol=1e-5, atol=1e-6)
    half = compress.decomposed(convnet, rank=2, mode="half")
    np.testing.assert_allclose(freeze(half)(samples[:2]), half(samples[:2]), rtol=1e-5, atol=1e-6)


def test_any_functional_or_sequential_keras_model_can_be_frozen():
    inputs = keras.Input((4,))
    branch = keras.layers.Dense(4, activation="relu")(inputs)
    plain = keras.Model(inputs, keras.layers.Dense(3)(branch + 2 * inputs))
    sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    x = np.ones((2, 4), "float32")
    for model in (plain, sequential):
        np.testing.assert_array_equal(freeze(model)(x), model(x))


def test_what_cannot_be_frozen_is_refused_with_the_reason(student):
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((4,))
    with pytest.raises(ExportError, match="not a functional model"):
        freeze(Subclassed())
    with pytest.raises(ExportError, match="has 2 outputs"):
        freeze(keras.Model(inputs, [inputs + 1, inputs + 2]))
    with pytest.raises(ExportError, match=r"'encoder', Poisson.*encoder='direct'"):
        freeze(models.build("mlp:4", SHAPE, 10, encoder="poisson"))
    with pytest.raises(UnknownNameError, match="Did you mean 'block1_neuron'"):
        freeze(student, taps=["block1_neurons"])


def test_weights_that_are_not_finite_are_refused_by_name():
    model = models.build("mlp:4", SHAPE, 10)
    model.get_layer("block1_norm").gamma.assign([1, np.nan, 1, 1])
    with pytest.raises(ExportError, match=r"block1_norm/gamma holds NaN"):
        freeze(model)


@pytest.mark.slow
def test_a_model_quantized_by_keras_is_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.quantize("int8")
    with pytest.raises(ExportError, match="cannot be rebuilt"):
        freeze(model)


@pytest.mark.slow
def test_neurons_that_return_their_state_are_exported_by_their_spikes(tmp_path):
    image = keras.Input((6, 6, 1))
    spikes, _ = neurons.LIF(return_state=True, name="neuron")(layers.Direct(3)(image))
    x = layers.OverTime(keras.layers.Dense(2))(layers.OverTime(keras.layers.Flatten())(spikes))
    model = keras.Model(image, layers.MeanOverTime(name="readout")(x))
    images = np.random.default_rng(0).uniform(0, 3, (20, 6, 6, 1)).astype("float32")
    assert export.litert(model, tmp_path / "model.tflite", samples=images).spike_differences == {"neuron": 0.0}
