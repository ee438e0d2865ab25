"""Cross-entropy and accuracy of class numbers and of mixtures."""

import keras
import numpy as np
import pytest

from keras_snnkd.training.labels import LabelCrossEntropy, label_accuracy

LOGITS = np.log([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]).astype("float32")


def test_class_numbers_have_the_loss_of_keras():
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([0, 1]), LOGITS)
    assert float(LabelCrossEntropy()(np.array([0, 1]), LOGITS)) == pytest.approx(float(expected))


def test_shares_of_classes_count_by_their_size():
    labels = np.array([[0.75, 0.25, 0], [0, 0, 1]], "float32")
    expected = [-(0.75 * np.log(0.5) + 0.25 * np.log(0.25)), -np.log(0.75)]
    np.testing.assert_allclose(LabelCrossEntropy(reduction=None)(labels, LOGITS), expected, rtol=1e-6)


def test_smoothing_gives_every_class_a_part():
    expected = -(0.8 * np.log(0.5) + 0.1 * np.log(0.25) + 0.1 * np.log(0.25))
    for labels in (np.array([0]), np.array([[1.0, 0, 0]], "float32")):
        assert float(LabelCrossEntropy(0.3)(labels, LOGITS[:1])) == pytest.approx(expected, rel=1e-5)


def test_the_loss_comes_back_from_its_config():
    again = keras.losses.deserialize(keras.losses.serialize(LabelCrossEntropy(0.1)))
    assert again.label_smoothing == 0.1


@pytest.mark.parametrize("labels", [np.array([0, 0]), np.array([[0.5, 0.25, 0.25], [0.6, 0, 0.4]], "float32")], ids=["numbers", "shares"])
def test_accuracy_asks_for_the_label_or_the_largest_share(labels):
    accuracy = label_accuracy()
    accuracy.update_state(labels, LOGITS)
    assert float(accuracy.result()) == 0.5


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, "0.1", True, float("nan")])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match="label_smoothing must be a number from 0 to less than 1"):
        LabelCrossEntropy(smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_samples_without_a_label_do_not_count(smoothing):
    loss = LabelCrossEntropy(smoothing)
    logits = np.concatenate([LOGITS, -LOGITS, LOGITS])
    alone = float(loss(np.array([0, 1]), LOGITS))
    assert float(loss(np.array([0, 1, -1, -1, -1, -1]), logits)) == pytest.approx(alone, rel=1e-6)
    shares = np.concatenate([np.eye(3, dtype="float32")[:2], np.zeros((4, 3), "float32")])
    assert float(loss(shares, logits)) == pytest.approx(alone, rel=1e-6)
    accuracy = label_accuracy()
    accuracy.update_state(np.array([0, 1, -1, -1, -1, -1]), logits)
    assert float(accuracy.result()) == 0.5


def test_a_batch_without_any_label_has_no_loss():
    assert float(LabelCrossEntropy()(np.array([-1, -1]), LOGITS)) == 0
