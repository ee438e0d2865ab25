import keras
import numpy as np

from keras_snnkd import neurons
from keras_snnkd.models.calibration import calibrate


def one_layer(neuron):
    inputs = keras.Input((4, 3))
    return keras.Model(inputs, neuron(inputs))


def test_ranges_are_the_extremes_with_0():
    images = np.linspace(0.5, 2.0, 24, dtype="float32").reshape(2, 4, 3)
    seen = calibrate(one_layer(neurons.LIF(name="neuron")), images)
    assert seen.ranges["neuron"] == (0.0, 1.0)
    assert next(iter(seen.ranges.values())) == (0.0, 2.0)


def test_the_range_of_membranes_is_as_small_as_their_inhibition_allows():
    draw = np.random.default_rng(0)
    gentle = draw.uniform(-0.2, 1.0, (200, 4, 3)).astype("float32")
    harsh = gentle.copy()
    harsh[:, 0] = -6.0  # a soft reset keeps what is far below rest for the steps that follow
    harsh[:, 1:] *= 9
    model = one_layer(neurons.LIF(tau=8.0, decay_input=False, name="neuron"))
    assert calibrate(model, gentle).exponents["neuron"] == 1
    assert calibrate(model, harsh).exponents["neuron"] == 3


def test_an_integrator_gets_the_smallest_range_that_holds_it():
    images = np.full((1, 4, 3), 10.0, "float32")
    seen = calibrate(one_layer(neurons.LeakyIntegrator(tau=2.0, name="membrane")), images)  # 5, 7.5, 8.75, 9.375
    assert seen.exponents["membrane"] == 4
