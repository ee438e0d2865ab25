"""Divergences that keep their digits, and the likeliest class."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_snnkd as kd
from keras_snnkd.distill.objectives.probabilities import cross_entropy, floored_kl, kl, likeliest
from tests.harness import gradients

RANDOM = np.random.default_rng(0)
TEACHER, STUDENT = (RANDOM.normal(size=(6, 10)).astype("float32") * 3 for _ in range(2))


def exact(logits, others):
    """In numbers that have digits to spare."""
    log_p, log_q = (
        x - np.log(np.sum(np.exp(x - x.max(-1, keepdims=True)), -1, keepdims=True)) - x.max(-1, keepdims=True)
        for x in (np.asarray(x, "longdouble") for x in (logits, others))
    )
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1).astype("float64")


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1, 4, 20, 1e3, 1e5, 1e7])
def test_a_divergence_has_its_digits_at_every_temperature(temperature):
    tempered = TEACHER / np.float32(temperature), STUDENT / np.float32(temperature)
    np.testing.assert_allclose(ops.convert_to_numpy(kl(*tempered)), exact(*tempered), rtol=2e-4)


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1, 20, 1e3, 1e5])
def test_a_divergence_of_floored_probabilities_is_finite_and_has_its_digits(temperature):
    tempered = TEACHER / np.float32(temperature), STUDENT / np.float32(temperature)
    powers = (np.exp((x - x.max(-1, keepdims=True)).astype("longdouble")) for x in tempered)
    p, q = (x / x.sum(-1, keepdims=True) + 1e-10 for x in powers)
    expected = np.sum(p * np.log(p / q), axis=-1).astype("float64")
    np.testing.assert_allclose(ops.convert_to_numpy(floored_kl(*tempered, least=1e-10)), expected, rtol=1e-3)


@pytest.mark.parametrize("difference", [0.0, 1e-7, 1e-4, 0.01, 0.3, 3.0])
@pytest.mark.parametrize("shift", [0.0, -50.0, 1000.0])
def test_a_divergence_of_near_logits_is_right_whatever_both_are_shifted_by(difference, shift):
    student = (TEACHER + np.float32(difference) * STUDENT + np.float32(shift)).astype("float32")
    found = ops.convert_to_numpy(kl(TEACHER, student))
    assert (found >= 0).all()
    np.testing.assert_allclose(found, exact(TEACHER, student), rtol=1e-3, atol=1e-13)


def test_a_class_without_probability_adds_nothing_and_one_without_the_others_everything():
    masked, other, even = (ops.convert_to_tensor([row]) for row in ([0.0, 1.0, -np.inf], [0.0, 0.5, -np.inf], [0.0, 0.0, 0.0]))
    first = [np.array([[0.0, last]]) for last in (1.0, 0.5)]
    assert float(kl(masked, other)[0]) == pytest.approx(exact(*first)[0], rel=1e-5)
    assert float(kl(masked, masked)[0]) == 0
    assert np.isinf(float(kl(even, masked)[0]))
    assert float(cross_entropy(np.array([[0.0, 1.0, 0.0]], "float32"), masked)[0]) == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_the_gradient_is_that_of_the_student_minus_the_teacher(scale):
    teacher, student = TEACHER * np.float32(scale), STUDENT * np.float32(scale)
    (found,) = gradients(lambda x: ops.sum(kl(teacher, x)), student)[1]
    p, q = (ops.convert_to_numpy(ops.softmax(x.astype("float64"))) for x in (teacher, student))
    np.testing.assert_allclose(found, q - p, rtol=1e-3, atol=1e-6 * min(scale, 1))


SPIKES = RANDOM.random((3, 2, 4, 4, 5)).astype("float32")


@pytest.mark.every(4)
@pytest.mark.parametrize("temperature", [1e4, 1e5, 1e6])
@pytest.mark.parametrize(
    ("objective", "rank"),
    [
        *(({"objective": "soft_targets", "distance": name}, 2) for name in ("kl", "reverse_kl", "mixed_kl", "adaptive_head_tail_kl")),
        ({"objective": "noisy_soft_targets", "form": "paper", "seed": 0}, 2),
        ({"objective": "noisy_soft_targets", "form": "code", "seed": 0}, 2),
        ({"objective": "error_alignment"}, 3),
        ({"objective": "correct_steps"}, 3),
        ({"objective": "step_alignment"}, 3),
        ({"objective": "confident_steps"}, 3),
        ({"objective": "feature_map", "distance": "kl"}, 5),
    ],
)
def test_no_objective_is_negative_at_a_high_temperature(objective, rank, temperature):
    objective = kd.objectives.get({**objective, "temperature": temperature})
    shape = {2: (8, 10), 3: (8, 4, 10), 5: (8, 2, 4, 4, 3)}[rank]
    labels = RANDOM.integers(0, 10, 8)
    for _ in range(20):
        teacher, student = (RANDOM.normal(size=shape).astype("float32") for _ in range(2))
        value = float(objective.compute_loss(teacher if objective.uses_teacher else None, student, labels))
        assert np.isfinite(value)
        assert value >= 0


def test_at_a_high_temperature_soft_targets_are_the_differences_of_logits():
    centered = (TEACHER - STUDENT) - (TEACHER - STUDENT).mean(-1, keepdims=True)
    value = float(kd.objectives.SoftTargets(temperature=1e5).compute_loss(TEACHER, STUDENT))
    assert value == pytest.approx(float((centered**2).mean() / 2), rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("jit", [False, True])
def test_of_equal_classes_the_first_is_the_likeliest(dtype, jit):
    logits = [[-0.0, 0.0, -1.0], [0.0, -0.0, -1.0], [-1.0, -0.0, 0.0], [2.0, 2.0, 2.0], [-np.inf, -np.inf, -3.0], [-0.0, -0.0, 1e-6]]
    found = likeliest(ops.convert_to_tensor(logits, dtype))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.function(likeliest, jit_compile=jit)(tf.constant(logits, dtype))
    assert ops.convert_to_numpy(found).tolist() == [0, 0, 1, 0, 2, 2]


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_steps_and_exits_are_right_by_the_first_of_equal_logits(zero):
    logits = np.array([[[zero, -zero, -1.0], [-1.0, zero, -zero]]], "float32")
    objective = kd.objectives.CorrectSteps()
    assert ops.convert_to_numpy(objective.right_steps(np.array([0]), logits)).ravel().tolist() == [1, 0]
    assert ops.convert_to_numpy(objective.right_steps(np.array([1]), logits)).ravel().tolist() == [0, 1]
    targets, valid = kd.objectives.Exits(distance="mse").target_and_validity(ops.convert_to_tensor(logits + np.float32(0)), np.array([2]))
    assert not ops.convert_to_numpy(valid).any()
    assert not ops.convert_to_numpy(targets).any()


def test_error_alignment_takes_a_step_for_right_by_the_first_of_equal_logits():
    teacher, labels = np.array([[1.0, 3.0, 0.0]], "float32"), np.array([0])
    plain, signed = (np.array([[[zero, 0.0, -1.0]]], "float32") for zero in (0.0, -0.0))
    values = [float(kd.objectives.ErrorAlignment().compute_loss(teacher, logits, labels)) for logits in (plain, signed)]
    assert values[0] == values[1]
