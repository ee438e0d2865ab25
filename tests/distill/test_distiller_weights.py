"""Weights of samples, classes and objectives, and their schedules."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objectives import FeatureMap, Objective, SoftTargets
from keras_snnkd.errors import UnknownNameError
from tests.distill import tiny
from tests.distill.distiller_cases import plain_pair

OBJECTIVES = [FeatureMap, SoftTargets]


def distilled(images, labels, **arguments):
    keras.utils.set_random_seed(1)
    student, teacher = plain_pair()
    distiller = tiny.compiled(student, teacher, [cls() for cls in OBJECTIVES], keras.optimizers.SGD(0.5))
    logs = tiny.fit(distiller, images, labels, batch_size=12, **arguments)
    return logs, [*tiny.values(student), *(helper.kernel.numpy() for helper in distiller.helpers)]


@pytest.mark.slow
@pytest.mark.parametrize("weighted", ["sample_weight", "class_weight"])
def test_a_sample_of_weight_zero_has_no_influence(weighted):
    out = tiny.LABELS == 0
    others = np.where(out[:, None, None, None], 1 - tiny.IMAGES, tiny.IMAGES)
    weights = {"sample_weight": 1.0 - out} if weighted == "sample_weight" else {"class_weight": {0: 0.0, 1: 1.0, 2: 1.0}}
    logs, values = distilled(tiny.IMAGES, tiny.LABELS, **weights)
    other_logs, other_values = distilled(others, tiny.LABELS, **weights)
    assert logs == pytest.approx(other_logs, rel=1e-5)
    for value, other in zip(values, other_values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)
    unweighted, unweighted_values = distilled(others, tiny.LABELS)
    assert unweighted["soft_targets"] != pytest.approx(logs["soft_targets"], rel=1e-3)
    assert np.any(np.abs(unweighted_values[0] - values[0]) > 1e-4)


def test_class_weights_are_the_sample_weights_of_the_classes():
    by_class = {0: 0.5, 1: 2.0, 2: 0.0}
    of_samples = np.array([by_class[label] for label in tiny.LABELS])
    logs, values = distilled(tiny.IMAGES, tiny.LABELS, class_weight=by_class)
    other_logs, other_values = distilled(tiny.IMAGES, tiny.LABELS, sample_weight=of_samples)
    assert logs == pytest.approx(other_logs, rel=1e-5)
    for value, other in zip(values, other_values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("label_weight", [0.0, 0.25, 1.0])
def test_the_label_weight_leaves_the_students_own_losses_alone(label_weight):
    """Beside 0 labels and one objective of weight 0, regularizers alone move a kernel: by the rate times their gradient."""
    regularized = keras.layers.Dense(3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1), activity_regularizer="l2")
    student = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), regularized])
    before, images = regularized.kernel.numpy(), tiny.IMAGES[:6].reshape(6, -1).astype("float32")
    distiller = tiny.compiled(student, tiny.plain(9, "teacher"), [SoftTargets(weight=0.0)], keras.optimizers.SGD(0.5), label_weight)
    logits = images @ before
    labels = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(3)[tiny.LABELS[:6]]
    gradient = label_weight * images.T @ labels / 6 + 2 * 0.1 * before + 2 * 0.01 * images.T @ logits / 6
    logs = tiny.fit(distiller, tiny.IMAGES[:6], tiny.LABELS[:6])
    np.testing.assert_allclose(regularized.kernel.numpy(), before - 0.5 * gradient, rtol=1e-4, atol=1e-5)
    own = 0.1 * np.square(before).sum() + 0.01 * np.square(logits).sum() / 6
    assert logs["loss"] >= own * 0.999 if label_weight else logs["loss"] == pytest.approx(own, rel=1e-4)


class Counted(Objective):
    """Counts how often it is traced; its value is 1."""

    traces = 0

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        self.traces += 1
        return keras.ops.mean(0 * student_outputs, axis=-1) + 1


def test_weights_change_the_loss_without_another_trace():
    student, teacher = plain_pair()
    counted = Counted()
    distiller = tiny.compiled(student, teacher, [counted], keras.optimizers.SGD(0.0))
    first = tiny.fit(distiller)
    label, traces = first["loss"] - 1, counted.traces
    assert traces > 0
    distiller.set_weight("counted", 3.0)
    assert tiny.fit(distiller)["loss"] == pytest.approx(label + 3, rel=1e-5)
    distiller.set_weight("label", 0.5)
    logs = tiny.fit(distiller)
    assert logs["loss"] == pytest.approx(label / 2 + 3, rel=1e-5)
    assert logs["counted"] == 1
    assert distiller.describe() == "0.5 label + 3 counted(logits -> logits)"

    ramp = kd.WeightSchedule({"counted": lambda epoch: epoch, "label": lambda epoch: 0.0})
    history = distiller.fit(tiny.IMAGES, tiny.LABELS, batch_size=6, epochs=3, callbacks=[ramp], verbose=0).history
    assert history["loss"] == pytest.approx([0, 1, 2])
    assert counted.traces == traces


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("soft_target", 1.0, UnknownNameError, "Did you mean 'soft_targets'"),
        ("soft_targets", -1.0, ValueError, "weight of soft_targets must be a number of at least 0, got -1.0"),
        ("label", np.nan, ValueError, "weight of label"),
    ],
)
def test_a_weight_that_cannot_be_is_refused(name, value, error, message):
    distiller = kd.Distiller(*plain_pair(), ["soft_targets"])
    with pytest.raises(error, match=message):
        distiller.set_weight(name, value)


def test_a_schedule_of_an_unknown_objective_fails_before_the_first_step():
    distiller = tiny.compiled(*plain_pair(), ["soft_targets"])
    before = tiny.values(distiller.student)
    with pytest.raises(UnknownNameError, match="Did you mean 'soft_targets'"):
        tiny.fit(distiller, callbacks=[kd.WeightSchedule({"soft_target": lambda epoch: 1.0})])
    tiny.assert_equal_weights(distiller.student, before)
