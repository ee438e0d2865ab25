"""Objectives: finite values and gradients for any finite outputs, NaN where there is NaN, and other shapes refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_snnkd.distill import objectives
from keras_snnkd.errors import ShapeError
from tests.harness import gradients
from tests.properties.values import FINITE, NUMBERS, tensors

LOGITS = ["soft_targets", "noisy_soft_targets"]

TRAINS = ["spike_train", "firing_rate"]


def built(name, teacher, student, **more):
    objective = objectives.get({"objective": name, **more})
    objective.build(teacher.shape, student.shape)
    return objective


@pytest.mark.parametrize("name", LOGITS)
@given(student=tensors(3, 4, elements=FINITE), teacher=tensors(3, 4, elements=FINITE), temperature=st.sampled_from([0.5, 1.0, 4.0, 100.0]))
def test_finite_logits_give_a_finite_loss_and_gradient(name, student, teacher, temperature):
    objective = built(name, teacher, student, **({"temperature": temperature} if name == "soft_targets" else {}))
    loss, (gradient,) = gradients(lambda s: objective.losses(teacher, s), student)
    assert loss.shape == (3,)
    assert np.all(np.isfinite(loss))
    assert np.all(loss >= -1e-5 * (1 + np.abs(teacher).max()))
    assert np.all(np.isfinite(gradient))


@given(logits=tensors(3, 4, elements=FINITE))
def test_a_student_that_says_what_its_teacher_says_loses_nothing(logits):
    np.testing.assert_allclose(built("soft_targets", logits, logits).losses(logits, logits), 0, atol=1e-3)


@pytest.mark.parametrize("name", TRAINS)
@given(data=st.data(), timesteps=st.integers(1, 6))
def test_equal_spike_trains_lose_nothing_and_others_do(name, data, timesteps):
    spikes = data.draw(tensors(2, timesteps, 5, elements=st.sampled_from([0.0, 1.0])))
    more = {"window": data.draw(st.integers(1, timesteps))} if name == "spike_train" else {}
    objective = built(name, spikes, spikes, **more)
    np.testing.assert_array_equal(objective.losses(spikes, spikes), 0)
    assert np.all(np.asarray(objective.losses(spikes, 1 - spikes))[np.any(spikes.mean(axis=1) != 0.5, axis=1)] > 0)


@pytest.mark.parametrize("name", [*LOGITS, *TRAINS])
@given(place=st.integers(0, 2), broken=st.sampled_from([math.nan, math.inf]))
def test_a_teacher_that_is_no_number_is_no_finite_loss(name, place, broken):
    """Training stops at it; a loss that swallowed it would go on with nonsense."""
    teacher = np.zeros((3, 4) if name in LOGITS else (3, 2, 4), "float32")
    student = np.zeros_like(teacher)
    teacher[place] = broken
    loss = np.asarray(built(name, teacher, student).losses(teacher, student))
    assert not np.isfinite(loss[place])
    assert np.all(np.isfinite(np.delete(loss, place)))


@pytest.mark.parametrize("name", LOGITS)
@given(classes=st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda pair: pair[0] != pair[1]))
def test_other_numbers_of_classes_are_refused(name, classes):
    with pytest.raises(ShapeError, match=rf"{classes[0]}.*{classes[1]}|{classes[1]}.*{classes[0]}"):
        built(name, *(np.zeros((2, number)) for number in classes))


@given(value=NUMBERS)
@pytest.mark.parametrize("argument", ["weight", "temperature"])
def test_a_setting_is_a_finite_number_or_is_refused(argument, value):
    try:
        objective = objectives.get({"objective": "soft_targets", argument: value})
    except ValueError as error:
        objective, told = None, str(error)
    if objective is None:
        assert argument in told or "schedule" in told
        return
    assert math.isfinite(getattr(objective, argument))
    loss = np.asarray(objective.losses(np.eye(3, dtype="float32"), np.zeros((3, 3), "float32")))
    assert not np.any(np.isnan(loss))
