"""One neuron, many executors: all of them give the same spikes and the same gradients."""

import functools
import itertools

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_snnkd import neurons
from keras_snnkd.neurons import dynamics, scan
from tests.harness import gradients

UNITS = 12
NEURONS = {
    "lif": (neurons.LIF, neurons.LIFCell, {"tau": 2.5}),
    "if": (neurons.IF, neurons.IFCell, {}),
    "plif": (neurons.PLIF, neurons.PLIFCell, {"tau": 2.5}),
    "alif": (neurons.ALIF, neurons.ALIFCell, {"tau": 2.5, "adaptation": 0.3, "tau_adaptation": 8.0}),
    "lif-channel": (neurons.LIF, neurons.LIFCell, {"tau": 2.5, "learn_tau": "channel"}),
    "adlif": (neurons.AdLIF, neurons.AdLIFCell, {}),
    "rlif": (neurons.RLIF, neurons.RLIFCell, {}),
    "radlif": (neurons.RadLIF, neurons.RadLIFCell, {}),
    "integrator": (neurons.LeakyIntegrator, neurons.LeakyIntegratorCell, {"tau": 2.5}),
}
VARIANTS = {
    "soft": {"reset": "soft"},
    "soft-attached": {"reset": "soft", "detach_reset": False},
    "hard-attached": {"v_reset": -0.25, "detach_reset": False},
    "whole-current": {"decay_input": False, "surrogate": "sigmoid"},
}
WITH_PARAMETERS = ("adlif", "rlif", "radlif")
VARIANTS_WITH_PARAMETERS = {
    "hard": {"reset": "hard"},
    "symplectic": {"coupling": "symplectic", "surrogate": "atan"},
    "symplectic-hard-detached": {"coupling": "symplectic", "reset": "hard", "detach_reset": True},
}
PARAMETERS = {"plif": 1, "lif-channel": 1, "adlif": 4, "rlif": 2, "radlif": 5}
"""How many weights each learns."""
SETUPS = [
    (name, "", policy, steps)
    for name in ("lif", "if", "plif", "alif", "radlif", "integrator")
    for policy in ("float32", "mixed_bfloat16")
    for steps in (1, 4, 40)
]
SETUPS += [
    (name, variant, "float32", 5)
    for name in ("lif", "if", "plif", "alif")
    for variant, more in VARIANTS.items()
    if not (name == "if" and "decay_input" in more)
]
SETUPS += [(name, "", "float32", 12) for name in ("adlif", "rlif", "lif-channel")]
SETUPS += [("radlif", variant, "float32", 12) for variant in VARIANTS_WITH_PARAMETERS]


class Setup:
    """A neuron with its arguments, currents `[B, T, F]` and upstream gradients, both exact in bfloat16, under its dtype policy."""

    def __init__(self, name, variant, policy, steps):
        keras.config.set_dtype_policy(policy)
        self.layer_class, self.cell_class, arguments = NEURONS[name]
        self.arguments = {**arguments, **{**VARIANTS, **VARIANTS_WITH_PARAMETERS}.get(variant, {})}
        dtype = "float32" if policy == "float32" else ml_dtypes.bfloat16
        random = np.random.default_rng(steps)
        keras.utils.set_random_seed(steps)  # of the parameters
        drive = 12.0 if name in WITH_PARAMETERS else 1.0 if name == "if" or not self.arguments.get("decay_input", True) else 2.0
        self.x = (drive * random.normal(0.3, 1.0, (3, steps, UNITS))).astype(ml_dtypes.bfloat16).astype(dtype)
        self.upstream = random.normal(0.0, 1.0, self.x.shape).astype(ml_dtypes.bfloat16).astype("float32")

    def layer(self, **more):
        layer = self.layer_class(**self.arguments, **more)
        layer.build(self.x.shape)
        return layer

    def gradients(self, function, layer, graph=False):
        return gradients(function, self.x, upstream=self.upstream, variables=layer.trainable_variables, graph=graph)


@functools.cache
def by_layer(*setup):
    """What the layer gives when it runs eagerly."""
    setup = Setup(*setup)
    layer = setup.layer()
    return setup.gradients(layer, layer)


def by_rnn(setup, monkeypatch, unroll=False):
    rnn = keras.layers.RNN(setup.cell_class(UNITS, **setup.arguments), return_sequences=True, unroll=unroll)
    rnn.build(setup.x.shape)
    return setup.gradients(rnn, rnn)


def by_unrolled_rnn(setup, monkeypatch):
    return by_rnn(setup, monkeypatch, unroll=True)


def by_compiled_layer(setup, monkeypatch):
    layer = setup.layer()
    return setup.gradients(layer, layer, graph=True)


def by_a_chain_of_kernels(setup, monkeypatch):
    monkeypatch.setattr(scan, "KERNEL_LIMIT", 1)
    monkeypatch.setattr(scan, "CHUNK", 2)
    return by_compiled_layer(setup, monkeypatch)


def by_while_loop(setup, monkeypatch, graph=False):
    for limit in ("UNROLL_LIMIT", "KERNEL_LIMIT", "CHAIN_LIMIT"):
        monkeypatch.setattr(scan, limit, 0)
    layer = setup.layer()
    return setup.gradients(layer, layer, graph=graph)


def by_while_loop_in_a_graph(setup, monkeypatch):
    return by_while_loop(setup, monkeypatch, graph=True)


def by_single_steps(setup, monkeypatch):
    layer = setup.layer()

    def run(x):
        states, outputs = list(layer.dynamics.initial_state((x.shape[0], UNITS))), []
        for t in range(x.shape[1]):
            output, states = layer.step(x[:, t], states)
            outputs.append(output)
        return ops.stack(outputs, axis=1)

    return setup.gradients(run, layer)


def in_two_chunks(setup, monkeypatch):
    layer = setup.layer(return_state=True)

    def run(x):
        half = x.shape[1] // 2
        first, *state = layer(x[:, :half])
        second, *_ = layer(x[:, half:], initial_state=state)
        return ops.concatenate([first, second], axis=1)

    return setup.gradients(run, layer)


EXECUTORS = (
    by_rnn,
    by_unrolled_rnn,
    by_compiled_layer,
    by_a_chain_of_kernels,
    by_while_loop,
    by_while_loop_in_a_graph,
    by_single_steps,
    in_two_chunks,
)


def runs(setup, execute):
    """One step has no two halves."""
    return not (execute is in_two_chunks and setup[-1] == 1)


def name_of(setup_or_executor):
    return getattr(setup_or_executor, "__name__", None) or "-".join(filter(None, map(str, setup_or_executor)))


RUNS = [run for run in itertools.product(SETUPS, EXECUTORS) if runs(*run)]
SAMPLED = [run if place % 7 == 0 else pytest.param(*run, marks=pytest.mark.slow) for place, run in enumerate(RUNS)]


@pytest.mark.every(8)
@pytest.mark.parametrize(("setup", "execute"), SAMPLED, ids=name_of)
def test_same_spikes_and_gradients_as_the_layer(setup, execute, monkeypatch):
    name, _, policy, _ = setup
    expected, (expected_g_x, *expected_g_w) = by_layer(*setup)
    output, (g_x, *g_w) = execute(Setup(*setup), monkeypatch)
    if name == "integrator":
        np.testing.assert_allclose(output, expected, rtol=1e-5 if policy == "float32" else 2**-7, atol=1e-6)
    else:
        np.testing.assert_array_equal(output, expected)
    np.testing.assert_allclose(g_x, expected_g_x, rtol=1e-4 if policy == "float32" else 2**-7, atol=1e-6)
    assert len(g_w) == len(expected_g_w) == PARAMETERS.get(name, 0)
    for gradient, expected_gradient in zip(g_w, expected_g_w, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.every(12)
@pytest.mark.parametrize("spike", ["floor", "where"])
@pytest.mark.parametrize("setup", SETUPS, ids=name_of)
def test_same_spikes_in_the_form_for_converters(setup, spike):
    layer = Setup(*setup).layer()
    with dynamics.export_form(spike):
        outputs = layer(Setup(*setup).x)
    np.testing.assert_array_equal(ops.cast(outputs, "float32"), by_layer(*setup)[0])


@pytest.mark.every(8)
@pytest.mark.parametrize("setup", [setup for setup in SETUPS if setup[0] != "integrator"], ids=name_of)
def test_the_currents_of_these_tests_make_some_spikes(setup):
    spikes, (g_x, *_) = by_layer(*setup)
    assert set(np.unique(spikes)) == {0, 1}
    assert 0.05 < spikes.mean() < 0.45
    window = 0.2 if setup[0] in WITH_PARAMETERS else 0.5  # the rectangle lets few gradients through
    assert np.count_nonzero(g_x) > window * g_x.size


@pytest.mark.parametrize("name", [name for name in NEURONS if name != "integrator"])
def test_under_a_mixed_policy_spikes_are_bfloat16_and_the_state_is_float32(name):
    setup = Setup(name, "", "mixed_bfloat16", 4)
    spikes, *state = setup.layer(return_state=True)(setup.x)
    cell = setup.cell_class(UNITS, **setup.arguments)
    spikes_of_step, state_of_step = cell(setup.x[:, 0], cell.get_initial_state(3))
    dtypes = [keras.backend.standardize_dtype(tensor.dtype) for tensor in (spikes, spikes_of_step, *state, *state_of_step)]
    assert dtypes == ["bfloat16"] * 2 + ["float32"] * 2 * len(cell.state_size)


def test_stacked_float32_cells_equal_two_layers_under_a_mixed_policy():
    setup = Setup("lif", "", "mixed_bfloat16", 40)
    settings = {"tau": 2.5}, {"tau": 2.5, "threshold": 0.3}
    stack = keras.layers.StackedRNNCells([neurons.LIFCell(UNITS, **more) for more in settings], dtype="float32")
    stacked = keras.layers.RNN(stack, return_sequences=True)(setup.x)
    first, second = (neurons.LIF(**more) for more in settings)
    expected = second(first(setup.x))
    assert np.any(expected)
    np.testing.assert_array_equal(stacked, expected)


@pytest.mark.every(3)
@pytest.mark.parametrize("name", NEURONS)
def test_the_gradient_of_the_state_flows_into_the_chunk_before(name, monkeypatch):
    setup = Setup(name, "", "float32", 4)
    layer = setup.layer(return_state=True)
    _, (gradient,) = gradients(lambda x: layer(x)[1], setup.x)
    monkeypatch.setattr(scan, "KERNEL_LIMIT", 1)
    _, (by_chain,) = gradients(lambda x: layer(x)[1], setup.x, graph=True)
    np.testing.assert_allclose(by_chain, gradient, rtol=1e-4, atol=1e-6)
    assert (np.abs(gradient[:, -1]) > 0).any()
    assert (np.abs(gradient[:, 0]) > 0).any()


@pytest.mark.parametrize("steps", [8, 9, 65])
def test_a_sequence_of_any_known_length_is_compiled_in_a_graph(steps):
    layer = neurons.LIF()
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((2, steps, 3))).graph
    kernels = [operation for operation in graph.get_operations() if "_XlaMustCompile" in operation.node_def.attr]
    assert len(kernels) == {8: 1, 9: 3, 65: 1}[steps]  # in chains of four steps
    assert not any("While" in operation.type for operation in graph.get_operations())
