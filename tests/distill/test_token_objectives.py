"""Objectives on networks for text have the values and gradients of the official code, and refuse what they cannot compare."""

import keras
import numpy as np
import pytest

from keras_snnkd.distill import methods
from keras_snnkd.distill.objectives import AttentionScores, EmbeddingTable, HiddenStates, SoftTargets
from keras_snnkd.errors import ShapeError
from tests.harness import gradients, oracle_cases

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def stacked(layers):
    """`[K, B, ...]` as `[B, K, ...]`."""
    return np.swapaxes(layers, 0, 1)


def with_embedding(layers):
    """Hidden states with any states before the first layer, which the loss does not read."""
    return np.concatenate([np.full_like(layers[:1], 7.0), layers])


@pytest.mark.parametrize("case", oracle_cases("losses_text.npz", "spikebert"), ids=str)
def test_the_second_stage_is_spikeberts(case):
    settings = case.settings
    hidden = HiddenStates(skip=settings["ignored_layers"], divide_by_batch=True, weight=settings["rep_weight"])
    embedding, soft = EmbeddingTable(weight=settings["emb_weight"]), SoftTargets(1.0, weight=settings["logit_weight"])
    labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher_hidden, teacher_table = stacked(case["teacher_hidden"]), case["teacher_embedding"][None]

    def parts(logits, table, states):
        return (
            labels(case["labels"], keras.ops.mean(logits, axis=1)),
            embedding.compute_loss(teacher_table, table),
            soft.compute_loss(case["teacher_logits"], logits),
            hidden.compute_loss(teacher_hidden, states),
        )

    def total(logits, table, states):
        weights = settings["ce_weight"], embedding.weight, soft.weight, hidden.weight
        return sum(weight * part for weight, part in zip(weights, parts(logits, table, states), strict=True))

    student = stacked(case["logits"]), case["student_embedding"][None], stacked(with_embedding(case["student_hidden"]))
    for found, name in zip(parts(*student), ("ce", "embedding", "logit", "rep"), strict=True):
        np.testing.assert_allclose(found, case[f"loss_{name}"], **CLOSE)
    found, (logits, table, states) = gradients(total, *student)
    np.testing.assert_allclose(found, case["loss"], **CLOSE)
    np.testing.assert_allclose(stacked(logits), case["grad_logits"], **CLOSE)
    np.testing.assert_allclose(table[0], case["grad_student_embedding"], **CLOSE)
    np.testing.assert_allclose(stacked(states)[1:], case["grad_student_hidden"], **CLOSE)
    assert not states[:, 0].any()


def test_the_weights_of_the_preset_are_those_of_the_script():
    settings = oracle_cases("losses_text.npz", "spikebert")[0].settings
    method = methods.get("spikebert")
    weights = {entry["objective"]: entry["weight"] for entry in method.objectives}
    assert method.label_weight == settings["ce_weight"]
    assert weights == {
        "embedding_table": settings["emb_weight"],
        "soft_targets": settings["logit_weight"],
        "hidden_states": settings["rep_weight"],
    }


@pytest.mark.parametrize("case", oracle_cases("losses_text.npz", "spikingbert"), ids=str)
def test_both_stages_are_spikingberts(case):
    attention, hidden = AttentionScores(), HiddenStates(match="last", embedding=True)
    teacher = stacked(case["teacher_attention"]), stacked(case["teacher_representation"])

    def first_stage(scores, states):
        return attention.compute_loss(teacher[0], scores) + hidden.compute_loss(teacher[1], states)

    student = stacked(case["student_attention"]), stacked(case["student_representation"])
    np.testing.assert_allclose(attention.compute_loss(teacher[0], student[0]), case["loss_attention"], **CLOSE)
    found, (scores, states) = gradients(first_stage, *student)
    np.testing.assert_allclose(found, case["loss"], **CLOSE)
    np.testing.assert_allclose(stacked(scores), case["grad_student_attention"], **CLOSE)
    np.testing.assert_allclose(stacked(states), case["grad_student_representation"], **CLOSE)

    tau = case.settings["temperature"]
    soft = SoftTargets(tau, distance="soft_cross_entropy", reduction="elementwise")
    found, (logits,) = gradients(lambda z: soft.compute_loss(case["teacher_logits"], z) / tau**2, case["logits"])
    np.testing.assert_allclose(found, case["loss_soft_ce"], **CLOSE)
    np.testing.assert_allclose(logits, case["grad_logits"], **CLOSE)


def test_what_has_time_is_averaged_over_it():
    random = np.random.default_rng(0)
    teacher, student = random.normal(size=(2, 5, 3, 4)), random.normal(size=(2, 3, 6, 3, 4))
    expected = sum(np.square(student[:, i + 1].mean(1) - teacher[:, 1 + 2 * i]).mean() for i in range(2))
    np.testing.assert_allclose(HiddenStates().compute_loss(teacher, student), expected, rtol=1e-5)


def test_a_list_of_layers_is_compared_in_order():
    random = np.random.default_rng(0)
    teacher, student = (list(random.normal(size=(2, 2, 3, 4))) for _ in range(2))
    objective = HiddenStates(teacher_tap=["a", "b"], student_tap=["c", "d"])
    expected = sum(np.square(s - t).mean() for s, t in zip(student, teacher, strict=True))
    np.testing.assert_allclose(objective.compute_loss(teacher, student), expected, rtol=1e-5)


def test_other_widths_get_a_trained_projection_a_layer():
    objective = HiddenStates()
    objective.build((None, 5, 3, 8), (None, 3, 6, 3, 4))
    assert [tuple(helper.kernel.shape) for helper in objective.helpers] == [(4, 8), (4, 8)]
    table = EmbeddingTable()
    table.build((1, 9, 8), (1, 9, 4))
    assert tuple(table.helpers[0].kernel.shape) == (4, 8)


@pytest.mark.parametrize(
    ("objective", "teacher", "student", "told"),
    [
        (HiddenStates(), (None, 2, 3, 4), (None, 4, 3, 4), "as many layers"),
        (HiddenStates(), (None, 3, 5, 4), (None, 3, 3, 4), "same length"),
        (AttentionScores(), (None, 2, 4, 3, 3), (None, 2, 2, 3, 3), "as many heads"),
        (EmbeddingTable(), (1, 9, 4), (1, 8, 4), "same vocabulary"),
    ],
)
def test_what_cannot_be_compared_is_told(objective, teacher, student, told):
    with pytest.raises(ShapeError, match=told):
        objective.build(teacher, student)
