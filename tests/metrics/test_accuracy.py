"""How often a network is right: nothing is broadcast, and an answer that is NaN is none."""

import numpy as np
import pytest

from keras_snnkd import metrics
from keras_snnkd.errors import InputError, ShapeError

LOGITS = np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 1.0], [0.0, 0.0, 5.0], [-0.0, 0.0, -1.0]], "float32")
LABELS = np.array([1, 0, 1, 0])


def test_accuracy_and_agreement_by_hand():
    assert metrics.predictions(LOGITS).tolist() == [1, 0, 2, 0]  # of equal ones the first, also of -0.0 and 0.0
    assert metrics.accuracy(LOGITS, LABELS) == 3 / 4
    assert metrics.agreement(LOGITS, np.eye(3)[[1, 0, 0, 0]]) == 3 / 4


@pytest.mark.parametrize(
    "logits", [LOGITS[:, None], LOGITS[:, :, None], LOGITS[0], LOGITS[:, :0], LOGITS[None]], ids=lambda x: str(x.shape)
)
def test_logits_of_another_shape_are_refused(logits):
    with pytest.raises(ShapeError, match=r"expected the logits of each image, \[N, C\]"):
        metrics.accuracy(logits, LABELS)
    with pytest.raises(ShapeError):
        metrics.agreement(LOGITS, logits)


@pytest.mark.parametrize("labels", [LABELS[:3], LABELS[:, None], LABELS[None], np.array(1), np.eye(3)[LABELS]], ids=np.shape)
def test_labels_of_another_shape_are_refused(labels):
    with pytest.raises(ShapeError, match=r"expected labels \[4\]"):
        metrics.accuracy(LOGITS, labels)


@pytest.mark.parametrize(
    ("labels", "came"),
    [(LABELS + 2, "got 2 to 3"), (LABELS - 1, "got -1 to 0"), (LABELS + 0.5, "got 0.5 to 1.5"), (LABELS.astype(str), "got <U21")],
)
def test_labels_that_are_no_numbers_of_the_classes_are_refused(labels, came):
    with pytest.raises(ShapeError, match=rf"labels must be whole numbers 0\.\.2, as there are scores of 3 classes; {came}"):
        metrics.accuracy(LOGITS, labels)
    assert metrics.accuracy(LOGITS, LABELS.astype("float32")) == 3 / 4


def test_answers_that_are_nan_are_told_and_infinite_ones_have_an_order():
    some = LOGITS.copy()
    some[1, 2] = np.nan
    with pytest.raises(InputError, match="1 of 4 answers are NaN"):
        metrics.accuracy(some, LABELS)
    with pytest.raises(InputError, match="4 of 4 answers are NaN"):
        metrics.accuracy(np.full((4, 3), np.nan), LABELS)
    assert metrics.accuracy(np.array([[-np.inf, 0.0], [np.inf, 0.0]]), [1, 0]) == 1


def test_no_images_have_no_accuracy():
    with pytest.raises(ValueError, match="no images"):
        metrics.accuracy(LOGITS[:0], LABELS[:0])
