"""Objectives on logits in a distiller: labels, sample weights, configs and what is refused."""

import inspect

import keras
import numpy as np
import pytest

from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives.logits import DISTANCES, NoisySoftTargets, SoftTargets, WeightedSoftTargets
from keras_snnkd.distill.objectives.self_distillation import ConfidentSteps, CorrectSteps, StepAlignment, TemporalKnowledgeSharing
from keras_snnkd.distill.objectives.steps import ErrorAlignment, StepEntropy, StepLabels
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.distill.logit_cases import array, normal

OBJECTIVES = [
    *(SoftTargets(distance=distance, time="per_step") for distance in DISTANCES),
    WeightedSoftTargets(),
    NoisySoftTargets(noise=0),
    ErrorAlignment(),
    StepLabels(),
    StepEntropy(),
    CorrectSteps(),
    TemporalKnowledgeSharing(),
    StepAlignment(),
]


def shown(objective):
    return f"{objective.name}-{objective.distance}" if isinstance(objective, SoftTargets) else objective.name


@pytest.mark.parametrize("objective", OBJECTIVES, ids=shown)
def test_sample_weights_weigh_the_losses_of_samples(objective):
    teacher, student, labels, weights = normal(4, 3), normal(4, 2, 3), np.array([0, 1, 2, 0]), array(2, 0, 1, 0.5)[0]
    single = [float(objective.compute_loss(teacher[[b]], student[[b]], labels[[b]])) for b in range(4)]
    value = float(objective.compute_loss(teacher, student, labels, weights))
    assert value == pytest.approx(float(np.mean(weights * single)), rel=1e-4)


NEED_LABELS = [StepLabels, ErrorAlignment, CorrectSteps, TemporalKnowledgeSharing, WeightedSoftTargets]


@pytest.mark.parametrize("cls", NEED_LABELS)
def test_labels_come_as_numbers_in_a_row_or_column_or_one_hot(cls):
    teacher, student, labels = normal(4, 3), normal(4, 2, 3), np.array([0, 2, 1, 2])
    forms = (labels, labels[:, None], labels.astype("float32"), np.eye(3, dtype="float32")[labels])
    values = [float(cls().compute_loss(teacher, student, form)) for form in forms]
    assert values == [values[0]] * len(forms)


@pytest.mark.parametrize("cls", NEED_LABELS)
def test_refuses_to_work_without_labels_or_with_others(cls):
    teacher, student = normal(4, 3), normal(4, 2, 3)
    with pytest.raises(ValueError, match=f"{cls.__name__}: it needs the labels"):
        cls().compute_loss(teacher, student)
    with pytest.raises(ShapeError, match=r"labels must be \[B\], \[B, 1\] or \[B, 3\], got \[4, 5\]"):
        cls().compute_loss(teacher, student, normal(4, 5))


STEPWISE = [StepLabels, StepEntropy, ErrorAlignment, CorrectSteps, TemporalKnowledgeSharing, StepAlignment, ConfidentSteps]


@pytest.mark.parametrize("cls", STEPWISE)
@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 2, 2, 3)], ids=["no time", "maps"])
def test_refuses_a_student_without_logits_of_every_step(cls, shape):
    with pytest.raises(ShapeError, match=r"every step, \[B, T, C\]|both must be logits"):
        cls().compute_loss(normal(4, 3), normal(*shape), np.zeros(4, "int32"))


@pytest.mark.parametrize("cls", [SoftTargets, WeightedSoftTargets, NoisySoftTargets, ErrorAlignment])
def test_refuses_a_teacher_of_other_classes(cls):
    with pytest.raises(ShapeError, match="same classes"):
        cls().compute_loss(normal(4, 5), normal(4, 2, 3), np.zeros(4, "int32"))


@pytest.mark.parametrize(
    ("cls", "arguments", "error", "message"),
    [
        (SoftTargets, {"distance": "reversekl"}, UnknownNameError, "Did you mean 'reverse_kl'"),
        (SoftTargets, {"forward_weight": -1}, ValueError, "forward_weight must be a number of at least 0"),
        (SoftTargets, {"reverse_weight": "0.7"}, ValueError, "reverse_weight must be a number of at least 0"),
        (SoftTargets, {"head_mass": 1.0}, ValueError, "head_mass must be below 1, got 1.0"),
        (NoisySoftTargets, {"noise": 1}, ValueError, "noise must be below 1, got 1"),
        (NoisySoftTargets, {"noise": -0.1}, ValueError, "noise must be a number of at least 0"),
        (NoisySoftTargets, {"form": "papr"}, UnknownNameError, "Did you mean 'paper'"),
        (CorrectSteps, {"ensemble": "corect"}, UnknownNameError, "Did you mean 'correct'"),
        (ConfidentSteps, {"direction": "strong_weak"}, UnknownNameError, "Did you mean 'strong_to_weak'"),
        *((cls, {"temperature": 0}, ValueError, "temperature must be a number greater than 0, got 0") for cls in STEPWISE[1:]),
        *((cls, {"teacher_tap": "logits"}, ValueError, "takes no teacher_tap") for cls in STEPWISE if not cls.uses_teacher),
    ],
    ids=str,
)
def test_refuses_names_and_numbers_that_cannot_be(cls, arguments, error, message):
    with pytest.raises(error, match=message):
        cls(**arguments)


ARGUMENTS = {
    SoftTargets: {
        "temperature": 2.0,
        "student_temperature": 3.0,
        "reduction": "elementwise",
        "time": "sum",
        "distance": "mixed_kl",
        "forward_weight": 0.3,
        "reverse_weight": 0.6,
        "head_mass": 0.4,
    },
    WeightedSoftTargets: {"temperature": 3.0},
    NoisySoftTargets: {"temperature": 3.0, "noise": 0.2, "form": "paper", "seed": 4},
    ErrorAlignment: {"temperature": 2.0},
    StepLabels: {},
    StepEntropy: {"temperature": 2.0},
    CorrectSteps: {"ensemble": "all", "temperature": 2.0},
    TemporalKnowledgeSharing: {"temperature": 2.0},
    StepAlignment: {"temperature": 2.0},
    ConfidentSteps: {"direction": "weak_to_strong", "cascade": True, "temperature": 3.0, "detach": True},
}


@pytest.mark.parametrize("cls", ARGUMENTS)
def test_every_argument_is_in_the_config_and_comes_back(cls):
    teacher_tap = "classifier" if cls.uses_teacher else None
    arguments = {**ARGUMENTS[cls], "teacher_tap": teacher_tap, "student_tap": "output", "weight": 0.5, "name": "mine"}
    assert set(arguments) == {*inspect.signature(cls).parameters, *inspect.signature(Objective).parameters} - {"kwargs"}
    objective = cls(**arguments)
    assert objective.get_config() == arguments
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(copy) is cls
    assert copy.get_config() == arguments


@pytest.mark.slow
def test_all_of_them_train_a_student_in_one_distiller(tmp_path):
    objectives = [cls(weight=0.1) for cls in ARGUMENTS]
    distiller = tiny.compiled(tiny.snn(), tiny.ann(), objectives, label_weight=0)
    before = distiller.student.get_weights()
    logs = tiny.fit(distiller)
    assert all(np.isfinite(value) for value in logs.values())
    assert {objective.name for objective in objectives} <= set(logs)
    assert any(np.any(a != b) for a, b in zip(before, distiller.student.get_weights(), strict=True))
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert [o.get_config() for o in loaded.objectives] == [o.get_config() for o in distiller.objectives]
