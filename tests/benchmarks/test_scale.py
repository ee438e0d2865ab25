import pytest

import keras_snnkd as kd
from benchmarks import scale


def test_a_ring_sends_almost_twice_the_tensor():
    assert scale.sent(100, 1) == 0
    assert scale.sent(100, 2) == 100
    assert scale.sent(100, 4) == 150
    assert scale.seconds(100, 4, bandwidth=10, latency=0.5) == pytest.approx(150 / 10 + 6 * 0.5)


def test_a_network_is_counted_and_a_step_added_up():
    network = scale.Network.of(kd.models.MLP((2, 2, 1), 3, widths=(5,), timesteps=2))
    assert network == scale.Network(parameters=4 * 5 + 2 * 5 + 5 * 3 + 3, channels=(5,), macs=4 * 5 + 2 * 5 * 3)
    parts = scale.step(network, workers=2, batch=8, macs=100.0, bandwidth=16.0, latency=1.0)
    assert parts == pytest.approx({"compute": 3 * 8 * 50 / 100, "gradients": 4 * 48 / 16 + 2, "batch norm": 2 * (8 * 5 / 16 + 2)})


def test_the_tables_are_printed(capsys):
    scale.main(["--model", "mlp:4", "--workers", "2", "--gigabits", "1"])
    out = capsys.readouterr().out
    assert "mlp:4, 32x32x3, T = 4: " in out
    assert out.count("| 1 Gbit/s |") == 2
