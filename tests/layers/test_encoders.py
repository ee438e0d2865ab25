"""From a static image to a sequence: what each encoder makes of it."""

import keras
import numpy as np
import pytest

from keras_snnkd.layers import Direct, Latency, Poisson

ENCODERS = [Direct, Poisson, Latency]
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


@every_encoder
@pytest.mark.parametrize("timesteps", [0, -1, 2.0, True, "4", None])
def test_a_number_of_time_steps_that_is_none_is_refused(encoder, timesteps):
    with pytest.raises(ValueError, match=f"time steps T must be a whole number above 0, got {timesteps!r}"):
        encoder(timesteps)


@every_encoder
@pytest.mark.parametrize("shape", [(5,), (6, 6, 2)], ids=str)
@pytest.mark.parametrize(("policy", "dtype"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_time_becomes_axis_1(encoder, shape, policy, dtype):
    layer = encoder(4, dtype=policy)
    symbolic, real = layer(keras.Input(shape)), layer(np.full((2, *shape), 0.5, "float32"))
    assert symbolic.shape == (None, 4, *shape)
    assert real.shape == (2, 4, *shape)
    assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype) == dtype


def test_direct_repeats_the_input():
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype("float32")
    np.testing.assert_array_equal(Direct(3)(images), np.repeat(images[:, None], 3, axis=1))


def test_poisson_spikes_at_the_rate_of_the_intensity_clipped_to_0_and_1():
    intensities = np.array([[-0.5, 0.0, 0.1, 0.5, 0.9, 1.0, 1.5]], "float32")
    spikes = np.asarray(Poisson(timesteps=4000)(intensities))
    assert set(np.unique(spikes)) == {0.0, 1.0}
    rates = spikes.mean(axis=(0, 1))
    np.testing.assert_array_equal(rates[[0, 1, 5, 6]], [0, 0, 1, 1])
    np.testing.assert_allclose(rates[2:5], [0.1, 0.5, 0.9], atol=0.03)  # four standard deviations


def test_poisson_is_independent_from_step_to_step_and_from_input_to_input():
    spikes = np.asarray(Poisson(timesteps=2000)(np.full((1, 2), 0.5, "float32")))[0]
    assert abs(np.corrcoef(spikes[:-1, 0], spikes[1:, 0])[0, 1]) < 0.1
    assert abs(np.corrcoef(spikes[:, 0], spikes[:, 1])[0, 1]) < 0.1


def test_poisson_repeats_itself_by_its_seed_and_not_from_batch_to_batch():
    images = np.full((2, 8, 8, 1), 0.5, "float32")
    first, second, other = Poisson(4, seed=3), Poisson(4, seed=3), Poisson(4, seed=4)
    spikes = [np.asarray(first(images)) for _ in range(3)]
    for expected in spikes:
        np.testing.assert_array_equal(second(images), expected)
    assert np.any(spikes[0] != spikes[1])
    assert np.any(spikes[0] != other(images))


def test_a_saved_poisson_encoder_starts_again_at_its_seed(tmp_path):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, Poisson(4, seed=5)(image))
    x = np.full((2, 4, 4, 1), 0.5, "float32")
    first, second = np.asarray(model(x)), np.asarray(model(x))
    model.save(tmp_path / "poisson.keras")
    loaded = keras.models.load_model(tmp_path / "poisson.keras")
    np.testing.assert_array_equal(loaded(x), first)
    np.testing.assert_array_equal(loaded(x), second)


@pytest.mark.parametrize(
    ("timesteps", "intensity", "moment"),
    [
        *[(5, x, t) for x, t in [(1.0, 0), (0.75, 1), (0.5, 2), (0.25, 3), (0.01, 4)]],
        *[(3, x, t) for x, t in [(0.76, 0), (0.74, 1), (0.26, 1), (0.24, 2)]],
        *[(3, x, t) for x, t in [(1.5, 0), (0.0, None), (-0.5, None)]],
        *[(1, x, t) for x, t in [(1.0, 0), (0.1, 0), (0.0, None)]],
    ],
)
def test_latency_fires_once_and_earlier_for_stronger_inputs(timesteps, intensity, moment):
    expected = [float(t == moment) for t in range(timesteps)]
    np.testing.assert_array_equal(Latency(timesteps)(np.array([[intensity]], "float32"))[0, :, 0], expected)
