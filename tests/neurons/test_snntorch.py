"""The same spikes and gradients as snnTorch 1.0.0's `Leaky(beta, reset_delay=False)`, where the two are the same model.

``beta = 1 - 1 / tau``; "subtract" is a soft reset, "zero" a hard one to 0. They are not the same model

* where snnTorch's membrane is above the threshold after its reset: the next step takes that for a spike and subtracts the threshold
  once more before it fires, and not after. Only "subtract" with currents of more than a threshold gets there;
* where the membrane equals the threshold: ours fires, snnTorch's does not.

Neurons do not touch each other, so those that never get there are compared.
"""

import numpy as np
import pytest

from keras_snnkd import surrogates
from keras_snnkd.neurons import LIF, PLIF
from tests.harness import gradients, oracle_cases

SURROGATES = {"atan": surrogates.ATan, "fast_sigmoid": surrogates.FastSigmoid, "sigmoid": surrogates.Sigmoid}
CASES = oracle_cases("neurons_snntorch.npz", "leaky")


def run(layer_class, case):
    """Spikes, gradient of the currents, gradients of weights; time first, as the case is stored."""
    said = case.settings
    layer = layer_class(
        tau=1 / (1 - said["beta"]),
        decay_input=False,
        threshold=said["threshold"],
        reset={"subtract": "soft", "zero": "hard"}[said["reset_mechanism"]],
        detach_reset=False,
        surrogate=SURROGATES[said["surrogate"]](said["surrogate_parameter"]),
    )
    x, upstream = case["x"].swapaxes(0, 1), case["w"].swapaxes(0, 1)
    layer.build(x.shape)
    start = [case["mem_init"]] if "mem_init" in case else None
    spikes, (g_x, *g_w) = gradients(lambda x: layer(x, initial_state=start), x, upstream=upstream, variables=layer.trainable_variables)
    return spikes.swapaxes(0, 1), g_x.swapaxes(0, 1), g_w


def same_model(case):
    """Which neurons `[B, F]` are never above the threshold when a step begins, nor at it when they fire."""
    same = np.ones(case["x"].shape[1:], bool)
    if "mem_returned" in case:
        start = case["mem_init"] if "mem_init" in case else np.zeros(same.shape)
        same &= ~(np.concatenate([start[None], case["mem_returned"][:-1]]) > case.settings["threshold"]).any(0)
    if "mem_at_fire" in case:
        same &= ~(case["mem_at_fire"] == case.settings["threshold"]).any(0)
    return same


@pytest.mark.every(2)
@pytest.mark.parametrize("case", [case for case in CASES if same_model(case).any()], ids=str)
def test_same_spikes_and_gradients(case):
    spikes, g_x, _ = run(LIF, case)
    same = same_model(case)
    np.testing.assert_array_equal(spikes[:, same], case["spikes"][:, same])
    # q (1 - q) of a steep sigmoid is right to a float32 rounding of 1, times the slope of 25
    atol = 1e-5 if case.settings["surrogate"] == "sigmoid" else 1e-6
    np.testing.assert_allclose(g_x[:, same], case["grad_x"][:, same], rtol=1e-4, atol=atol)


def test_most_neurons_are_compared():
    compared = {reset: [same_model(c).mean() for c in CASES if c.settings["reset_mechanism"] == reset] for reset in ("subtract", "zero")}
    assert np.mean(compared["zero"]) > 0.9
    assert np.mean(compared["subtract"]) > 0.3


@pytest.mark.parametrize("case", [c for c in CASES if "grad_beta" in c and same_model(c).all()], ids=str)
def test_same_gradient_of_the_learned_leak(case):
    # 1 - beta = sigmoid(w)
    _, _, (g_w,) = run(PLIF, case)
    beta = case.settings["beta"]
    np.testing.assert_allclose(g_w, -case["grad_beta"] * beta * (1 - beta), rtol=3e-4, atol=1e-6)


@pytest.mark.parametrize("case", [c for c in CASES if c.settings["edge"] == "threshold_tie"], ids=str)
def test_at_the_threshold_ours_fires_and_theirs_does_not(case):
    spikes, _, _ = run(LIF, case)
    tie = case["mem_at_fire"] == case.settings["threshold"]
    first_tie = tie & (np.cumsum(tie, axis=0) == 1)
    assert first_tie.any()
    assert (spikes[first_tie] == 1).all()
    assert (case["spikes"][first_tie] == 0).all()
    before = np.cumsum(tie, axis=0) == 0
    np.testing.assert_array_equal(spikes[before], case["spikes"][before])
