import keras
import numpy as np
import pytest

from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.neurons import LIF, RLIF, AdLIF, AdLIFCell, RadLIF, RadLIFCell, RLIFCell
from tests.harness import run_neuron_test


def with_parameters(layer, channels, **parameters):
    layer.build((None, None, channels))
    for name, value in parameters.items():
        getattr(layer, name).assign(np.full(getattr(layer, name).shape, value, "float32"))
    return layer


def run(layer, *currents):
    spikes, u, *_ = layer(np.array(currents, "float32").reshape(1, -1, 1))
    return np.ravel(spikes).tolist(), float(np.ravel(u)[0])


LIMITS = {"tau": (1.1, 100.0), "tau_adaptation": (1.1, 100.0), "return_state": True}


def test_golden_trace_with_the_coupling_before_the_reset():
    # alpha = beta = 1/2, a = b = 1/2: w = w/2 + u/2 + s/2, u = (u - s)/2 + (x - w)/2
    # x    3.0   1.0    2.0
    # w    0     1.25   0.625 - 0.0 -> (1.25 + 0.125) / 2 = 0.6875
    # u    1.5   0.125  0.0625 + (2 - 0.6875) / 2 = 0.71875
    layer = with_parameters(AdLIF(**LIMITS), 1, alpha=0.5, beta=0.5, a=0.5, b=0.5)
    assert run(layer, 3.0, 1.0, 2.0) == ([1, 0, 0], 0.71875)


def test_golden_trace_of_the_symplectic_coupling():
    # after the spike w sees v = u - 1 = 0.5, not u
    # x    3.0   1.0                            2.0
    # w    0     0.25 + 0.5 = 0.75              0.375 + 0.1875 = 0.5625
    # u    1.5   0.25 + (1 - 0.75) / 2 = 0.375  0.1875 + (2 - 0.5625) / 2 = 0.90625
    layer = with_parameters(AdLIF(coupling="symplectic", **LIMITS), 1, alpha=0.5, beta=0.5, a=0.5, b=0.5)
    assert run(layer, 3.0, 1.0, 2.0) == ([1, 0, 0], 0.90625)


def test_golden_trace_of_recurrence():
    # the spike of neuron 0 is a current of 2 for neuron 1 one step later, and none for itself
    layer = with_parameters(RLIF(tau=(1.1, 100.0)), 2, alpha=0.5)
    layer.V.assign([[9.0, 4.0], [0.0, 9.0]])
    currents = np.array([[[4.0, 0.0], [0.0, 0.0], [0.0, 0.0]]], "float32")
    np.testing.assert_array_equal(layer(currents)[0], [[1, 0], [0, 1], [0, 0]])


def test_fires_only_above_the_threshold():
    layer = with_parameters(AdLIF(**LIMITS), 1, alpha=0.5, beta=0.5, a=0.0, b=0.0)
    assert run(layer, 2.0) == ([0], 1.0)


def test_parameters_outside_their_limits_count_as_the_limits():
    x = np.random.default_rng(0).normal(2.0, 12.0, (2, 8, 3)).astype("float32")
    inside, outside = (with_parameters(AdLIF(), 3, alpha=0.9, beta=0.98, a=a, b=b) for a, b in ((1.0, 2.0), (7.0, 5.0)))
    assert np.any(inside(x))
    np.testing.assert_array_equal(inside(x), outside(x))


@pytest.mark.parametrize(("layer", "cell"), [(AdLIF, AdLIFCell), (RLIF, RLIFCell), (RadLIF, RadLIFCell)])
def test_cell_and_layer_survive_saving(layer, cell):
    run_neuron_test(layer, cell, {"tau": [1.5, 3.0], "threshold": 0.5, "reset": "hard"})


def test_neurons_of_maps_share_the_parameters_of_their_channel():
    layer = RadLIF()
    layer.build((None, 4, 8, 8, 3))
    assert [tuple(w.shape) for w in layer.trainable_variables] == [(3,), (3,), (3,), (3,), (3, 3)]


def test_an_unknown_coupling_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown coupling 'simplectic'\. Did you mean 'symplectic'"):
        AdLIF(coupling="simplectic")


@pytest.mark.parametrize("limits", [5.0, (5.0,), (25.0, 5.0), (0.5, 5.0), None])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match=r"tau must be (two numbers|in order|greater than 1 ms)"):
        RLIF(tau=limits)


@pytest.mark.parametrize("layer", [AdLIF(), LIF(learn_tau="channel")])
def test_an_unknown_number_of_neurons_is_refused(layer):
    with pytest.raises(ShapeError, match=r"known (number|sizes)"):
        layer(keras.Input((4, None)))


@pytest.mark.parametrize(("learn_tau", "shape"), [("layer", ()), ("channel", (3,)), ("neuron", (8, 8, 3))])
def test_time_constants_are_shared_as_asked(learn_tau, shape):
    layer = LIF(learn_tau=learn_tau)
    layer.build((None, 4, 8, 8, 3))
    assert tuple(layer.w.shape) == shape
