"""Encoders: whatever image comes in, what goes out is what the encoding says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_snnkd.layers import Direct, Latency, Poisson
from tests.properties.values import NUMBERS, tensors

T = st.integers(1, 9)
IMAGES = tensors(2, 3, 2)
TINY = np.finfo("float32").tiny
"""Numbers below it are 0 to TensorFlow."""


@given(images=IMAGES, timesteps=T)
def test_direct_repeats_bit_for_bit(images, timesteps):
    repeated = np.asarray(Direct(timesteps)(images))
    assert repeated.shape == (2, timesteps, 3, 2)
    assert all(repeated[:, step].tobytes() == images.tobytes() for step in range(timesteps))


@given(images=IMAGES, timesteps=T)
def test_latency_spikes_once_if_the_input_is_above_0(images, timesteps):
    spikes = np.asarray(Latency(timesteps)(images))
    assert np.all((spikes == 0) | (spikes == 1))
    np.testing.assert_array_equal(spikes.sum(axis=1), images >= TINY)
    strong = spikes[:, 0] == 1
    assert np.all(strong[images >= 1])


@given(images=IMAGES, timesteps=T, seed=st.integers(0, 2**31 - 1))
def test_poisson_never_spikes_at_0_and_always_at_1(images, timesteps, seed):
    spikes = np.asarray(Poisson(timesteps, seed=seed)(images)).transpose(0, 2, 3, 1)
    assert np.all((spikes == 0) | (spikes == 1))
    assert not np.any(spikes[~(images > 0)])
    assert np.all(spikes[images >= 1])


@given(timesteps=NUMBERS)
def test_t_is_a_whole_number_above_0_or_is_refused(timesteps):
    for encoder in (Direct, Latency, Poisson):
        if type(timesteps) is int and timesteps > 0:
            assert encoder(timesteps).timesteps == timesteps
        else:
            with pytest.raises(ValueError, match="time steps T must be a whole number above 0"):
                encoder(timesteps)
