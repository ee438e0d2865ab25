import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd.surrogates as surrogates
from keras_snnkd.errors import UnknownNameError
from tests.harness import gradients, oracle_cases

FROM_SPIKINGJELLY = {"PiecewiseQuadratic": "Triangle", "Rect": "Rectangle", "PiecewiseExp": "PiecewiseExponential"}
FROM_SNNTORCH = {"atan": "ATan", "fast_sigmoid": "FastSigmoid", "sigmoid": "Sigmoid", "straight_through": "StraightThrough"}
KINKS = {"rectangle": (-0.5, 0.5), "triangle": (-1.0, 1.0)}  # times 1 / alpha; 0 is not measured


@pytest.mark.parametrize("case", oracle_cases("neurons_spikingjelly.npz", "surrogate"), ids=str)
def test_same_spikes_and_derivative_as_spikingjelly(case):
    name = case.settings["surrogate"]
    surrogate = getattr(surrogates, FROM_SPIKINGJELLY.get(name, name))(case.settings["surrogate_alpha"])
    spikes, (gradient,) = gradients(surrogate, case["input"])
    np.testing.assert_array_equal(spikes, case["spike"])
    np.testing.assert_allclose(gradient, case["grad"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", oracle_cases("neurons_snntorch.npz", "surrogate"), ids=str)
def test_same_derivative_as_snntorch_and_spikes_off_the_threshold(case):
    surrogate = getattr(surrogates, FROM_SNNTORCH[case.settings["surrogate"]])(case.settings["surrogate_parameter"])
    spikes, (gradient,) = gradients(surrogate, case["input"])
    off = case["input"] != 0
    np.testing.assert_array_equal(spikes[off], case["spike"][off])
    np.testing.assert_allclose(gradient, case["grad"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [None, 0.7, 3.0])
@pytest.mark.parametrize("name", surrogates.names())
def test_derivative_is_that_of_the_primitive(name, alpha):
    surrogate = type(surrogates.get(name))(alpha)
    u = np.linspace(-2.0, 2.0, 402)
    kinks = np.array(KINKS.get(name, ())) / surrogate.alpha
    u = u[(np.abs(u[:, None] - kinks) > 1e-3).all(1)]
    assert len(u) > 390
    step = 1e-6
    rise = surrogate.primitive(tf.constant(u + step)) - surrogate.primitive(tf.constant(u - step))
    np.testing.assert_allclose(surrogate.derivative(tf.constant(u)), rise / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", surrogates.names())
def test_fires_at_the_threshold_and_passes_its_derivative_back(name):
    surrogate = surrogates.get(name)
    u = np.array([-0.3, 0.0, 0.3], "float32")
    spikes, (gradient,) = gradients(surrogate, u, upstream=np.array([1.0, 2.0, 3.0], "float32"))
    np.testing.assert_array_equal(spikes, [0, 1, 1])
    np.testing.assert_allclose(gradient, [1, 2, 3] * surrogate.derivative(u).numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", surrogates.names())
def test_serialized_form_makes_an_equal_surrogate(name):
    surrogate = type(surrogates.get(name))(alpha=1.5)
    again = surrogates.get(surrogates.serialize(surrogate))
    assert again == surrogate
    assert hash(again) == hash(surrogate)
    assert again != type(surrogate)(alpha=2.5)
    assert repr(again) == f"{type(surrogate).__name__}(alpha=1.5)"


def test_get_returns_an_instance_as_it_is():
    surrogate = surrogates.Sigmoid(3.0)
    assert surrogates.get(surrogate) is surrogate


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown surrogate 'atn'. Did you mean 'atan'\?"):
        surrogates.get("atn")


def test_something_else_than_a_surrogate_is_refused():
    with pytest.raises(TypeError, match=r"got float 2\.0"):
        surrogates.get(2.0)


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "2", True])
def test_a_steepness_that_is_not_a_number_above_zero_is_refused(alpha):
    with pytest.raises(ValueError, match="ATan: alpha must be a number greater than 0, got"):
        surrogates.ATan(alpha)
