"""Coaching: targets between student and teacher, a pace that follows progress, and how methods are coached by name."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.cli.values import read_objective
from keras_snnkd.distill import methods, objectives
from keras_snnkd.distill.callbacks import Pace
from keras_snnkd.distill.objectives import Coached, SoftTargets
from keras_snnkd.errors import ShapeError
from tests.distill import tiny
from tests.harness import gradients

TEACHER = np.array([[4.0, 0.0, 0.0]], "float32")
STUDENT = np.array([[[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]], "float32")


def test_the_target_lies_between_the_students_mean_and_the_teacher():
    found = Coached(SoftTargets(2.0), start=0.25).compute_loss(TEACHER, STUDENT)
    target = 0.75 * STUDENT.mean(1) + 0.25 * TEACHER
    np.testing.assert_allclose(found, SoftTargets(2.0).compute_loss(target, STUDENT), rtol=1e-5)


def test_no_gradient_flows_through_the_target():
    target = 0.5 * STUDENT.mean(1) + 0.5 * TEACHER
    _, (found,) = gradients(lambda student: Coached(SoftTargets(2.0), start=0.5).compute_loss(TEACHER, student), STUDENT)
    _, (expected,) = gradients(lambda student: SoftTargets(2.0).compute_loss(target, student), STUDENT)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_at_full_pace_it_is_the_objective_itself():
    np.testing.assert_allclose(
        Coached(SoftTargets(2.0), start=1.0).compute_loss(TEACHER, STUDENT), SoftTargets(2.0).compute_loss(TEACHER, STUDENT), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("seen", "mode", "epoch", "expected"),
    [
        ([], "max", 0, 0.0),
        ([0.5, 0.8, 0.7], "max", 1, 0.6),  # errors 0.5 to 0.2
        ([0.5, 0.55], "max", 3, 0.75),  # three of four epochs have gone
        ([2.0, 1.0], "min", 1, 0.5),
        ([1.0], "max", 4, 1.0),
    ],
)
def test_the_pace_follows_progress_and_at_the_latest_the_epochs(seen, mode, epoch, expected):
    pace = Pace("val_accuracy", mode, [{"val_accuracy": value} for value in seen])
    assert pace.progress(epoch, 5) == pytest.approx(expected)


@pytest.mark.slow
def test_a_stage_moves_the_pace_and_the_last_epoch_has_the_teacher_itself(tmp_path):
    paces = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            paces.append(float(self.model.objectives[0].pace.numpy()))

    stages = [
        kd.Stage("teacher", lambda: tiny.ann(), epochs=1),
        kd.Stage("student", lambda: tiny.snn(), "teacher", [{"objective": "coached", "of": "soft_targets", "start": 0.2}], epochs=3),
    ]
    kd.Chain(stages, tmp_path).run((tiny.IMAGES, tiny.LABELS), callbacks=lambda stage: [Watch()] if stage.objectives else [])
    assert paces[0] == pytest.approx(0.2)
    assert paces[0] < paces[1] <= 1
    assert paces[2] == 1


def test_a_method_is_coached_by_name():
    method = methods.combine(["coached:full_range"])
    assert [entry["objective"] for entry in method.objectives] == ["step_labels", "coached", "correct_steps"]
    assert method.trust == "reconstruction"
    entry = read_objective("coached:soft_targets:temperature=2,weight=0.5")
    (coached,) = (objectives.get(entry) for entry in methods.combine([entry]).objectives)
    assert (coached.of.temperature, coached.weight, coached.name) == (2.0, 0.5, "coached_soft_targets")
    recipe = kd.Recipe(objectives=["coached:hinton"]).resolved()
    assert recipe.resolved() == recipe == kd.Recipe.from_dict(recipe.to_dict())


def test_its_config_makes_it_again():
    objective = Coached({"objective": "soft_targets", "temperature": 2.0}, start=0.4, weight=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert again.get_config() == objective.get_config()
    assert again.of.temperature == 2.0


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Coached("correct_steps"), ValueError, "no teacher to pace"),
        (lambda: Coached("teacher_head"), ValueError, "several taps"),
        (lambda: Coached(start=0), ValueError, "above 0"),
        (lambda: methods.combine(["coached:tks"]), ValueError, "no teacher to pace"),
        (lambda: Coached("feature_map").build((None, 4, 4, 8), (None, 2, 4, 4, 6)), ShapeError, "no middle"),
    ],
)
def test_what_cannot_be_coached_is_told(make, error, told):
    with pytest.raises(error, match=told):
        make()
