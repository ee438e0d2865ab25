"""Taps are the outputs of the layers they name, from one forward pass."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import TapModel
from keras_snnkd.errors import UnknownNameError
from tests.distill import tiny


def outputs_of(model, layer):
    """What Keras says that the layer gives."""
    return keras.Model(model.inputs[0], model.get_layer(layer).output)(tiny.IMAGES)


@pytest.mark.parametrize(
    ("model", "tap", "layer", "shape"),
    [
        (tiny.snn(), "logits", "classifier", (12, 2, 3)),  # per step, before the readout
        (tiny.snn(readout="spike_count"), "logits", "output_neuron", (12, 2, 3)),
        (tiny.snn(), "output", "readout", (12, 3)),
        (tiny.snn(), "neurons", "block1_neuron", (12, 2, 6)),
        (tiny.snn(), "block1_norm", "block1_norm", (12, 6)),
        (tiny.ann(), "logits", "classifier", (12, 3)),
        (tiny.ann(), "neurons", "block1_neuron", (12, 9)),
        (tiny.plain(), "logits", "classifier", (12, 3)),
        (tiny.plain(), "neurons", "hidden", (12, 6)),
        (kd.models.ConvNet((4, 4, 1), 3, widths=(2, 5), timesteps=2), "neurons", "block2_neuron", (12, 2, 4, 4, 5)),
    ],
)
def test_a_tap_is_the_output_of_its_layer(model, tap, layer, shape):
    taps = TapModel(model, [tap])
    found = taps(tiny.IMAGES)
    assert found[tap].shape == shape
    assert taps.shapes[tap] == (None, *shape[1:])
    np.testing.assert_array_equal(found[tap], outputs_of(model, layer))
    np.testing.assert_array_equal(found["output"], model(tiny.IMAGES))


def test_a_sequential_model_has_taps():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(5, name="hidden"), keras.layers.Dense(3)])
    taps = TapModel(model, ["hidden", "logits"])(tiny.IMAGES)
    assert taps["hidden"].shape == (12, 5)
    np.testing.assert_array_equal(taps["logits"], model(tiny.IMAGES))


def test_a_layer_called_as_an_alias_goes_before_it():
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Dense(7, name="logits")(image)))
    assert TapModel(model, ["logits"]).shapes["logits"] == (None, 7)


def test_a_subclassed_model_tells_its_taps_itself():
    model = tiny.Subclassed()
    model(tiny.IMAGES)
    taps = TapModel(model, ["hidden", "logits"])
    assert taps.shapes == {"hidden": (None, 6), "logits": (None, 3), "output": (None, 3)}
    np.testing.assert_array_equal(taps(tiny.IMAGES)["logits"], model(tiny.IMAGES))
    with pytest.raises(UnknownNameError, match=r"'hiden'\. Did you mean 'hidden'\? Known: hidden, logits, output"):
        TapModel(model, ["hiden"])


def test_a_subclassed_model_without_taps_of_its_own_has_its_output():
    class Closed(keras.Model):
        def __init__(self):
            super().__init__(name="closed")
            self.classifier = keras.layers.Dense(3)

        def call(self, x, training=False):
            return self.classifier(keras.ops.reshape(x, (-1, 16)))

    model = Closed()
    model(tiny.IMAGES)
    np.testing.assert_array_equal(TapModel(model, ["logits"])(tiny.IMAGES)["logits"], model(tiny.IMAGES))
    with pytest.raises(ValueError, match=r"closed is a Closed, .* call_with_taps\(x, training\)"):
        TapModel(model, ["hidden"])


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ValueError, match="is not built; call it on a batch first"):
        TapModel(tiny.Subclassed())


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        ("block1_neurn", r"unknown tap of student 'block1_neurn'\. Did you mean 'block1_neuron'\?"),
        ("nothing", "Known: block1_dense, block1_neuron, block1_norm, classifier, encoder, flatten, logits, output, readout"),
    ],
)
def test_an_unknown_tap_lists_those_there_are(tap, message):
    with pytest.raises(UnknownNameError, match=message):
        TapModel(tiny.snn(), ["logits", tap])


def test_neurons_of_a_model_without_any_are_an_error():
    linear = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="classifier")], name="linear")
    with pytest.raises(UnknownNameError, match=r"unknown tap of linear 'neurons'.*Known: classifier, logits, output"):
        TapModel(linear, ["neurons"])


def test_training_reaches_the_layers():
    model = tiny.snn()
    before = tiny.values(model)
    TapModel(model, ["neurons"])(tiny.IMAGES, training=False)
    tiny.assert_equal_weights(model, before)
    TapModel(model, ["neurons"])(tiny.IMAGES, training=True)
    moving_mean = model.get_layer("block1_norm").moving_mean
    assert np.any(moving_mean.numpy())


def test_of_neurons_that_give_their_state_too_the_spikes_are_the_tap():
    image = keras.Input((4,))
    spikes, _ = kd.neurons.LIF(return_state=True, name="stated")(kd.layers.Direct(3)(image))
    model = keras.Model(image, kd.layers.MeanOverTime()(spikes))
    assert kd.TapModel(model, ["neurons", "stated"]).shapes == {"output": (None, 4), "neurons": (None, 3, 4), "stated": (None, 3, 4)}
