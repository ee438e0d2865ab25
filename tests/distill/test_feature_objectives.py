"""Objectives on features in a distiller: they train, are saved, and refuse what does not fit."""

import inspect
import math

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives.blurred import BlurredFeature
from keras_snnkd.distill.objectives.features import ActiveFeatures, AttentionMap, FeatureMap
from keras_snnkd.distill.objectives.heads import TeacherHead
from keras_snnkd.distill.objectives.membranes import Membrane
from keras_snnkd.distill.objectives.relations import SampleRelations
from keras_snnkd.distill.objectives.saliency import SaliencyMap
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.distill.feature_cases import conv
from tests.sampling import sampled

EVERY = {
    "blurred_feature": BlurredFeature(weight=1e-3, seed=0),
    "saliency_map": SaliencyMap(),
    "class maps": SaliencyMap("cam"),
    "feature_map": FeatureMap(teacher_tap=["block1_neuron", "block2_neuron"], distance="l1"),
    "active_features": ActiveFeatures(weight=1e-3),
    "attention_map": AttentionMap(teacher_tap=["block1_neuron", "block2_neuron"]),
    "teacher_head": TeacherHead(),
    "sample_relations": SampleRelations(),
    "membrane": Membrane(teacher_tap=["block1_neuron.membrane", "block2_neuron.membrane"]),
}


def fresh(objective):
    return type(objective).from_config(objective.get_config())


def pair(objective):
    spiking = isinstance(objective, Membrane)
    neurons = {"timesteps": 2, "threshold": 0.3} if spiking else {"neuron": "relu"}
    return conv((4, "pool", 6), "flatten", "teacher", **neurons), conv((2, "pool", 3), "flatten", "student", timesteps=2, threshold=0.3)


# In a distiller


@pytest.mark.every(3)
@pytest.mark.parametrize("name", sampled(EVERY, "saliency_map", "active_features", "membrane"))
def test_trains_a_student_and_comes_back_from_a_file(name, tmp_path):
    objective = EVERY[name]
    teacher, student = pair(objective)
    distiller = tiny.compiled(student, teacher, [fresh(objective)], label_weight=0.0)
    before = [student.get_layer(f"block{block}_conv").get_weights()[0] for block in (1, 2)]
    frozen = [weight.numpy() for helper in distiller.helpers for weight in helper.non_trainable_weights]
    logs = tiny.fit(distiller)
    assert math.isfinite(logs[objective.name])
    assert logs[objective.name] > 0
    after = [student.get_layer(f"block{block}_conv").get_weights()[0] for block in (1, 2)]
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))
    for weight, old in zip([w for helper in distiller.helpers for w in helper.non_trainable_weights], frozen, strict=True):
        np.testing.assert_array_equal(weight, old)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    for helper, copy in zip(distiller.helpers, loaded.helpers, strict=True):
        for weight, same in zip(helper.weights, copy.weights, strict=True):
            np.testing.assert_array_equal(weight, same)
    loaded.teach(teacher)
    if getattr(objective, "student_map", None) == "cam":
        loaded.objectives[0].connect(teacher, loaded.student)
    assert math.isfinite(tiny.fit(loaded)[objective.name])


ARGUMENTS = {
    BlurredFeature: {"blur_ratio": 0.6, "use_clip": False, "seed": 3},
    SaliencyMap: {"student_map": "cam", "temperature": 4.0, "squared": True},
    FeatureMap: {"reduction": "sum", "distance": "l1", "temperature": 2.0, "transform": 3},
    ActiveFeatures: {"pooled": True},
    AttentionMap: {},
    TeacherHead: {"temperature": 2.0},
    SampleRelations: {"relation": "distance"},
    Membrane: {},
}


COMMON = {"teacher_tap": ["a", "b"], "student_tap": ["c", "d"], "weight": 0.5, "name": "mine"}


# Configs and errors


@pytest.mark.parametrize("cls", ARGUMENTS)
def test_every_argument_is_in_the_config_and_comes_back(cls):
    arguments = {**ARGUMENTS[cls], **COMMON, **({"student_tap": "c"} if cls is TeacherHead else {})}
    parameters = {*inspect.signature(cls).parameters, *inspect.signature(Objective).parameters} - {"kwargs"}
    objective = cls(**arguments)
    assert objective.get_config() == arguments
    assert set(arguments) == parameters
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(copy) is cls
    assert copy.get_config() == arguments
    assert cls().get_config() == fresh(cls()).get_config()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BlurredFeature(1.5), ValueError, r"BlurredFeature: blur_ratio must be in 0\.\.1, got 1.5"),
        (lambda: BlurredFeature(-0.1), ValueError, "BlurredFeature: blur_ratio must be a number of at least 0, got -0.1"),
        (lambda: SaliencyMap("came"), UnknownNameError, "unknown student_map 'came'. Did you mean 'cam'"),
        (lambda: SaliencyMap(temperature=0), ValueError, "SaliencyMap: temperature must be a number greater than 0"),
        (lambda: SaliencyMap(teacher_tap="neurons"), ValueError, "SaliencyMap: teacher_tap must name two taps, .* got 'neurons'"),
        (lambda: SaliencyMap(student_tap=["a", "b"]), ValueError, "student_tap must name one tap, of maps, with student_map='sum'"),
        (lambda: SaliencyMap("cam", student_tap="a"), ValueError, "student_tap must name two taps, .* with student_map='cam', got 'a'"),
        (lambda: FeatureMap(distance="msr"), UnknownNameError, "unknown distance 'msr'. Did you mean 'mse'"),
        (lambda: FeatureMap("sum", "kl"), ValueError, "FeatureMap: reduction='sum' goes with .* got distance='kl'"),
        (lambda: FeatureMap(temperature=-1), ValueError, "FeatureMap: temperature must be a number greater than 0"),
        (lambda: FeatureMap(teacher_tap=["a", "b"], student_tap="c"), ValueError, r"got 2 \(a, b\) and 1 \(c\)"),
        (lambda: TeacherHead(temperature=0), ValueError, "TeacherHead: temperature must be a number greater than 0"),
        (lambda: SampleRelations("angle"), UnknownNameError, "unknown relation 'angle'"),
    ],
)
def test_refuses_arguments_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("objective", "teacher", "student", "message"),
    [
        (BlurredFeature(), (2, 2, 2, 3), (2, 4, 3), r"\[B, 2, 2, 3\] .* \[B, 4, 3\]: the student's must be maps"),
        (BlurredFeature(), (2, 3, 2, 3), (2, 4, 2, 2, 3), "whole multiple"),
        (AttentionMap(), (2, 3), (2, 4, 2, 2, 3), r"\[B, 3\] .* \[B, 4, 2, 2, 3\]: both must be maps"),
        (Membrane(), (2, 3), (2, 4, 3), r"both must be membrane potentials \[B, T, ...\] of the same T"),
        (Membrane(), (2, 4, 3), (2, 2, 3), "of the same T"),
        (SaliencyMap(), [(2, 3), (2, 3)], (2, 4, 2, 2, 3), "the taps must be maps and logits of the teacher, maps of the student"),
        (SaliencyMap(), (2, 2, 2, 3), (2, 4, 2, 2, 3), "the taps must be maps and logits of the teacher"),
        (SaliencyMap("cam"), [(2, 2, 2, 3), (2, 3)], (2, 4, 2, 2, 3), "the taps must be maps and logits of both"),
        (TeacherHead(), (2, 3), (2, 4, 3), r"the teacher's taps must be \[B, \(T,\) F\] and its logits"),
        (TeacherHead(), [(2, 3), (2, 5)], (2, 4, 2, 2, 3), "the teacher's taps must be"),
    ],
)
def test_refuses_taps_that_do_not_fit(objective, teacher, student, message):
    with pytest.raises(ShapeError, match=message):
        objective.compute_loss(*(ones(shapes) for shapes in (teacher, student)))


def ones(shapes):
    return [np.ones(shape) for shape in shapes] if isinstance(shapes, list) else np.ones(shapes)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (SaliencyMap(teacher_tap=("block1_neuron", "logits")), r"teacher reads 24 features, .* tap 'block1_neuron', 4 x 4 x 4;"),
        (TeacherHead(teacher_tap=("output", "logits")), r"classifier of teacher reads 24 features, .* tap 'output', 3;"),
    ],
)
def test_refuses_a_classifier_that_reads_something_else(objective, message):
    teacher, student = pair(objective)
    with pytest.raises(ShapeError, match=message):
        kd.Distiller(student, teacher, [objective])


def test_a_teacher_without_a_classifier_is_an_error():
    teacher = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 3, activation="relu")])
    teacher.add(keras.layers.GlobalAveragePooling2D(name="top"))
    with pytest.raises(UnknownNameError, match=r"unknown layer of .* 'classifier'"):
        kd.Distiller(conv((2,), "average", "student", timesteps=2), teacher, [SaliencyMap(student_tap="neurons")])
