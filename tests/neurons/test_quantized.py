import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_snnkd import neurons
from keras_snnkd.neurons import QuantizedNeuron
from tests.harness import gradients

KINDS = {
    "hard": {"leak": 0.5},
    "soft": {"leak": 0.25, "reset": "soft", "threshold": 0.7, "range_exponent": 2},
    "decay_input": {"leak": 0.5, "decay_input": True},
    "no_leak": {"leak": 0.0, "reset": "soft"},
    "adaptive": {"leak": 0.5, "adaptation": 0.2, "adaptation_decay": 0.95},
    "integrator": {"leak": 0.5, "threshold": None, "range_exponent": 2},
    "approximate": {"leak": 0.5, "adder_bits": 2, "multiplier_bits": 3},
    "approximate_sum": {"leak": 0.0, "reset": "soft", "adder_bits": 3},
}


def currents(shape=(3, 6, 40), scale=0.6):
    return np.random.default_rng(1).normal(0.3, scale, shape).astype("float32")


def test_five_steps_by_hand():
    # R = 2, steps of 1/64: 0.7 is 45 steps, half of 45 is 22, half of 35 is 17 (halves towards rest)
    #   x   45   45   45    45   -60          h   45   67   45   67   -60
    #   v   45    0   45     0   -60
    x = np.array([0.7, 0.7, 0.7, 0.7, -60 / 64], "float32").reshape(1, 5, 1)
    layer = QuantizedNeuron(leak=0.5)
    np.testing.assert_array_equal(layer.membrane(x).numpy().ravel() * 64, [45, 67, 45, 67, -60])
    np.testing.assert_array_equal(layer(x).numpy().ravel(), [0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("bits", "membranes", "spikes"),
    [
        # in steps of 1/64, the adder sees multiples of 4, and the product with the leak becomes one of 4 or of 16
        ({"adder_bits": 2}, [44, 64, 44, 64, -60], [0, 1, 0, 1, 0]),  # 45 -> 44; 22 -> 20
        ({"multiplier_bits": 4}, [45, 61, 77, 45, -44], [0, 0, 1, 0, 0]),  # 22 -> 16, 30 -> 32, 22 -> 16
        ({"adder_bits": 2, "multiplier_bits": 4}, [44, 60, 76, 44, -44], [0, 0, 1, 0, 0]),
    ],
)
def test_approximate_arithmetic_leaves_low_bits_out(bits, membranes, spikes):
    x = np.array([0.7, 0.7, 0.7, 0.7, -60 / 64], "float32").reshape(1, 5, 1)
    layer = QuantizedNeuron(leak=0.5, **bits)
    np.testing.assert_array_equal(layer.membrane(x).numpy().ravel() * 64, membranes)
    np.testing.assert_array_equal(layer(x).numpy().ravel(), spikes)


@pytest.mark.parametrize(
    "given", [{"adder_bits": -1}, {"multiplier_bits": 7}, {"adder_bits": True}, {"adder_bits": 5, "range_exponent": 3}]
)
def test_bits_that_cannot_be_left_out_are_refused(given):
    with pytest.raises(ValueError, match=r"is how many low bits the arithmetic leaves out, a whole number from 0 to [46], got"):
        QuantizedNeuron(leak=0.5, **given)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_halves_are_rounded_towards_rest(reset):
    x = np.array([[1, 0, 0], [-1, 0, 0], [7, 0, 0], [-7, 0, 0]], "float32").reshape(4, 3, 1) / 64
    found = QuantizedNeuron(leak=0.5, reset=reset).membrane(x).numpy()[..., 0] * 64
    np.testing.assert_array_equal(found, [[1, 0, 0], [-1, 0, 0], [7, 3, 1], [-7, -3, -1]])


@pytest.mark.parametrize("kind", KINDS)
def test_membranes_are_whole_steps_within_the_range(kind):
    layer = QuantizedNeuron(**KINDS[kind])
    steps = layer.membrane(currents(scale=4.0)).numpy() / layer.dynamics.resolution
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert (np.round(steps.min()), np.round(steps.max())) == (-128, 127)


@pytest.mark.every(3)
@pytest.mark.parametrize(("kind", "graph"), [*((kind, False) for kind in KINDS), ("decay_input", True)])
def test_the_adjoint_by_hand_is_the_derivative_of_the_steps(kind, graph):
    layer = QuantizedNeuron(**KINDS[kind])

    def by_steps(x):
        states, outputs = list(layer.dynamics.initial_state((3, 40))), []
        for current in tf.unstack(x, axis=1):
            output, states = layer.step(current, states)
            outputs.append(output)
        return tf.stack(outputs, axis=1)

    upstream = np.random.default_rng(2).normal(size=(3, 6, 40)).astype("float32")
    expected, (slope,) = gradients(by_steps, currents(), upstream=upstream)
    found, (ours,) = gradients(layer, currents(), upstream=upstream, graph=graph)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(ours, slope, rtol=1e-4, atol=1e-6)
    assert np.any(slope)


@pytest.mark.parametrize(
    "layer",
    [
        neurons.LIF(tau=3.0, threshold=0.8),
        neurons.LIF(v_reset=-0.5, decay_input=False),
        neurons.IF(reset="soft"),
        neurons.PLIF(tau=2.5),
        neurons.ALIF(adaptation=0.3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_twin_of_a_neuron_fires_as_it_does_but_for_rounding(layer):
    x = currents(scale=1.0) * 2
    spikes = np.asarray(layer(x))
    twin = QuantizedNeuron.of(layer, range_exponent=2)
    assert np.mean(np.asarray(twin(x)) == spikes) >= 0.95
    assert 0.1 < spikes.mean() < 0.9
    assert twin.name == layer.name


def test_a_range_that_does_not_reach_the_threshold_is_refused():
    with pytest.raises(ValueError, match="range_exponent must be at least 1"):
        QuantizedNeuron(range_exponent=0)
    assert QuantizedNeuron(threshold=None, range_exponent=-2).dynamics.membrane_range == 0.25


def test_a_saved_neuron_is_the_same_neuron(tmp_path):
    inputs = keras.Input((6, 40))
    keras.Model(inputs, QuantizedNeuron(**KINDS["soft"])(inputs)).save(tmp_path / "neuron.keras")
    loaded = keras.models.load_model(tmp_path / "neuron.keras")
    assert loaded.layers[-1].dynamics == QuantizedNeuron(**KINDS["soft"]).dynamics


def test_the_bits_that_a_neuron_leaves_out_are_saved_with_it():
    layer = QuantizedNeuron(**KINDS["approximate"])
    assert QuantizedNeuron.from_config(layer.get_config()).dynamics == layer.dynamics
