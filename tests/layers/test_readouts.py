"""From T steps to one vector of logits."""

import keras
import numpy as np
import pytest

from keras_snnkd import layers, neurons
from keras_snnkd.errors import ShapeError
from keras_snnkd.layers import LastStep, MeanOverTime, SpikeCount
from keras_snnkd.neurons import LeakyIntegrator
from keras_snnkd.neurons.dynamics import export_form

STEPS = np.array([[[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]], "float32")
every_readout = pytest.mark.parametrize(
    ("readout", "expected"), [(MeanOverTime, [0.5, 0.5]), (SpikeCount, [2.0, 2.0]), (LastStep, [0.0, 1.0])]
)


@every_readout
def test_by_hand(readout, expected):
    np.testing.assert_array_equal(readout()(STEPS), [expected])


@every_readout
def test_the_symbolic_shape_has_no_time(readout, expected):
    assert readout()(keras.Input((4, 2))).shape == (None, 2)
    assert readout()(keras.Input((None, 2))).shape == (None, 2)


@every_readout
@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", "bfloat16"])
def test_logits_are_float32_under_any_policy(readout, expected, dtype):
    keras.config.set_dtype_policy("mixed_bfloat16")
    logits = readout(dtype=dtype)(keras.ops.cast(STEPS, "bfloat16"))
    assert keras.backend.standardize_dtype(logits.dtype) == readout()(keras.Input((4, 2))).dtype == "float32"
    np.testing.assert_array_equal(logits, [expected])


@every_readout
def test_logits_that_have_no_time_are_refused(readout, expected):
    with pytest.raises(ShapeError, match=r"out: a readout takes \[B, T, C\], got shape \(4, 10\)"):
        readout(name="out")(np.ones((4, 10), "float32"))


def test_the_last_step_of_a_leaky_integrator_is_its_membrane_potential():
    # tau=2: v <- v + (x - v) / 2      first neuron  1/2, 1/4, 5/8, 5/16       second  0, 0, 1/2, 3/4
    np.testing.assert_array_equal(LastStep()(LeakyIntegrator(tau=2.0)(STEPS)), [[0.3125, 0.75]])


def test_a_mean_of_integers_is_a_product_with_the_same_values():
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    with export_form("where"):
        found = MeanOverTime()(x)
    np.testing.assert_allclose(found, x.mean(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("readout", [layers.MeanOverTime, layers.SpikeCount, layers.LastStep, layers.SoftmaxSum])
def test_a_mask_of_another_length_is_refused(readout):
    with pytest.raises(ShapeError, match=r"must be \[B, 4\], got shape \[2, 3\]"):
        readout()(np.ones((2, 4, 5), "float32"), mask=np.ones((2, 3), bool))
    with pytest.raises(ShapeError, match=r"must be \[B, 4\]"):
        neurons.LIF()(np.ones((2, 4, 5), "float32"), mask=np.ones((2, 5), bool))
