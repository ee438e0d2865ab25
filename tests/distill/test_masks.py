"""Padded steps count in no objective: what is computed of a padded series is what is computed of the series itself."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models, objectives
from keras_snnkd.distill.taps import TapModel

RANDOM = np.random.default_rng(0)
REAL, STEPS, CLASSES = 4, 7, 3
LABELS = np.array([1, 0])

OF_STEPS = {
    "soft targets, mean": {"objective": "soft_targets"},
    "soft targets, sum": {"objective": "soft_targets", "time": "sum"},
    "soft targets, each": {"objective": "soft_targets", "time": "per_step"},
    "squared logits": {"objective": "squared_logits"},
    "labels": {"objective": "step_labels"},
    "entropy": {"objective": "step_entropy"},
    "error alignment": {"objective": "error_alignment"},
    "correct steps": {"objective": "correct_steps"},
    "all steps": {"objective": "correct_steps", "ensemble": "all"},
    "knowledge sharing": {"objective": "temporal_knowledge_sharing"},
    "step alignment": {"objective": "step_alignment"},
    "running means": {"objective": "running_means"},
    "rates": {"objective": "firing_rate"},
    "spike counts": {"objective": "spike_train"},
    "spikes in windows": {"objective": "spike_train", "window": 2},
    "spikes, filtered": {"objective": "spike_train", "filter_tau": 3.0},
    "potentials": {"objective": "membrane"},
    "confident steps": {"objective": "confident_steps"},
    "confident neighbours": {"objective": "confident_steps", "cascade": True},
    "a budget of rates": {"objective": "spike_budget", "rate": 0.01, "per": "neuron"},
}


def padded(series):
    """The same with steps behind it that are no part of it."""
    return np.concatenate([series, RANDOM.normal(size=(2, STEPS - REAL, CLASSES))], axis=1)


@pytest.mark.parametrize("name", OF_STEPS)
def test_padding_does_not_change_a_loss(name):
    objective = objectives.get(OF_STEPS[name])
    student, teacher = (np.abs(RANDOM.normal(size=(2, REAL, CLASSES))) for _ in range(2))
    mask = np.arange(STEPS)[None] < np.full((2, 1), REAL)
    taught = (teacher, student) if objective.uses_teacher else (None, student)
    expected = objective.compute_loss(*taught, y_true=LABELS)
    again = objectives.get(OF_STEPS[name])
    shown = (padded(teacher), padded(student)) if objective.uses_teacher else (None, padded(student))
    np.testing.assert_allclose(again.compute_loss(*shown, y_true=LABELS, masks=[mask]), expected, rtol=1e-5)
    assert abs(float(objectives.get(OF_STEPS[name]).compute_loss(*shown, y_true=LABELS)) - float(expected)) > 1e-4


def test_windows_of_padding_count_no_more_than_their_real_steps():
    spikes, mask = np.array([[[1.0], [0.0], [1.0], [1.0], [1.0], [1.0]]]), np.array([[True, True, True, False, False, False]])
    loss = kd.objectives.SpikeTrain(window=2).compute_loss(0 * spikes, spikes, masks=[mask])
    np.testing.assert_allclose(loss, (0.5**2 + 1.0**2) / 2)  # steps 1 and 2, step 3 alone, and a window that is all padding


def test_the_surest_step_is_one_of_those_that_are_there():
    logits = np.array([[[1.0, 0.0], [2.0, 0.0], [9.0, 0.0]], [[0.0, 0.0], [9.0, 0.0], [0.0, 0.0]]])
    mask = np.array([[True, True, False], [True, False, False]])  # confident steps: first 0.62, second 0.88
    loss = kd.objectives.ConfidentSteps(temperature=1.0).compute_loss(None, logits, masks=[mask])
    p, q = (np.exp(z) / np.exp(z).sum() for z in (logits[0, 1], logits[0, 0]))
    np.testing.assert_allclose(loss, (p * np.log(p / q)).sum() / 2, rtol=1e-5)  # the second sample has no second step


def test_a_tap_of_padded_series_comes_with_its_mask():
    student = models.SequenceNet((STEPS, 2), CLASSES, widths=(4,))
    series = RANDOM.normal(size=(2, STEPS, 2)).astype("float32")
    series[0, REAL:] = 0
    taps = TapModel(student, ["logits", "output"])
    found = taps(series)
    (mask,) = TapModel.masks(found, ["logits", "output"])
    (again,) = TapModel.masks(TapModel(student, ["neurons.membrane"])(series), ["neurons.membrane"])
    np.testing.assert_array_equal(mask, again)
    assert np.array(mask).tolist() == [[True] * REAL + [False] * (STEPS - REAL), [True] * STEPS]
    assert set(taps.shapes) == {"logits", "output"}
    assert not TapModel.masks(TapModel(models.SequenceNet((STEPS, 2), CLASSES, padded=False), ["logits"])(series), ["logits"])


def test_a_distiller_leaves_padding_out():
    keras.utils.set_random_seed(0)
    series = RANDOM.normal(size=(6, STEPS, 2)).astype("float32")
    series[:, REAL:] = 0
    long, short = (_distiller(steps) for steps in (STEPS, REAL))
    short.student.set_weights(long.student.get_weights())
    short.teacher.set_weights(long.teacher.get_weights())
    labels = np.arange(6) % CLASSES
    found = [one.compute_loss(x, labels, one(x, training=True)) for one, x in ((long, series), (short, series[:, :REAL]))]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def _distiller(steps):
    student = models.SequenceNet((steps, 2), CLASSES, widths=(5,), neuron="lif")
    teacher = models.SequenceNet((steps, 2), CLASSES, widths=(9,), neuron="relu")
    distiller = kd.Distiller(student, teacher, [{"objective": "soft_targets", "time": "per_step"}, "step_labels"])
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return distiller
