import numpy as np
import pytest

from keras_snnkd.neurons import LIF, PLIF, PLIFCell
from tests.harness import gradients, run_neuron_test


def test_starts_as_a_lif_of_the_same_tau():
    x = np.random.default_rng(0).normal(0.5, 2.0, (2, 6, 5)).astype("float32")
    spikes = np.array(PLIF(tau=3.0)(x))
    assert 0 < spikes.mean() < 1
    np.testing.assert_array_equal(spikes, LIF(tau=3.0)(x))


def test_has_one_weight_for_the_whole_layer():
    layer = PLIF(tau=4.0)
    layer.build((None, 4, 8, 8, 3))
    (w,) = layer.trainable_variables
    assert w.shape == ()
    np.testing.assert_allclose(1 / (1 + np.exp(-w.numpy())), 1 / 4, rtol=1e-6)


@pytest.mark.parametrize("timesteps", [4, 40])
def test_the_gradient_of_the_leak_is_that_of_the_potential(timesteps):
    # far below the threshold the potential is smooth in w, and its derivative can be measured
    x = np.random.default_rng(0).normal(0.1, 0.3, (2, timesteps, 3)).astype("float32")
    layer = PLIF(tau=3.0, threshold=50.0, return_state=True)
    layer.build(x.shape)

    def potential(x):
        return layer(x)[1]

    _, (_, g_w) = gradients(potential, x, variables=[layer.w])
    at = {}
    for way in (-1, 1):
        layer.w.assign(-np.log(2.0) + way * 1e-2)
        at[way] = np.sum(potential(x), dtype="float64")
    assert abs(g_w) > 0.01
    np.testing.assert_allclose(g_w, (at[1] - at[-1]) / 2e-2, rtol=2e-3)


@pytest.mark.parametrize("arguments", [{"tau": 3.0, "reset": "soft"}, {"v_reset": -0.5, "decay_input": False}])
def test_cell_and_layer_survive_saving(arguments):
    run_neuron_test(PLIF, PLIFCell, arguments)
