"""Objectives on logits have the values and gradients that the official code computed."""

import numpy as np
import pytest

from keras_snnkd.distill.objectives.logits import NoisySoftTargets, SoftTargets, WeightedSoftTargets
from keras_snnkd.distill.objectives.refined import DecoupledTargets, StandardizedTargets
from keras_snnkd.distill.objectives.self_distillation import CorrectSteps, StepAlignment, TemporalKnowledgeSharing
from keras_snnkd.distill.objectives.steps import ErrorAlignment, StepLabels
from tests.harness import gradients, oracle_cases


def batch_major(array):
    """`[T, B, C]` as `[B, T, C]`; logits without time stay."""
    return np.swapaxes(array, 0, 1) if array.ndim == 3 else array


def full_range(settings):
    tau = settings["temperature"]
    return {
        "loss_ce": (1, StepLabels()),
        "loss_teacher": (settings["alpha"], SoftTargets(tau, time="per_step")),
        "loss_self": (settings["beta"], CorrectSteps(temperature=tau)),
    }


def seal(settings):
    tau = settings["temperature"]
    return {
        "loss_ce": (1, StepLabels()),
        "loss_ela": (settings["alpha"], ErrorAlignment(temperature=tau)),
        "loss_sta": (settings["beta"], StepAlignment(temperature=tau)),
    }


def hsd(settings):
    return {"loss_kd": (1, SoftTargets(settings["temperature"], time="per_step", reduction="elementwise"))}


def akl(settings):
    return {"loss": (1, SoftTargets(1.0, time="per_step", distance="adaptive_head_tail_kl", head_mass=settings["mu"]))}


def tks(settings):
    return {"loss_tks": (1, TemporalKnowledgeSharing(settings["temperature"]))}


def bkdsnn_wsld(settings):
    return {"loss": (1, WeightedSoftTargets(settings["temperature"]))}


def ckdsnn(settings):
    return {"loss_nld": (1, NoisySoftTargets(settings["temperature"], 1 - settings["noise_weight"]))}


def dkd(settings):
    weights = settings["alpha"], settings["beta"]
    return {"loss": (1, DecoupledTargets(settings["temperature"], *weights))}


def standardized_kd(settings):
    return {"loss": (1, StandardizedTargets(settings["temperature"]))}


def standardized_dkd(settings):
    weights = settings["alpha"], settings["beta"]
    return {"loss": (1, DecoupledTargets(settings["temperature"], *weights, standardize=True))}


OFFICIAL = [  # the weighted terms of a loss by the names of their values, and the value to compare: one term's, or "loss"
    (hsd, "loss_kd"),
    (akl, "loss"),
    *((full_range, value) for value in ("loss_ce", "loss_teacher", "loss_self", "loss")),
    *((seal, value) for value in ("loss_ela", "loss_sta", "loss")),
    (tks, "loss_tks"),
    (bkdsnn_wsld, "loss"),
    (ckdsnn, "loss_nld"),
    (dkd, "loss"),
    (standardized_kd, "loss"),
    (standardized_dkd, "loss"),
]


@pytest.mark.every(2)
@pytest.mark.parametrize(
    ("case", "terms", "value"),
    [
        pytest.param(case, terms, value, id=f"{case}-{value}")
        for terms, value in OFFICIAL
        for case in oracle_cases("losses_logits.npz", terms.__name__)
    ],
)
def test_value_and_gradient_are_those_of_the_official_code(case, terms, value):
    terms = terms(case.settings)
    teacher, labels = case.arrays.get("teacher_logits"), case.arrays.get("labels", case.arrays.get("label_distribution"))
    summed = [(1, terms[value][1])] if value in terms else list(terms.values())
    for _, objective in summed:
        objective._normal = lambda like: case["standard_normal"]

    def total(student):
        return sum(weight * objective.compute_loss(teacher, student, labels) for weight, objective in summed)

    found, (gradient,) = gradients(total, batch_major(case["logits"]))
    tolerance = {"rtol": 1e-4, "atol": 1e-6 if len(summed) == 1 else 5e-6}
    np.testing.assert_allclose(found, case[value], **tolerance)
    np.testing.assert_allclose(gradient, batch_major(case[value.replace("loss", "grad_logits")]), **tolerance)
