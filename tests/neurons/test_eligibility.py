"""Neurons on rates: spikes as always, and the rate's derivative by the mean current."""

import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd import neurons
from keras_snnkd.neurons.lanes import Lanes
from tests.harness import gradients, oracle_cases
from tests.sampling import sampled

CASES = oracle_cases("rate_backprop.npz", "neuron")
EVERY = [
    (neurons.LIF, {}),
    (neurons.LIF, {"tau": 4.0, "v_reset": 0.1, "decay_input": False, "detach_reset": False}),
    (neurons.LIF, {"reset": "soft", "detach_reset": False, "surrogate": "triangle"}),
    (neurons.IF, {"reset": "soft"}),
    (neurons.PLIF, {"tau": 3.0, "decay_input": False, "detach_reset": False}),
    (neurons.PLIF, {"reset": "soft", "learn_tau": "channel"}),
    (neurons.ALIF, {"adaptation": 0.5, "tau_adaptation": 3.0}),
    (neurons.ALIF, {"adaptation": 0.5, "reset": "soft", "detach_reset": False}),
    (neurons.QuantizedNeuron, {"leak": 0.3}),
]


def on_rates(layer, currents, upstream, graph=True):
    """Spikes and rates of a layer on rates, and the gradients of ``sum(upstream * rate)`` by the mean current and the layer's weights."""
    spikes = []

    def rates(mean):
        lanes = layer.call_on_rates(Lanes(tf.constant(currents), mean), training=True)
        spikes.append(lanes.sequence)
        return lanes.mean

    if graph:
        find = tf.function(lambda: layer.call_on_rates(Lanes(tf.constant(currents), tf.reduce_mean(currents, 1))).sequence)
        found = find().numpy()
    rate, found_gradients = gradients(rates, currents.mean(axis=1), upstream=upstream, variables=layer.trainable_variables, graph=graph)
    return found if graph else spikes[0].numpy(), rate, found_gradients


@pytest.mark.every(3)
@pytest.mark.parametrize(("case", "graph"), [*((case, False) for case in CASES), *((case, True) for case in CASES[:3])], ids=str)
def test_eligibilities_are_those_of_the_official_code(case, graph):
    s = case.settings
    layer = neurons.LIF(s["tau"], s["v_threshold"], "soft", decay_input=s["decay_input"], detach_reset=True, surrogate="sigmoid")
    currents = case["x"].swapaxes(0, 1)
    layer.build(currents.shape)
    spikes, rate, (gradient,) = on_rates(layer, currents, case["w"], graph)
    np.testing.assert_array_equal(spikes.swapaxes(0, 1), case["spikes"])
    np.testing.assert_allclose(rate, case["rate"], rtol=1e-6)
    np.testing.assert_allclose(gradient, case["grad_mean_x"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(case["w"] * case["eligibility"], case["grad_mean_x"], rtol=1e-5, atol=1e-7)


def test_four_steps_by_hand():
    # tau 2, hard reset, box of height 1 where |h - 1| < 1/2: h = 0.6, 0.9, 1.25 (fires), 0.6; all but the silent ends of the box count
    currents = np.array([[[1.2], [1.2], [1.6], [1.2]]], "float32")
    layer = neurons.LIF(tau=2.0, surrogate="rectangle")
    layer.build(currents.shape)
    spikes, rate, (gradient,) = on_rates(layer, currents, 1.0)
    assert spikes[0, :, 0].tolist() == [0, 0, 1, 0]
    assert rate[0, 0] == 0.25
    changes = [0.5, 0.5 + 0.5 * 0.5, 0.5 + 0.5 * 0.75, 0.5]  # dh; the reset lets nothing through
    np.testing.assert_allclose(gradient[0, 0], sum(changes) / 4, rtol=1e-6)


EXECUTORS = {"one kernel": 3, "a chain of kernels": 11, "a loop": 70}
RUNS = [(executor, number) for number in range(len(EVERY)) for executor in EXECUTORS]
EACH_NEURON_ONCE = [(list(EXECUTORS)[number % len(EXECUTORS)], number) for number in range(len(EVERY))]


@pytest.mark.every(3)
@pytest.mark.parametrize("run", sampled(RUNS, *EACH_NEURON_ONCE), ids=str)
def test_it_is_the_sum_over_time_of_backpropagation_through_time(run):
    executor, number = run
    timesteps, (neuron, arguments) = EXECUTORS[executor], EVERY[number]
    rng = np.random.default_rng(0)
    currents = rng.normal(0.8, 0.8, (3, timesteps, 4)).astype("float32")
    upstream = rng.normal(size=(3, 4)).astype("float32")
    layer = neuron(**arguments)
    layer.build(currents.shape)
    expected_spikes = np.array(layer(currents))
    through_time = gradients(lambda x: tf.reduce_mean(layer(x), 1), currents, upstream=upstream, variables=layer.trainable_variables)
    spikes, rate, found = on_rates(layer, currents, upstream)
    assert 0.05 < spikes.mean() < 0.95
    np.testing.assert_array_equal(spikes, expected_spikes)
    np.testing.assert_allclose(rate, expected_spikes.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found[0], through_time[1][0].sum(axis=1), rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(found[1:], through_time[1][1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
