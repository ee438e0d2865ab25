"""Facts about every neuron: shapes, errors, training."""

import keras
import numpy as np
import pytest

from keras_snnkd import neurons
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.sampling import sampled

WITH_PARAMETERS = [neurons.AdLIF, neurons.RLIF, neurons.RadLIF]
FIRING = [neurons.LIF, neurons.IF, neurons.PLIF, neurons.ALIF, *WITH_PARAMETERS]
LAYERS = [*FIRING, neurons.LeakyIntegrator]
LEAKY = [neurons.LIF, neurons.PLIF, neurons.ALIF, neurons.LeakyIntegrator]
CELLS = [
    neurons.LIFCell,
    neurons.IFCell,
    neurons.PLIFCell,
    neurons.ALIFCell,
    neurons.AdLIFCell,
    neurons.RLIFCell,
    neurons.RadLIFCell,
    neurons.LeakyIntegratorCell,
]


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer not in WITH_PARAMETERS])
def test_every_pixel_is_a_neuron_of_its_own(layer):
    frames = np.random.default_rng(0).normal(0.5, 2.0, (2, 4, 3, 5, 2)).astype("float32")
    outputs = np.array(layer()(frames))
    assert outputs.shape == frames.shape
    np.testing.assert_array_equal(outputs.reshape(2, 4, 30), layer()(frames.reshape(2, 4, 30)))


@pytest.mark.parametrize("layer", LAYERS)
def test_the_symbolic_state_has_the_shape_of_the_real_one(layer):
    neuron = layer(return_state=True)
    symbolic = neuron(keras.Input((4, 8, 8, 3)))
    real = neuron(np.zeros((2, 4, 8, 8, 3), "float32"))
    assert [s.shape[1:] for s in symbolic] == [tuple(r.shape[1:]) for r in real]
    assert len(real) == 1 + neuron.dynamics.state_size


@pytest.mark.parametrize("layer", FIRING)
def test_get_knows_the_name(layer):
    assert neurons.get(layer.__name__.lower()) is layer
    assert layer.__name__.lower() in neurons.names()


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown neuron 'plf'\. Did you mean '.*lif'\?"):
        neurons.get("plf")


@pytest.mark.parametrize("shape", [(2, 8), (2, 0, 8)])
@pytest.mark.parametrize("layer", LAYERS)
def test_currents_without_time_are_refused(layer, shape):
    with pytest.raises(ShapeError, match=r"\[B, T, ...\] with at least one time step, got shape .*Direct\(timesteps=4\)"):
        layer()(np.zeros(shape, "float32"))


@pytest.mark.parametrize("tau", [1.0, 0.5, -2.0, float("nan"), float("inf"), "2", None, True])
@pytest.mark.parametrize("layer", LEAKY)
def test_a_time_constant_of_one_step_or_less_is_refused(layer, tau):
    with pytest.raises(ValueError, match=r"tau must be (greater than 1 ms|a finite number)"):
        layer(tau=tau)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), None])
@pytest.mark.parametrize("layer", FIRING)
def test_a_threshold_of_zero_or_less_is_refused(layer, threshold):
    with pytest.raises(ValueError, match="threshold must be"):
        layer(threshold=threshold)


@pytest.mark.parametrize("layer", [layer for layer in FIRING if layer not in WITH_PARAMETERS])
def test_a_v_reset_above_the_threshold_is_refused(layer):
    with pytest.raises(ValueError, match=r"threshold must be greater than 0 and than v_reset=2.0, got 1.0"):
        layer(v_reset=2.0)


@pytest.mark.parametrize("layer", FIRING)
def test_an_unknown_reset_or_surrogate_is_refused(layer):
    with pytest.raises(ValueError, match=r"unknown reset 'zero'\. Known: hard, soft"):
        layer(reset="zero")
    with pytest.raises(UnknownNameError, match=r"unknown surrogate 'atam'\. Did you mean 'atan'"):
        layer(surrogate="atam")


@pytest.mark.parametrize("units", [0, -1, 2.0, True, None])
@pytest.mark.parametrize("cell", CELLS)
def test_a_number_of_units_that_is_not_a_count_is_refused(cell, units):
    with pytest.raises(ValueError, match="units must be a whole number above 0, got"):
        cell(units)


@pytest.mark.parametrize("cell", CELLS)
def test_currents_of_another_width_than_the_cell_are_refused(cell):
    with pytest.raises(ShapeError, match=r"8 neurons take currents \[B, 8\], got shape \(2, 7\)"):
        keras.layers.RNN(cell(8))(np.zeros((2, 4, 7), "float32"))


@pytest.mark.slow
@pytest.mark.parametrize("layer", sampled(LAYERS, neurons.LIF, neurons.RadLIF))
def test_trains_compiled_as_a_whole(layer):
    model = keras.Sequential([keras.Input((4, 6)), keras.layers.Dense(5), layer(), keras.layers.GlobalAveragePooling1D()])
    model.compile("sgd", "mse", jit_compile=True)
    before = model.get_weights()
    x = np.random.default_rng(0).normal(0.0, 12.0, (8, 4, 6)).astype("float32")
    model.fit(x, np.ones((8, 5)), epochs=1, batch_size=8, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(w).all() for w in after)
    assert all((old != new).any() for old, new in zip(before, after, strict=True))


@pytest.mark.every(4)
@pytest.mark.parametrize("layer", LAYERS)
def test_batch_size_and_number_of_steps_may_be_unknown(layer):
    frames = keras.Input((None, 6))
    neuron = layer()
    model = keras.Model(frames, neuron(frames))
    x = np.random.default_rng(0).normal(0.5, 2.0, (3, 5, 6)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), neuron(x), rtol=1e-6)
