"""Errors of numbers: by hand, and what is no answer."""

import numpy as np
import pytest

from keras_snnkd.errors import InputError, ShapeError
from keras_snnkd.metrics import number_errors


def test_errors_by_hand():
    labels, outputs = np.array([[0.0, 10.0], [2.0, 30.0]]), np.array([[1.0, 10.0], [2.0, 27.0]])
    found = number_errors(outputs, labels)
    assert found["mae"] == 1
    assert found["rmse"] == pytest.approx(np.sqrt(10 / 4))
    assert found["r2"] == pytest.approx(1 - 10 / (2 + 200))  # around the mean of each of the two
    assert number_errors(np.full((2, 2), [1.0, 20.0]), labels)["r2"] == 0


def test_nothing_is_broadcast_and_nan_is_no_answer():
    with pytest.raises(ShapeError, match="of the shape of the labels"):
        number_errors(np.zeros((4, 1)), np.zeros(4))
    with pytest.raises(InputError, match="NaN"):
        number_errors(np.array([[np.nan]]), np.array([[1.0]]))
