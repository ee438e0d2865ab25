"""Turned images: the official numbers, which ones are kept, and how a distiller shows them."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objectives import SoftTargets, TurnedTargets
from keras_snnkd.errors import KDError, ShapeError
from tests.distill import tiny
from tests.harness import gradients, oracle_cases


def view_by_view(rows):
    """Rows in groups of four, an image and its views, as all images, then each view of all."""
    return rows.reshape(-1, 4, rows.shape[-1]).swapaxes(0, 1).reshape(rows.shape)


@pytest.mark.parametrize("case", oracle_cases("losses_views.npz", "sskd"), ids=str)
def test_value_and_gradient_are_those_of_the_official_code(case):
    settings, count = case.settings, len(case["labels"])
    soft = SoftTargets(settings["temperature"])
    turned = TurnedTargets(settings["ratio_tf"], settings["temperature_augmented"])
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher = view_by_view(case["teacher_logits"])

    def total(student):
        loss = settings["ce_weight"] * crossentropy(case["labels"], student[:count])
        loss += settings["kd_weight"] * soft.compute_loss(teacher[:count], student[:count])
        return loss + settings["tf_weight"] * turned.compute_loss(teacher, student, case["labels"])

    student = view_by_view(case["logits"])
    np.testing.assert_allclose(turned.compute_loss(teacher, student, case["labels"]), case["loss_kd_augmented"], rtol=1e-4)
    found, (gradient,) = gradients(total, student)
    np.testing.assert_allclose(found, case["loss"], rtol=1e-4)
    np.testing.assert_allclose(gradient, view_by_view(case["grad_logits"]), rtol=1e-4, atol=1e-6)


def test_a_distiller_shows_both_networks_all_views_and_the_labels_the_images():
    student, teacher = tiny.plain(), tiny.plain(9, "teacher")
    distiller = kd.Distiller(student, teacher, [TurnedTargets(weight=0.5)])
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = tiny.IMAGES[:5], tiny.LABELS[:5]
    shown = np.concatenate([np.rot90(images, turn, axes=(1, 2)) for turn in range(4)])
    expected = 0.5 * TurnedTargets().compute_loss(teacher(shown), student(shown), labels)
    expected += keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, student(images))
    found = distiller.compute_loss(images, labels, distiller(images, training=True))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_cache_of_the_images_themselves_does_not_serve():
    distiller = kd.Distiller(tiny.plain(), tiny.plain(9, "teacher"), [TurnedTargets()])
    with pytest.raises(KDError, match="without a cache"):
        distiller({"inputs": tiny.IMAGES, "teacher": {"logits": np.zeros((12, 3), "float32")}}, training=True)


def test_images_that_are_not_square_are_refused():
    with pytest.raises(ShapeError, match="square"):
        kd.Distiller(tiny.plain(shape=(4, 6, 1)), tiny.plain(9, "teacher", shape=(4, 6, 1)), ["turned_targets"])
