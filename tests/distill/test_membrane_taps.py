"""Taps of membrane potentials and of what the classifier reads."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import TapModel
from keras_snnkd.distill.objectives.membranes import Membrane
from keras_snnkd.errors import UnknownNameError
from tests.distill import tiny
from tests.distill.feature_cases import array, assert_close, conv, normal, value
from tests.harness import gradients

# Taps


@pytest.mark.parametrize(
    ("neuron", "arguments"),
    [
        ("lif", {"tau": 3.0, "detach_reset": False}),
        ("if", {"reset": "soft"}),
        ("plif", {"decay_input": False}),
        ("alif", {}),
    ],
)
@pytest.mark.parametrize("timesteps", [3, 20])
def test_a_membrane_is_what_fires_at_the_threshold(neuron, arguments, timesteps):
    model = kd.models.MLP((4, 4, 1), 3, widths=(6,), timesteps=timesteps, neuron=neuron, threshold=0.3, **arguments)
    taps = TapModel(model, ["neurons", "neurons.membrane", "block1_neuron.membrane"])
    found = taps(tiny.IMAGES)
    assert taps.shapes["neurons.membrane"] == (None, timesteps, 6)
    assert found["neurons.membrane"].dtype == "float32"
    np.testing.assert_array_equal(found["neurons.membrane"], found["block1_neuron.membrane"])
    if neuron != "alif":  # whose threshold rises
        np.testing.assert_array_equal(found["neurons.membrane"] >= np.float32(0.3), found["neurons"])
    assert 0 < np.mean(found["neurons"]) < 1


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("timesteps", [3, 20])
def test_the_gradient_of_a_membrane_goes_through_the_resets(graph, timesteps):
    layer = kd.neurons.LIF(tau=2.0, detach_reset=True, threshold=100.0)
    x = normal(2, timesteps, 3)
    _, (gradient,) = gradients(layer.membrane, x, graph=graph)
    # dh[t] / dx[s] = (1/2)^(t - s + 1) where nothing fires
    expected = [sum(0.5 ** (t - s + 1) for t in range(s, timesteps)) for s in range(timesteps)]
    assert_close(gradient, np.broadcast_to(array(expected, 1, timesteps, 1), x.shape))
    fires = kd.neurons.LIF(tau=2.0, detach_reset=True, threshold=0.01)
    _, (gradient,) = gradients(fires.membrane, np.abs(x) + 1, graph=graph)
    assert_close(gradient, np.full(x.shape, 0.5))  # after a reset nothing is left of the step before


def test_membranes_by_hand():
    student, teacher = (array(values, 1, 2, 2) for values in ([[0, 1], [2, 3]], [[0, 0], [2, 1]]))
    assert value(Membrane(), teacher, student) == (1 + 4) / 4


def test_a_membrane_teaches_the_weights_below():
    teacher, student = tiny.snn(9, name="teacher"), tiny.snn()
    objective = Membrane()
    target = TapModel(teacher, ["neurons.membrane"])(tiny.IMAGES)["neurons.membrane"]
    taps = TapModel(student, ["neurons.membrane"])
    kernel = student.get_layer("block1_dense").kernel
    _, (_, to_kernel) = gradients(
        lambda x: objective.compute_loss(target, taps(x)["neurons.membrane"]), tiny.IMAGES, variables=[kernel], graph=True
    )
    assert np.any(to_kernel)


def test_features_are_what_the_classifier_reads():
    taps = TapModel(tiny.snn(), ["features", "neurons"])(tiny.IMAGES)
    np.testing.assert_array_equal(taps["features"], taps["neurons"])
    assert TapModel(tiny.plain(), ["features"]).shapes["features"] == (None, 6)
    assert TapModel(conv((2, 5), "flatten", "net"), ["features"]).shapes["features"] == (None, 4, 80)


@pytest.mark.parametrize(
    ("model", "tap", "message"),
    [
        (tiny.snn(), "block1_norm.membrane", r"layer of student with membrane potentials 'block1_norm'\. Did you mean 'block1_neuron'"),
        (tiny.ann(), "neurons.membrane", r"layer of teacher with membrane potentials 'block1_neuron'\. Known: none"),
        (tiny.snn(), "block7_neuron.membrane", r"unknown tap of student 'block7_neuron'\. Did you mean 'block1_neuron'"),
        (keras.Sequential([keras.Input((4,)), keras.layers.ReLU(name="top")], name="linear"), "features", r"tap of linear 'features'"),
    ],
)
def test_taps_that_are_not_there(model, tap, message):
    with pytest.raises(UnknownNameError, match=message):
        TapModel(model, [tap])
