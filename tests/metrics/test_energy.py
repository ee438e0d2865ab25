import json

import pytest

from keras_snnkd import metrics
from keras_snnkd.errors import UnknownNameError
from keras_snnkd.metrics import Operations


def counted(dense, macs, acs):
    return Operations(dense, macs, acs, {})


def test_energy_is_operations_times_the_constants_of_the_literature():
    found = metrics.energy(counted(dense=4000, macs=100, acs=1000), twin_dense=1000)
    assert found.effective == pytest.approx((4.6 * 100 + 0.9 * 1000) / 1000)
    assert found.dense == pytest.approx(4.6 * 4000 / 1000)
    assert found.twin_dense == pytest.approx(4.6)
    assert found.twin_effective is None
    assert found.saving == pytest.approx(4.6 / 1.36)


def test_the_twin_is_taken_where_it_skips_zeros_too_and_may_win():
    found = metrics.energy(counted(4000, 100, 3000), twin_dense=1000, twin=counted(1000, 500, 0))
    assert found.twin_effective == pytest.approx(2.3)
    assert found.saving == pytest.approx(2.3 / 3.16)
    assert found.saving < 1


def test_integers_cost_less_and_the_saving_is_another():
    float32, int8 = (metrics.energy(counted(4000, 0, 1000), 1000, arithmetic=kind) for kind in ("float32", "int8"))
    assert (float32.effective, int8.effective) == (pytest.approx(0.9), pytest.approx(0.1))
    assert (float32.saving, int8.saving) == (pytest.approx(4.6 / 0.9), pytest.approx(3.0))


def test_a_silent_network_needs_nothing():
    assert metrics.energy(counted(4000, 0, 0), 1000).saving == float("inf")


def test_the_estimate_tells_its_constants_their_source_and_what_it_leaves_out():
    told = json.loads(json.dumps(metrics.energy(counted(1, 1, 0), 1).to_dict()))
    assert (told["constants_pj"]["mac"], told["constants_pj"]["ac"]) == (4.6, 0.9)
    assert "Horowitz" in told["constants_pj"]["source"]
    assert "ISSCC 2014" in told["constants_pj"]["source"]
    assert told["not_counted"].startswith("memory access")


def test_unknown_arithmetic_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown arithmetic 'int4'. Did you mean 'int8'"):
        metrics.energy(counted(1, 1, 0), 1, arithmetic="int4")
