"""Learning rates as they are written down, and optimizers that do what their names say."""

import keras
import numpy as np
import pytest

from keras_snnkd.errors import UnknownNameError
from keras_snnkd.training import optimizers


def rates(name, peak, steps):
    schedule = optimizers.schedule(name, peak, steps)
    return [float(schedule(step)) for step in range(steps + 1)]


def test_cosine_falls_from_the_first_step_on():
    assert rates("cosine", 0.4, 4) == pytest.approx([0.4, 0.2 * (1 + 0.5**0.5), 0.2, 0.2 * (1 - 0.5**0.5), 0])


def test_warmup_cosine_rises_from_0_in_a_twentieth_of_the_steps():
    found = rates("warmup_cosine", 0.4, 40)
    assert found[:3] == pytest.approx([0, 0.2, 0.4])
    assert found[2 + 19] == pytest.approx(0.2)  # half of the 38 steps that are left
    assert found[-1] == pytest.approx(0, abs=1e-8)


def test_one_cycle_rises_from_a_25th_in_three_tenths_of_the_steps():
    found = rates("one_cycle", 0.5, 20)
    assert found[0] == pytest.approx(0.02)
    assert found[3] == pytest.approx(0.26)  # halfway up
    assert found[6] == pytest.approx(0.5)
    assert found[13] == pytest.approx(0.25)  # halfway down
    assert found[-1] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("name", optimizers.SCHEDULES)
def test_a_training_of_one_step_has_a_rate(name):
    assert rates(name, 0.1, 1)[0] > 0


def test_sgd_has_nesterovs_momentum():
    weight = keras.Variable(np.zeros(1, "float32"))
    sgd = optimizers.optimizer("sgd", 0.1)
    for _ in range(2):
        sgd.apply([keras.ops.ones(1)], [weight])
    velocities = [-0.1, 0.9 * -0.1 - 0.1]
    np.testing.assert_allclose(weight.numpy(), [sum(0.9 * velocity - 0.1 for velocity in velocities)], rtol=1e-6)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_weight_decay_takes_off_a_share_of_each_weight(name):
    weight = keras.Variable(np.full(1, 2.0, "float32"))
    optimizers.optimizer(name, 0.1, weight_decay=0.5).apply([keras.ops.zeros(1)], [weight])
    np.testing.assert_allclose(weight.numpy(), [2 - 0.1 * 0.5 * 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "message"), [(("sdg", "cosine"), "optimizer 'sdg'.*sgd"), (("sgd", "onecycle"), "schedule .* 'onecycle'.*one_cycle")]
)
def test_unknown_names_are_told_with_the_nearest(names, message):
    with pytest.raises(UnknownNameError, match=message):
        optimizers.check(*names)
