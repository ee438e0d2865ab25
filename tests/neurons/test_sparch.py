"""The same spikes and gradients as sparch (Bittar and Garner, idiap/sparch f875625)."""

import numpy as np
import pytest

from keras_snnkd.layers import SoftmaxSum
from keras_snnkd.neurons import LIF, RLIF, AdLIF, LeakyIntegrator, RadLIF
from tests.harness import gradients, oracle_cases

NEURONS = {"adlif": AdLIF, "rlif": RLIF, "radlif": RadLIF}
PARAMETERS = ("alpha", "beta", "a", "b", "V")


def run(layer, case, graph=False):
    """Spikes, gradient of the currents, gradients of the parameters by name."""
    layer.build(case["x"].shape)
    names = [name for name in PARAMETERS if name in case]
    for name in names:
        getattr(layer, name).assign(case[name])
    spikes, (g_x, *g_parameters) = gradients(
        layer, case["x"], upstream=case["w"], variables=[getattr(layer, name) for name in names], graph=graph
    )
    return spikes, g_x, dict(zip(names, g_parameters, strict=True))


@pytest.mark.every(2)
@pytest.mark.parametrize("case", oracle_cases("neurons_sparch.npz", *NEURONS), ids=str)
def test_same_spikes_and_gradients(case):
    spikes, g_x, g_parameters = run(NEURONS[case.settings["kind"]](), case)
    np.testing.assert_array_equal(spikes, case["spikes"])
    np.testing.assert_allclose(g_x, case["grad_x"], rtol=1e-4, atol=1e-6)
    assert len(g_parameters) >= 2
    for name, gradient in g_parameters.items():
        np.testing.assert_allclose(gradient, case[f"grad_{name}"], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", oracle_cases("neurons_sparch.npz", "lif"), ids=str)
def test_lif_with_a_time_constant_for_each_neuron(case):
    # theirs is alpha, ours the leak 1 - alpha = sigmoid(w)
    layer = LIF(learn_tau="neuron", reset="soft", detach_reset=False, surrogate="rectangle")
    layer.build(case["x"].shape)
    layer.w.assign(np.log((1 - case["alpha"]) / case["alpha"]))
    spikes, (g_x, g_w) = gradients(layer, case["x"], upstream=case["w"], variables=[layer.w])
    np.testing.assert_array_equal(spikes, case["spikes"])
    np.testing.assert_allclose(g_x, case["grad_x"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(g_w, -case["grad_alpha"] * case["alpha"] * (1 - case["alpha"]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", oracle_cases("neurons_sparch.npz", "readout"), ids=str)
def test_the_readout_that_sums_softmaxes(case):
    layer, readout = LeakyIntegrator(learn_tau="neuron"), SoftmaxSum()
    layer.build(case["x"].shape)
    layer.w.assign(np.log((1 - case["alpha"]) / case["alpha"]))
    out, (g_x, g_w) = gradients(lambda x: readout(layer(x)), case["x"], upstream=case["w"], variables=[layer.w])
    np.testing.assert_allclose(out, case["out"], rtol=1e-5)
    np.testing.assert_allclose(g_x, case["grad_x"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(g_w, -case["grad_alpha"] * case["alpha"] * (1 - case["alpha"]), rtol=1e-4, atol=1e-6)
