"""The same spikes and gradients as SpikingJelly 2.0.0."""

import numpy as np
import pytest

from keras_snnkd import surrogates
from keras_snnkd.neurons import IF, LIF, PLIF
from tests.harness import gradients, oracle_cases

NEURONS = {"if": IF, "lif": LIF, "plif": PLIF}
SURROGATES = {"PiecewiseQuadratic": "Triangle", "Rect": "Rectangle", "PiecewiseExp": "PiecewiseExponential"}


def make_layer(case):
    said = case.settings
    soft = said["v_reset"] is None
    arguments = {
        "threshold": said["v_threshold"],
        "reset": "soft" if soft else "hard",
        "v_reset": 0.0 if soft else said["v_reset"],
        "detach_reset": said["detach_reset"],
        "surrogate": getattr(surrogates, SURROGATES.get(said["surrogate"], said["surrogate"]))(said["surrogate_alpha"]),
    }
    if said.get("tau"):
        arguments |= {"tau": said["tau"], "decay_input": said["decay_input"]}
    return NEURONS[case.name.split("/")[0]](**arguments)


@pytest.mark.every(3)
@pytest.mark.parametrize("case", oracle_cases("neurons_spikingjelly.npz", "lif", "if", "plif"), ids=str)
def test_same_spikes_and_gradients(case):
    layer = make_layer(case)
    x, upstream = case["x"].swapaxes(0, 1), case["w"].swapaxes(0, 1)  # stored time first
    layer.build(x.shape)
    start = [case["v_init"]] if "v_init" in case else None
    spikes, (g_x, *g_w) = gradients(lambda x: layer(x, initial_state=start), x, upstream=upstream, variables=layer.trainable_variables)
    np.testing.assert_array_equal(spikes.swapaxes(0, 1), case["spikes"])
    np.testing.assert_allclose(g_x.swapaxes(0, 1), case["grad_x"], rtol=1e-4, atol=1e-6)
    if "grad_w_param" in case:  # a sum over all neurons and steps; theirs is up to 1.1e-4 off in float32
        np.testing.assert_allclose(g_w[0], case["grad_w_param"], rtol=3e-4, atol=1e-6)
