"""Neurons: whatever comes in, spikes are 0 or 1, neurons do not disturb each other, and impossible settings are refused."""

import inspect
import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_snnkd import neurons
from tests.harness import gradients
from tests.properties.values import FINITE, NUMBERS, sequences

NAMES = neurons.names()
THRESHOLDS, RESETS = st.floats(2.0**-100, 2.0**100, width=32), st.floats(-(2.0**100), 0, width=32)
SETTINGS = st.fixed_dictionaries(
    {
        "threshold": THRESHOLDS,
        "reset": st.sampled_from(["hard", "soft"]),
        "v_reset": RESETS,
        "detach_reset": st.booleans(),
    }
)


def layer(name, **arguments):
    cls = neurons.get(name)
    if arguments.get("reset") == "soft" or "v_reset" not in inspect.signature(cls.__init__).parameters:  # no potential to reset to
        arguments.pop("v_reset", None)
    return cls(**arguments)


@pytest.mark.every(2)
@pytest.mark.parametrize("name", NAMES)
@given(currents=sequences(), arguments=SETTINGS)
def test_spikes_are_0_or_1_in_the_shape_of_the_currents(name, currents, arguments):
    spikes = np.asarray(layer(name, **arguments)(currents))
    assert spikes.shape == currents.shape
    assert spikes.dtype == "float32"
    assert np.all((spikes == 0) | (spikes == 1))


@pytest.mark.every(2)
@pytest.mark.parametrize("name", NAMES)
@given(currents=sequences(), broken=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_neuron_with_a_current_that_is_no_number_disturbs_no_other(name, currents, broken):
    one = layer(name)
    before = np.asarray(one(currents))
    flat = currents.reshape(*currents.shape[:2], -1).copy()
    flat[0, 0, 0] = broken
    after = np.asarray(one(flat.reshape(currents.shape))).reshape(flat.shape)
    rest = np.ones(flat.shape, bool)
    rest[0, :, 0] = False
    np.testing.assert_array_equal(after[rest], before.reshape(flat.shape)[rest])


@pytest.mark.every(2)
@pytest.mark.parametrize("name", NAMES)
@given(currents=sequences(FINITE))
def test_gradients_of_finite_currents_are_finite(name, currents):
    _, (gradient,) = gradients(layer(name), currents)
    assert gradient.shape == currents.shape
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8"])
@given(currents=sequences(st.integers(0, 3).map(float)))
def test_currents_of_any_type_give_the_same_spikes(dtype, currents):
    expected = np.asarray(neurons.get("lif")()(currents))
    found = neurons.get("lif")()(keras.ops.cast(currents, dtype))
    np.testing.assert_array_equal(np.asarray(keras.ops.cast(found, "float32")), expected)


@given(value=NUMBERS)
@pytest.mark.parametrize(
    ("name", "argument"), [("lif", "tau"), ("plif", "tau"), ("lif", "threshold"), ("alif", "threshold"), ("lif", "v_reset")]
)
def test_a_setting_is_a_number_of_float32_or_it_is_refused(name, argument, value):
    try:
        made = neurons.get(name)(**{argument: value})
    except ValueError as error:
        made, told = None, str(error)
    if made is None:
        assert argument in told
        return
    held = np.float32(getattr(made, argument))
    assert np.isfinite(held)
    spikes = np.asarray(made(np.full((1, 4, 1), 2.0, "float32")))
    assert np.all((spikes == 0) | (spikes == 1))
    assert made.get_config()[argument] == float(value)
