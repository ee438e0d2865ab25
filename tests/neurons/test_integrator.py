import numpy as np
import pytest

from keras_snnkd.neurons import LeakyIntegrator, LeakyIntegratorCell
from tests.harness import run_neuron_test


@pytest.mark.parametrize(("decay_input", "potential"), [(True, [1.0, 1.5, 1.75, 0.875]), (False, [2.0, 3.0, 3.5, 1.75])])
def test_golden_trace(decay_input, potential):
    currents = np.array([2.0, 2.0, 2.0, 0.0], "float32").reshape(1, 4, 1)
    np.testing.assert_array_equal(np.ravel(LeakyIntegrator(tau=2.0, decay_input=decay_input)(currents)), potential)


@pytest.mark.parametrize("arguments", [{"tau": 3.0}, {"decay_input": False}])
def test_cell_and_layer_survive_saving(arguments):
    run_neuron_test(LeakyIntegrator, LeakyIntegratorCell, arguments)
