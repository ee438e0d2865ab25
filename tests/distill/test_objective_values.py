"""The values of the general objectives, worked out by hand."""

import math

import numpy as np
import pytest

from keras_snnkd.distill.objectives import FeatureMap, FiringRate, SoftTargets, SpikeTrain
from tests.distill.objective_cases import RANDOM, array, normal

TEACHER, STUDENT = array(1, 0, 1, 1, shape=(1, 4, 1)), array(0, 1, 1, 0, shape=(1, 4, 1))


@pytest.mark.parametrize(
    ("arguments", "teacher", "student", "loss"),
    [
        ({"window": 1}, TEACHER, STUDENT, 3 / 4),
        ({"window": 2}, TEACHER, STUDENT, (0 + 0.25) / 2),
        ({"window": 2, "stride": 1}, TEACHER, STUDENT, (0 + 0.25 + 0.25) / 3),
        ({"window": 3}, TEACHER, STUDENT, 0),  # the fourth step fills no window
        ({"window": 4}, TEACHER, STUDENT, (3 / 4 - 2 / 4) ** 2),
        ({}, TEACHER, STUDENT, (3 / 4 - 2 / 4) ** 2),
        # decay 1/2: teacher 1, 0.5, 1.25, 1.625; student 0, 1, 1.5, 0.75
        ({"filter_tau": 1 / math.log(2)}, TEACHER, STUDENT, (1 + 0.25 + 0.0625 + 0.875**2) / 4),
        # a teacher with twice the steps: rates 0.5, 1 against 0, 1
        ({"window": 1}, TEACHER, array(0, 1, shape=(1, 2, 1)), 0.25 / 2),
        ({"window": 2}, TEACHER, array(0, 1, shape=(1, 2, 1)), (3 / 4 - 1 / 2) ** 2),
    ],
)
def test_spike_train_by_hand(arguments, teacher, student, loss):
    value = float(SpikeTrain(**arguments).compute_loss(teacher, student))
    assert value == pytest.approx(loss, abs=1e-6)


def test_spike_train_compares_maps_pixel_by_pixel_over_windows():
    teacher, student = (RANDOM.integers(0, 2, (2, 4, 2, 2, 3)).astype("float32") for _ in range(2))
    difference = (teacher - student).reshape(2, 2, 2, 2, 2, 3).mean(axis=2)
    np.testing.assert_allclose(SpikeTrain(window=2).compute_loss(teacher, student), np.mean(difference**2), rtol=1e-6)


SPIKES = array(1, 0, 1, 1, shape=(1, 2, 2))  # rates 1 and 0.5


@pytest.mark.parametrize(
    ("per", "teacher", "loss"),
    [
        ("channel", array(1, 1, 0, 0, shape=(1, 2, 2)), (0.5**2 + 0) / 2),
        ("layer", array(1, 1, 0, 0, shape=(1, 2, 2)), 0.25**2),
        ("channel", array(1, 0, shape=(1, 1, 2)), (0 + 0.5**2) / 2),  # another T
        ("channel", array(0.25, 0.5), (0.75**2 + 0) / 2),  # an ANN
        ("layer", array(0.25, 0.5), 0.375**2),
        ("layer", array(1, 1, 0), (0.75 - 2 / 3) ** 2),  # another width
        ("channel", array(1, 0, 0, 1, 1, 1, 0, 0, shape=(1, 1, 2, 2, 2)), (0.5**2 + 0) / 2),  # maps: rates 0.5, 0.5
    ],
)
def test_firing_rate_by_hand(per, teacher, loss):
    assert float(FiringRate(per=per).compute_loss(teacher, SPIKES)) == pytest.approx(loss, abs=1e-6)


def test_firing_rate_of_maps_is_their_mean_over_time_and_space():
    maps = RANDOM.integers(0, 2, (2, 4, 3, 3, 5)).astype("float32")
    rates = normal(2, 5)
    expected = np.mean((maps.mean(axis=(1, 2, 3)) - rates) ** 2)
    np.testing.assert_allclose(FiringRate().compute_loss(rates, maps), expected, rtol=1e-6)


def test_feature_map_averages_a_student_map_of_twice_the_size():
    student = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)  # means of the 2x2 blocks: 2.5, 4.5, 10.5, 12.5
    teacher = array(2.5, 4.5, 10.5, 10.5, shape=(1, 2, 2, 1))
    assert float(FeatureMap().compute_loss(teacher, student)) == pytest.approx(2**2 / 4)
    assert float(FeatureMap(reduction="sum").compute_loss(teacher, student)) == pytest.approx(2**2)


def test_feature_map_averages_over_time():
    teacher = array(0.5, 0.5)
    assert float(FeatureMap().compute_loss(teacher, SPIKES)) == pytest.approx((0.5**2 + 0) / 2)


def divergence(p, q):
    return float(np.sum(p * (np.log(p) - np.log(q))))


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


def test_soft_targets_with_a_temperature_for_each():
    # p = (1/4, 3/4) at temperature 2, q = (1/2, 1/2)
    value = SoftTargets(temperature=2.0, student_temperature=3.0).compute_loss(array(0, 2 * math.log(3)), array(0, 0))
    assert float(value) == pytest.approx(6 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)), rel=1e-5)
    # q = (1/9, 8/9) only if the student's temperature is its own
    value = SoftTargets(temperature=2.0, student_temperature=1.0).compute_loss(array(0, 0), array(0, 3 * math.log(2)))
    assert float(value) == pytest.approx(2 * divergence(np.array([0.5, 0.5]), np.array([1 / 9, 8 / 9])), rel=1e-5)


@pytest.mark.parametrize("teacher_shape", [(1, 3), (1, 2, 3), (1, 5, 3)], ids=["no time", "same T", "other T"])
def test_soft_targets_per_step(teacher_shape):
    teacher, student = normal(*teacher_shape), normal(1, 2, 3)
    of_step = teacher[0] if teacher_shape == (1, 2, 3) else np.stack([teacher.reshape(-1, 3).mean(axis=0)] * 2)
    expected = np.mean([divergence(softmax(of_step[t] / 2), softmax(student[0, t] / 2)) for t in range(2)]) * 4
    value = SoftTargets(temperature=2.0, time="per_step").compute_loss(teacher, student)
    assert float(value) == pytest.approx(expected, rel=1e-4)
