import numpy as np
import pytest

from keras_snnkd.neurons import IF, IFCell
from tests.harness import run_neuron_test


@pytest.mark.parametrize(("reset", "spikes", "potential"), [("hard", [0, 1, 0, 1, 0], 0.75), ("soft", [0, 1, 1, 1, 0], 0.75)])
def test_golden_trace(reset, spikes, potential):
    # x        0.75  0.75  0.75  0.75  0.75
    # h hard   0.75  1.5   0.75  1.5   0.75
    # h soft   0.75  1.5   1.25  1.0   0.75
    got, v = IF(reset=reset, return_state=True)(np.full((1, 5, 1), 0.75, "float32"))
    np.testing.assert_array_equal(np.ravel(got), spikes)
    assert v.numpy().item() == potential


@pytest.mark.parametrize("arguments", [{"reset": "soft", "threshold": 2.0}, {"v_reset": -0.5, "detach_reset": False}])
def test_cell_and_layer_survive_saving(arguments):
    run_neuron_test(IF, IFCell, arguments)
