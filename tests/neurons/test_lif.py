import numpy as np
import pytest

from keras_snnkd import surrogates
from keras_snnkd.neurons import LIF, LIFCell
from tests.harness import run_neuron_test


def run(layer, *currents):
    return np.ravel(layer(np.array(currents, "float32").reshape(1, -1, 1))).tolist()


def test_golden_trace_of_a_hard_reset():
    # tau=2, threshold=1: h = v + (x - v) / 2
    # x        1.0   2.0    0.5    2.0    0.0
    # h        0.5   1.25   0.25   1.125  0.0
    # spike    0     1      0      1      0
    assert run(LIF(tau=2.0), 1.0, 2.0, 0.5, 2.0, 0.0) == [0, 1, 0, 1, 0]


def test_golden_trace_of_a_soft_reset():
    # x        1.0   2.5   1.0    3.0     0.0
    # h        0.5   1.5   0.75   1.875   0.4375
    # v        0.5   0.5   0.75   0.875   0.4375
    spikes, v = LIF(tau=2.0, reset="soft", return_state=True)(np.array([1.0, 2.5, 1.0, 3.0, 0.0], "float32").reshape(1, 5, 1))
    np.testing.assert_array_equal(np.ravel(spikes), [0, 1, 0, 1, 0])
    assert v.numpy().item() == 0.4375


def test_golden_trace_of_a_whole_current():
    # tau=4, decay_input=False: h = 0.75 v + x
    # x        0.5   0.5    0.5      0.5
    # h        0.5   0.875  1.15625  0.5
    assert run(LIF(tau=4.0, decay_input=False), 0.5, 0.5, 0.5, 0.5) == [0, 0, 1, 0]


def test_a_hard_reset_and_the_leak_go_to_v_reset():
    # v_reset=-1, tau=2: h = v + (x - (v + 1)) / 2, from -1
    # x        4.0   0.0   0.0
    # h        1.0  -1.0  -1.0
    spikes, v = LIF(v_reset=-1.0, return_state=True)(np.array([4.0, 0.0, 0.0], "float32").reshape(1, 3, 1))
    np.testing.assert_array_equal(np.ravel(spikes), [1, 0, 0])
    assert v.numpy().item() == -1.0


@pytest.mark.parametrize("arguments", [{"tau": 3.0, "reset": "soft", "threshold": 0.5}, {"v_reset": -0.5, "detach_reset": False}])
def test_cell_and_layer_survive_saving(arguments):
    run_neuron_test(LIF, LIFCell, arguments)


@pytest.mark.parametrize(("cls", "units"), [(LIF, ()), (LIFCell, (3,))])
def test_the_config_keeps_the_surrogate(cls, units):
    config = cls(*units, surrogate=surrogates.Triangle(0.7)).get_config()
    assert surrogates.get(config["surrogate"]) == surrogates.Triangle(0.7)
    assert cls.from_config(config).get_config() == config


def test_a_soft_reset_takes_no_v_reset():
    with pytest.raises(ValueError, match=r"soft reset subtracts the threshold and takes no v_reset, got v_reset=0.5"):
        LIF(reset="soft", v_reset=0.5)
