"""The values of objectives on logits, worked out by hand, and what their equations imply."""

import math

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objectives.growing import MaskedTeacher, RunningMeans
from keras_snnkd.distill.objectives.logits import DISTANCES, NoisySoftTargets, SoftTargets, WeightedSoftTargets
from keras_snnkd.distill.objectives.refined import SquaredLogits, StandardizedTargets
from keras_snnkd.distill.objectives.self_distillation import ConfidentSteps, CorrectSteps, StepAlignment
from keras_snnkd.distill.objectives.steps import ErrorAlignment, StepEntropy, StepLabels, SummedLabels
from tests.distill import tiny
from tests.distill.logit_cases import array, normal
from tests.harness import gradients


def softmax(logits):
    powers = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def divergence(p, q):
    p, q = np.asarray(p, "float64"), np.asarray(q, "float64")
    return float(np.sum(p * (np.log(p) - np.log(q))))


def gradient_of(objective, student, teacher=None, y_true=None):
    return gradients(lambda x: objective.compute_loss(teacher, x, y_true), student)[1][0]


P, Q = (0.6, 0.3, 0.1), (0.3, 0.5, 0.2)  # |p - q| = 0.3, 0.2, 0.1


FORWARD, REVERSE = divergence(P, Q), divergence(Q, P)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"distance": "kl"}, FORWARD),
        ({"distance": "reverse_kl"}, REVERSE),
        ({"distance": "mixed_kl"}, 0.2 * FORWARD + 0.7 * REVERSE),
        ({"distance": "mixed_kl", "forward_weight": 1.0, "reverse_weight": 0.0}, FORWARD),
        ({"distance": "soft_cross_entropy"}, FORWARD - sum(p * math.log(p) for p in P)),
        ({"distance": "adaptive_head_tail_kl"}, 0.5 * FORWARD + 0.5 * REVERSE),  # the likeliest class alone is above 0.5, and the head
        ({"distance": "adaptive_head_tail_kl", "head_mass": 0.95}, 5 / 6 * FORWARD + 1 / 6 * REVERSE),
    ],
    ids=str,
)
@pytest.mark.parametrize("reduction", ["per_sample", "elementwise"])
def test_distances_by_hand(arguments, expected, reduction):
    teacher, student = (2 * np.log(array(*probabilities)) + 1 for probabilities in (P, Q))
    value = float(SoftTargets(2.0, reduction=reduction, **arguments).compute_loss(teacher, student))
    assert value == pytest.approx(4 * expected / (3 if reduction == "elementwise" else 1), rel=1e-4)


def test_soft_cross_entropy_has_the_gradient_of_kl():
    teacher, student = normal(4, 3), normal(4, 2, 3)
    found = [gradient_of(SoftTargets(distance=distance), student, teacher) for distance in ("kl", "soft_cross_entropy")]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("distance", sorted(DISTANCES.keys() - {"soft_cross_entropy"}))
def test_the_distance_of_equal_logits_is_0_and_flat(distance):
    logits = normal(4, 3)
    objective = SoftTargets(distance=distance)
    assert float(objective.compute_loss(logits, logits)) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient_of(objective, logits, logits), 0, atol=1e-6)


HALF, QUARTER = math.log(2), math.log(4)


def test_summed_labels_by_hand():
    logits = np.log(np.array([[[2.0, 1.0], [1.5, 1.0]]], "float32"))  # sums over time log 3, log 1
    assert float(SummedLabels().compute_loss(None, logits, np.array([0]))) == pytest.approx(-math.log(3 / 4), rel=1e-5)
    assert float(SummedLabels().compute_loss(None, logits, np.array([[0.5, 0.5]]))) == pytest.approx(
        math.log(4) - math.log(3) / 2, rel=1e-5
    )


def test_step_labels_by_hand():
    logits = array(0, 0, 0, math.log(3), shape=(1, 2, 2))  # 1/2 1/2, then 1/4 3/4
    assert float(StepLabels().compute_loss(None, logits, np.array([0]))) == pytest.approx((HALF + QUARTER) / 2, rel=1e-5)
    soft = array(0.5, 0.5)
    assert float(StepLabels().compute_loss(None, logits, soft)) == pytest.approx((HALF + (QUARTER + math.log(4 / 3)) / 2) / 2, rel=1e-5)


def test_step_labels_are_at_least_the_cross_entropy_of_the_mean():
    logits, labels = normal(6, 4, 5), np.arange(6) % 5
    assert float(StepLabels().compute_loss(None, logits, labels)) > float(tiny.crossentropy()(labels, logits.mean(axis=1)))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_step_entropy_by_hand(temperature):
    logits = temperature * array(0, 0, 0, math.log(3), shape=(1, 2, 2))  # 1/2 1/2, then 1/4 3/4
    expected = (HALF + QUARTER - 0.75 * math.log(3)) / 2
    assert float(StepEntropy(temperature).compute_loss(None, logits)) == pytest.approx(-expected, rel=1e-5)


def test_a_step_down_the_step_entropy_makes_the_student_less_sure():
    logits = normal(4, 2, 3)
    sure = softmax(logits).max(axis=-1)
    less = softmax(logits - gradient_of(StepEntropy(), logits)).max(axis=-1)
    assert less.mean() < sure.mean()


def test_error_alignment_by_hand():
    # the label is class 0; step 0 says class 2, step 1 is right
    student, teacher = array(1, 0, 3, 2, 0, 1, shape=(1, 2, 3)), array(4, 1, 2)
    aligned = divergence(softmax(np.array([2, 1, 2])), softmax(np.array([1, 0, 1])))
    plain = divergence(softmax(teacher[0]), softmax(student[0, 1]))
    objective, labels = ErrorAlignment(temperature=1.0), np.array([0])
    assert float(objective.compute_loss(teacher, student, labels)) == pytest.approx((aligned + plain) / 2, abs=1e-5)
    gradient = gradient_of(objective, student, normal(1, 3), labels)
    assert gradient[0, 0, 2] == 0  # the wrong class
    assert np.all(gradient[0, 1] != 0)


def test_correct_steps_by_hand():
    # label 1: steps 1 and 2 are right, their mean is 0, 3
    student, labels = array(1, 0, 0, 2, 0, 4, shape=(1, 3, 2)), np.array([1])
    expected = np.mean([divergence(softmax(np.array([0, 1.5])), softmax(step / 2)) for step in student[0]])
    assert float(CorrectSteps(temperature=2.0).compute_loss(None, student, labels)) == pytest.approx(4 * expected, rel=1e-4)
    mean = student[0].mean(axis=0)
    expected = np.mean([divergence(softmax(mean / 2), softmax(step / 2)) for step in student[0]])
    assert float(CorrectSteps("all", 2.0).compute_loss(None, student)) == pytest.approx(4 * expected, rel=1e-4)


@pytest.mark.parametrize(
    "objective", [CorrectSteps("all"), StepAlignment(), ConfidentSteps(), ConfidentSteps(cascade=True)], ids=lambda o: o.name
)
@pytest.mark.parametrize("steps", [1, 3])
def test_equal_steps_have_nothing_to_teach_each_other(objective, steps):
    student = np.repeat(normal(4, 1, 3), steps, axis=1)
    assert float(objective.compute_loss(None, student)) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient_of(objective, student), 0, atol=1e-6)


ODDS = {r: np.array([1, r]) / (1 + r) for r in (1, 2, 3)}


def steps_of(*odds):
    return np.array([[[0, 2 * math.log(r)] for r in odds]], "float32")


@pytest.mark.parametrize(
    ("arguments", "pairs"),
    [
        ({}, [(3, 1)]),
        ({"direction": "weak_to_strong"}, [(1, 3)]),
        ({"cascade": True}, [(2, 1), (3, 2)]),
        ({"direction": "weak_to_strong", "cascade": True}, [(1, 2), (2, 3)]),
    ],
    ids=str,
)
@pytest.mark.parametrize("detach", [False, True])
def test_confident_steps_by_hand(arguments, pairs, detach):
    objective, student = ConfidentSteps(**arguments, detach=detach), steps_of(2, 3, 1)
    expected = 4 * np.mean([divergence(ODDS[teaching], ODDS[taught]) for teaching, taught in pairs])
    assert float(objective.compute_loss(None, student)) == pytest.approx(expected, rel=1e-4)
    taught = {b for _, b in pairs} | (set() if detach else {a for a, _ in pairs})
    gradient = gradient_of(objective, student)[0]
    assert [bool(np.any(step)) for step in gradient] == [r in taught for r in (2, 3, 1)]


def test_confident_steps_are_picked_for_the_whole_batch():
    student = np.concatenate([steps_of(1, 8), steps_of(3, 2)])  # mean confidences: (1/2 + 9/10) / 2 and (64/65 + 4/5) / 2
    expected = 4 * (divergence(np.array([1, 8]) / 9, ODDS[1]) + divergence(ODDS[2], ODDS[3])) / 2
    assert float(ConfidentSteps().compute_loss(None, student)) == pytest.approx(expected, rel=1e-4)


def test_weighted_soft_targets_by_hand():
    # the student's error is twice the teacher's: 2 log 2 = log 4 against log 2
    teacher, student, labels = array(0, 0), array(0, math.log(3)), np.array([0])
    expected = -(math.log(0.25) + math.log(0.75)) / 2
    value = float(WeightedSoftTargets(temperature=1.0).compute_loss(teacher, student, labels))
    assert value == pytest.approx((1 - math.exp(-2)) * expected, rel=1e-5)


def test_weighted_soft_targets_leave_out_what_the_student_knows():
    student = array(30, 0, 0)
    assert float(WeightedSoftTargets().compute_loss(array(1, 0, 0), student, np.array([0]))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("form", ["code", "paper"])
def test_noisy_soft_targets_without_noise_are_soft_targets(form):
    teacher, student = normal(4, 3), normal(4, 2, 3)
    value = NoisySoftTargets(2.0, noise=0, form=form).compute_loss(teacher, student)
    np.testing.assert_allclose(value, SoftTargets(2.0).compute_loss(teacher, student), rtol=1e-4)


def test_noisy_soft_targets_of_the_paper_by_hand():
    teacher, student, noise = array(0, 0, 1), array(1, 2, 3), array(1, 0, -1)  # mean 2, deviation 1
    objective = NoisySoftTargets(2.0, noise=0.1, form="paper")
    objective._normal = lambda like: noise
    expected = divergence(softmax(teacher[0] / 2), softmax(np.array([1.3, 2.2, 3.1]) / 2))
    assert float(objective.compute_loss(teacher, student)) == pytest.approx(4 * expected, rel=1e-4)


@pytest.mark.parametrize("form", ["code", "paper"])
def test_the_noise_is_drawn_anew_for_each_batch_and_repeats_with_its_seed(form):
    teacher, student = normal(4, 3), normal(4, 3)

    def sequence(seed):
        objective = NoisySoftTargets(form=form, seed=seed)
        return [float(objective.compute_loss(teacher, student)) for _ in range(3)]

    first = sequence(1)
    assert len(set(first)) == 3
    assert first == sequence(1)
    assert first != sequence(2)


@pytest.mark.parametrize("form", ["code", "paper"])
@pytest.mark.parametrize("logits", [[0, 0, 0], [500, 0, -500]], ids=str)
def test_the_noise_of_silent_or_large_logits_is_finite(form, logits):
    objective, student = NoisySoftTargets(form=form), array(*logits)
    assert np.isfinite(objective.compute_loss(-student, student))
    assert np.all(np.isfinite(gradient_of(objective, student, -student)))


def test_a_teacher_of_another_t_gives_its_mean_to_every_step():
    teacher, student, labels = normal(4, 3, 5), normal(4, 2, 5), np.arange(4)
    objective = ErrorAlignment()
    values = [float(objective.compute_loss(taught, student, labels)) for taught in (teacher, teacher.mean(axis=1))]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


# answers that get better with every step


def test_squared_logits_by_hand():
    teacher, student = array(1, 2, 3), array(2, 2, 1)
    assert float(SquaredLogits().compute_loss(teacher, student)) == pytest.approx((1 + 0 + 4) / 3)
    np.testing.assert_allclose(gradient_of(SquaredLogits(), student, teacher), [[2 / 3, 0, -4 / 3]], rtol=1e-6)


def test_squared_logits_of_each_step_by_hand():
    teacher, student = array(1, 1), array(1, 3, 1, 1, shape=(1, 2, 2))
    assert float(SquaredLogits().compute_loss(teacher, student)) == pytest.approx(0.5)  # the mean over time is 1, 2
    assert float(SquaredLogits(time="per_step").compute_loss(teacher, student)) == pytest.approx((4 / 2 + 0) / 2)


def test_running_means_learn_from_one_step_more():
    student = array(2, 0, 0, 2, 4, 0, shape=(1, 3, 2))  # running means: (2, 0), (1, 1), (2, 2 / 3)
    means = [softmax(np.array(mean) / 2) for mean in ((2, 0), (1, 1), (2, 2 / 3))]
    expected = 4 * (divergence(means[1], means[0]) + divergence(means[2], means[1])) / 2
    assert float(RunningMeans(temperature=2.0).compute_loss(None, student)) == pytest.approx(expected, rel=1e-5)
    gradient = gradient_of(RunningMeans(temperature=2.0), student)
    np.testing.assert_array_equal(gradient[0, 2], [0, 0])  # the last step is a target alone


def test_running_means_of_one_step_are_nothing():
    assert float(RunningMeans().compute_loss(None, array(1, 2, shape=(1, 1, 2)))) == 0


def test_a_masked_teacher_answers_each_step_from_a_part_of_its_features():
    teacher, student = tiny.ann(), tiny.snn(timesteps=3)
    objective = MaskedTeacher(temperature=2.0, keep=0.5, seed=1)
    kd.Distiller(student, teacher, [objective])
    features, logits = normal(5, 9), normal(5, 3, 3)
    masks = (np.random.default_rng(1).uniform(size=(1, 3, 9)) < 0.5) / 0.5
    assert (masks[0, 0] != masks[0, 1]).any()
    dense = next(layer for layer in teacher.layers if layer.name == "classifier")
    targets = softmax(((features[:, None] * masks) @ dense.kernel.numpy() + dense.bias.numpy()) / 2)
    expected = np.mean([4 * divergence(p, q) for p, q in zip(targets.reshape(-1, 3), softmax(logits / 2).reshape(-1, 3), strict=True)])
    assert float(objective.compute_loss(features, logits)) == pytest.approx(expected, rel=1e-4)


def test_a_masked_teacher_that_keeps_all_is_the_teacher():
    teacher, student = tiny.ann(), tiny.snn()
    objective = MaskedTeacher(temperature=2.0, keep=1.0)
    kd.Distiller(student, teacher, [objective])
    features, steps = normal(4, 9), normal(4, 2, 3)
    dense = next(layer for layer in teacher.layers if layer.name == "classifier")
    whole = SoftTargets(2.0, time="per_step").compute_loss(features @ dense.kernel.numpy() + dense.bias.numpy(), steps)
    assert float(objective.compute_loss(features, steps)) == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.parametrize("keep", [0, 1.5])
def test_a_share_of_features_that_cannot_be_is_refused(keep):
    with pytest.raises(ValueError, match="MaskedTeacher: keep must be"):
        MaskedTeacher(keep=keep)


def test_standardized_logits_do_not_see_size_and_shift():
    teacher, student = normal(4, 5), normal(4, 5)
    objective = StandardizedTargets(temperature=2.0)
    value = float(objective.compute_loss(teacher, student))
    assert float(objective.compute_loss(3 * teacher + 1, 0.5 * student - 2)) == pytest.approx(value, rel=1e-4)
    equal = gradient_of(objective, np.ones((2, 5), "float32"), teacher[:2])
    assert np.isfinite(equal).all()
