import math

import numpy as np
import pytest

from keras_snnkd.neurons import ALIF, LIF, ALIFCell
from tests.harness import run_neuron_test


@pytest.mark.parametrize(("reset", "potential"), [("hard", 1.5), ("soft", 1.9375)])
def test_golden_trace(reset, potential):
    # tau=2, adaptation=1, x=3, the adaptation halves with each step: h = (v + 3) / 2, theta = 1 + a
    # theta    1     2      1.5    2.25
    # h hard   1.5   1.5    2.25   1.5
    # h soft   1.5   1.75   2.375  1.9375
    # spike    1     0      1      0
    # a        1     0.5    1.25   0.625
    layer = ALIF(tau=2.0, adaptation=1.0, tau_adaptation=1 / math.log(2), reset=reset, return_state=True)
    spikes, v, a = layer(np.full((1, 4, 1), 3.0, "float32"))
    np.testing.assert_array_equal(np.ravel(spikes), [1, 0, 1, 0])
    np.testing.assert_allclose(np.ravel(v), potential, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(a), 0.625, rtol=1e-6)


def test_spikes_less_than_a_lif():
    x = np.random.default_rng(0).normal(1.0, 2.0, (4, 20, 5)).astype("float32")
    assert 0 < np.mean(ALIF(adaptation=1.0)(x)) < np.mean(LIF()(x))


@pytest.mark.parametrize("arguments", [{"tau": 3.0, "reset": "soft", "adaptation": 0.5}, {"tau_adaptation": 5.0, "v_reset": -0.5}])
def test_cell_and_layer_survive_saving(arguments):
    run_neuron_test(ALIF, ALIFCell, arguments)


def test_no_adaptation_is_refused():
    with pytest.raises(ValueError, match="adaptation must be greater than 0, got 0; use LIF for none"):
        ALIF(adaptation=0)
