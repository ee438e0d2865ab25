"""A spiking network and its ANN twin: the same layers, the same weights."""

import keras
import numpy as np
import pytest

from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import OverTime
from keras_snnkd.models import ConvNet, build, copy_weights
from keras_snnkd.neurons import SpikingLayer
from tests.harness import to_numpy

SPECS = {
    "MLP": {"builder": "MLP", "widths": [8, 6]},
    "ConvNet": {"builder": "ConvNet", "widths": [4, "pool", 6], "head": "flatten"},
    "ResNet": {"builder": "ResNet", "widths": [4, 6], "blocks": [1, 1]},
}
ONLY_SPIKING = {"encoder", "output_neuron", "membrane"}


def pair(builder, neuron="lif", **arguments):
    """An ANN and its spiking twin."""
    return [build(SPECS[builder], (6, 6, 2), 3, timesteps=4, neuron=name, **arguments) for name in ("relu", neuron)]


def weight_shapes(model):
    """Of all layers whose weights both twins have."""
    return {layer.name: [w.shape for w in layer.weights] for layer in model.layers if layer.weights and "neuron" not in layer.name}


@pytest.mark.every(4)
@pytest.mark.parametrize("builder", SPECS)
@pytest.mark.parametrize("neuron", ["lif", "if", "plif", "alif"])
@pytest.mark.parametrize("options", [{}, {"encoder": "latency", "readout": "membrane"}, {"normalization": "threshold"}], ids=str)
def test_layers_have_the_same_names_and_weight_shapes(builder, neuron, options):
    ann, snn = pair(builder, neuron, **options)
    assert [layer.name for layer in ann.layers] == [layer.name for layer in snn.layers if layer.name not in ONLY_SPIKING]
    assert weight_shapes(ann) == weight_shapes(snn)
    assert ann.output_shape == snn.output_shape


@pytest.mark.parametrize("builder", SPECS)
def test_a_twin_takes_the_arguments_of_the_spiking_one_and_has_no_time(builder):
    ann, _ = pair(builder, "alif", tau=3.0, adaptation=0.5, readout="spike_count")
    assert not any(isinstance(layer, (SpikingLayer, OverTime)) for layer in ann.layers)


@pytest.mark.every(3)
@pytest.mark.parametrize("builder", SPECS)
@pytest.mark.parametrize("neuron", ["lif", "plif"])
def test_copied_weights_give_the_same_first_currents_and_spare_learned_time_constants(builder, neuron):
    ann, snn = pair(builder, neuron, tau=3.0)
    learned = {w.path: to_numpy(w.value) for layer in snn.layers if "neuron" in layer.name for w in layer.weights}
    assert bool(learned) == (neuron == "plif")

    images = np.random.default_rng(0).uniform(size=(4, 6, 6, 2)).astype("float32")
    ann(images, training=True)  # moves the batch norm's moments away from where they start
    assert copy_weights(ann, snn) == len(weight_shapes(ann))

    norm = next(layer.name for layer in ann.layers if layer.name.endswith("_norm"))
    currents = [keras.Model(model.input, model.get_layer(norm).output)(images) for model in (ann, snn)]
    np.testing.assert_array_equal(*currents)
    np.testing.assert_array_equal(ann.get_layer("classifier").get_weights()[0], snn.get_layer("classifier").get_weights()[0])
    for weight in snn.weights:
        if weight.path in learned:
            np.testing.assert_array_equal(weight.value, learned[weight.path])


def test_weights_go_back_from_the_spiking_network_to_its_twin():
    ann, snn = pair("ConvNet")
    copy_weights(snn, ann)
    for theirs, ours in zip(snn.get_weights(), ann.get_weights(), strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_layers_that_do_not_fit_are_refused_before_anything_is_copied():
    source, target = (ConvNet((6, 6, 2), 3, widths=widths) for widths in [(4, 8), (4, 6)])
    before = target.get_weights()
    message = r"layer 'block2_conv' has \[\(3, 3, 4, 8\)\] in convnet and \[\(3, 3, 4, 6\)\] in convnet"
    with pytest.raises(ShapeError, match=message):
        copy_weights(source, target)
    for old, new in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_models_without_a_common_layer_are_refused():
    stranger = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, name="head")], name="stranger")
    with pytest.raises(ShapeError, match="stranger and convnet have no layer with weights in common"):
        copy_weights(stranger, ConvNet((6, 6, 2), 3, widths=(4,)))
