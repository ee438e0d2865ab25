import keras
import numpy as np
import pytest

from keras_snnkd.export.parity import thermometer
from keras_snnkd.export.rounding import distance_to_threshold, unexplained
from keras_snnkd.layers import RateActivation
from keras_snnkd.neurons import ALIF, LIF


def two_layers():
    inputs = keras.Input((3, 1))
    first = LIF(name="first")(inputs)
    return keras.Model(inputs, LIF(name="second")(first))


def test_distance_to_the_threshold_by_hand():
    # tau=2, threshold=1, hard reset:  x 1.0 2.0 0.5  ->  h 0.5 1.25 0.25
    x = np.array([1.0, 2.0, 0.5], "float32").reshape(1, 3, 1)
    np.testing.assert_allclose(distance_to_threshold(LIF(), x).ravel(), [0.5, 0.25, 0.75])
    # adaptive threshold after the spike of step 2: 1.2
    np.testing.assert_allclose(distance_to_threshold(ALIF(adaptation=0.2), x).ravel(), [0.5, 0.25, 0.95], atol=1e-6)


@pytest.mark.parametrize(("current", "faults"), [(2.0, 0), (2.000002, 0), (1.999998, 0), (1.99, 1), (2.01, 1)])
def test_a_spike_may_differ_only_where_the_membrane_is_at_the_threshold(current, faults):
    x = np.array([current, 0, 0], "float32").reshape(1, 3, 1)
    differs = {"first": np.array([True, False, False]).reshape(1, 3, 1), "second": np.ones((1, 3, 1), bool)}
    found = unexplained(two_layers(), x, differs, rounding=1e-5)
    assert len(found) == faults
    assert all("layer first: 1 of its 3 spikes" in fault for fault in found)


def test_what_follows_a_rounded_spike_is_not_judged_and_other_samples_are():
    x = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]], "float32").reshape(2, 3, 1)
    first = np.array([[1, 1, 1], [0, 0, 0]], bool).reshape(2, 3, 1)
    second = np.array([[1, 1, 1], [0, 1, 0]], bool).reshape(2, 3, 1)
    (fault,) = unexplained(two_layers(), x, {"first": first, "second": second}, rounding=1e-5)
    assert fault.startswith("layer second: 1 of its 3 spikes in 1 samples")


@pytest.mark.parametrize(("current", "faults"), [(2.0, 0), (1.999998, 0), (1.99, 1), (4 / 3, 0), (1.3, 1)])
def test_a_rate_may_differ_only_where_the_membrane_is_at_the_threshold_in_some_step(current, faults):
    # tau=2, threshold=1, a constant current x: the first membranes are x/2 and 3x/4, so that 2 fires at once and 4/3 in the second step
    inputs = keras.Input((1,))
    model = keras.Model(inputs, RateActivation(LIF(), 3, name="rates")(inputs))
    differs = {"rates": np.array([False, True, False]).reshape(1, 3, 1)}
    found = unexplained(model, np.array([[current]], "float32"), differs, rounding=1e-5)
    assert len(found) == faults
    assert all("layer rates: 1 of its 3 spikes" in fault for fault in found)


def test_a_rate_of_k_steps_is_k_spikes():
    rates = np.array([[0.0, 1 / 3, 2 / 3 + 1e-6, 1.0]], "float32")
    assert thermometer(rates, 3)[0].tolist() == [[False, True, True, True], [False, False, True, True], [False, False, False, True]]
