"""The general objectives have the values and gradients that the official code computed."""

import keras
import numpy as np
import pytest

from keras_snnkd.distill.objectives import FeatureMap, SoftTargets
from tests.harness import gradients, oracle_cases


def batch_major(array):
    """`[T, B, ...]` as `[B, T, ...]`."""
    return np.swapaxes(array, 0, 1)


def crossentropy(labels, logits):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, keras.ops.mean(logits, axis=1))


def assert_value_and_gradient(function, student, value, gradient):
    found, (found_gradient,) = gradients(function, student)
    np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found_gradient, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", oracle_cases("losses.npz", "hinton_kd"), ids=str)
def test_soft_targets_are_hintons_in_torchdistill(case):
    tau, logits, teacher = case.settings["temperature"], batch_major(case["logits"]), case["teacher_logits"]
    objective = SoftTargets(temperature=tau)
    # the official loss_kl is without temperature^2
    assert_value_and_gradient(
        lambda student: objective.compute_loss(teacher, student) / tau**2,
        logits,
        case["loss_kl"],
        batch_major(case["grad_logits_kl"]),
    )

    def total(student):
        distillation = objective.compute_loss(teacher, student)
        return case.settings["alpha"] * crossentropy(case["labels"], student) + case.settings["beta"] * distillation

    assert_value_and_gradient(total, logits, case["loss"], batch_major(case["grad_logits"]))


@pytest.mark.parametrize("case", oracle_cases("losses.npz", "takd"), ids=str)
def test_soft_targets_by_element_are_takds(case):
    objective = SoftTargets(temperature=case.settings["temperature"], reduction="elementwise")
    share = case.settings["lambda_"]

    def total(student):
        return (1 - share) * crossentropy(case["labels"], student) + share * objective.compute_loss(case["teacher_logits"], student)

    assert_value_and_gradient(total, batch_major(case["logits"]), case["loss"], batch_major(case["grad_logits"]))


@pytest.mark.parametrize("case", oracle_cases("losses.npz", "idsnn"), ids=str)
def test_soft_targets_are_idsnns(case):
    objective = SoftTargets(temperature=case.settings["temperature"])
    logits, teacher, share = batch_major(case["logits"]), case["teacher_logits"], case.settings["kd_weight"]
    assert_value_and_gradient(
        lambda student: objective.compute_loss(teacher, student) / 16,  # in units that rounding noise of 1e-6 fits
        logits,
        case["loss_kd"] / 16,
        batch_major(case["grad_logits_kd"]) / 16,
    )

    def total(student):
        return crossentropy(case["labels"], student) + share * objective.compute_loss(teacher, student)

    assert_value_and_gradient(total, logits, case["loss"], batch_major(case["grad_logits"]))


@pytest.mark.parametrize("case", oracle_cases("losses.npz", "spike_count_kd"), ids=str)
def test_soft_targets_of_spike_counts_are_those_of_snn_distill(case):
    objective = SoftTargets(temperature=case.settings["temperature"], time="sum", reduction="elementwise")
    teacher, student = (batch_major(case[name]).astype("float32") for name in ("teacher_spikes", "student_spikes"))
    assert_value_and_gradient(
        lambda spikes: objective.compute_loss(teacher, spikes), student, case["loss_kd"], batch_major(case["grad_student_spikes"])
    )


@pytest.mark.parametrize("case", oracle_cases("losses.npz", "feature_sse"), ids=str)
def test_a_summed_feature_map_is_bkdsnns(case):
    objective, alpha = FeatureMap(reduction="sum"), case.settings["alpha"]
    teacher, student, gradient = (
        np.moveaxis(case[name], 1, -1) for name in ("teacher_features", "student_features", "grad_student_features")
    )
    assert_value_and_gradient(lambda features: alpha * objective.compute_loss(teacher, features), student, case["loss"], gradient)
