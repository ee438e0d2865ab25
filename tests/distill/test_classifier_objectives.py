"""Objectives that read a classifier's weights: class maps, and the teacher's head."""

import math

import numpy as np
import pytest

from keras_snnkd import TapModel
from keras_snnkd.distill.objective import taps_of
from keras_snnkd.distill.objectives.heads import TeacherHead
from keras_snnkd.distill.objectives.logits import SoftTargets
from keras_snnkd.distill.objectives.saliency import SaliencyMap
from tests.distill import tiny
from tests.distill.feature_cases import assert_close, conv, normal, value


def connected(objective, teacher, student):
    """What the objective reads of two models, for which it is built and connected."""
    pairs = [(TapModel(model, taps_of(tap)), tap) for model, tap in ((teacher, objective.teacher_tap), (student, objective.student_tap))]
    objective.build(*(model.shape(tap) for model, tap in pairs))
    objective.connect(teacher, student)
    outputs = [[model(tiny.IMAGES)[name] for name in taps_of(tap)] for model, tap in pairs]
    return [found[0] if isinstance(tap, str) else found for found, (_, tap) in zip(outputs, pairs, strict=True)]


# Through a classifier


@pytest.mark.parametrize(
    ("widths", "head", "grid"),
    [((2, 5), "average", (1, 1)), ((2, 5), "flatten", (4, 4)), ((2, 5, "pool"), "flatten", (2, 2))],
    ids=["average", "flatten", "pool and flatten"],
)
def test_every_place_of_a_map_is_weighed_by_the_classifiers_row_for_it(widths, head, grid):
    teacher, student = conv(widths, head, "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2)
    objective = SaliencyMap()
    (maps, logits), student_maps = connected(objective, teacher, student)
    maps, logits = np.array(maps), np.array(logits)
    rows = teacher.get_layer("classifier").kernel.numpy().reshape(*grid, 5, 3)
    expected = np.zeros((12, 4, 4))
    for b, h, w in np.ndindex(12, 4, 4):
        row = rows[h * grid[0] // 4, w * grid[1] // 4, :, np.argmax(logits[b])]
        expected[b, h, w] = max(0, maps[b, h, w] @ row)
    expected = (expected - expected.min()) / (np.ptp(expected) + 1e-3)
    found, _ = objective.maps([maps, logits], student_maps)
    assert_close(np.squeeze(found, axis=-1), expected, atol=5e-6)


def test_the_paper_multiplies_the_divergence_of_maps():
    teacher, student = conv((2, 5), "average", "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2)
    losses = {}
    for squared in (False, True):
        objective = SaliencyMap(temperature=3.0, squared=squared)
        losses[squared] = value(objective, *connected(objective, teacher, student))
    assert losses[True] == pytest.approx(9 * losses[False], rel=1e-5)
    assert losses[False] > 0


def test_a_students_class_map_follows_its_classifier():
    teacher, student = conv((2, 5), "average", "teacher", neuron="relu"), conv((3,), "average", "student", timesteps=2, threshold=0.1)
    objective = SaliencyMap("cam")
    teacher_taps, student_taps = connected(objective, teacher, student)
    before = value(objective, teacher_taps, student_taps)
    dense = student.get_layer("classifier").layer
    dense.kernel.assign(-dense.kernel)
    assert value(objective, teacher_taps, student_taps) != before


def test_the_teachers_head_judges_the_students_features():
    teacher, student = tiny.ann(width=6), tiny.snn(width=6)
    teacher.get_layer("classifier").bias.assign([1.0, -2.0, 3.0])
    objective = TeacherHead(temperature=2.0)
    (_, logits), features = connected(objective, teacher, student)
    assert features.shape == (12, 2, 6)
    weights, bias = teacher.get_layer("classifier").get_weights()
    expected = SoftTargets(temperature=2.0).compute_loss(logits, np.mean(features, axis=1) @ weights + bias)
    assert value(objective, [features, logits], features) == pytest.approx(float(expected), rel=1e-5)


def test_the_teachers_own_features_lose_nothing_in_its_head():
    objective, teacher = TeacherHead(), tiny.ann()
    teacher_taps, features = connected(objective, teacher, teacher)
    assert value(objective, teacher_taps, features) == pytest.approx(0, abs=1e-6)


def test_a_classifier_that_is_not_connected_gives_no_number():
    assert math.isnan(value(TeacherHead(), [normal(2, 5), normal(2, 3)], normal(2, 4, 5)))
    assert math.isnan(value(SaliencyMap(), [normal(2, 4, 4, 5), normal(2, 3)], normal(2, 2, 4, 4, 3)))
    objective = SaliencyMap("cam")
    with pytest.raises(ValueError, match=r"saliency_map: the student's classifier is not known; call connect\(teacher, student\)"):
        value(objective, [normal(2, 4, 4, 5), normal(2, 3)], [normal(2, 4, 4, 3), normal(2, 3)])
