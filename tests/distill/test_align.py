"""Maps of teacher and student on one size, as pooling layers would bring them there."""

import numpy as np
import pytest

from keras_snnkd.distill.align import Alignment
from keras_snnkd.distill.objectives.features import FeatureMap
from keras_snnkd.errors import ShapeError


def test_what_fills_no_window_at_the_border_is_left_out():
    student = np.arange(7 * 6, dtype="float32").reshape(1, 7, 6, 1)
    teacher = np.ones((1, 3, 3, 1), "float32")
    theirs, ours = Alignment(FeatureMap(), teacher.shape, student.shape)(teacher, student)
    np.testing.assert_array_equal(theirs, teacher)
    by_hand = student[0, :6, :, 0].reshape(3, 2, 3, 2).mean((1, 3))
    np.testing.assert_allclose(np.array(ours)[0, :, :, 0], by_hand)


@pytest.mark.parametrize("size", range(4, 120))
def test_one_pooling_more_fits_images_of_every_size(size):
    """Our teachers of own images pool once more before their last neurons than our students."""
    Alignment(FeatureMap(), (None, 2, size // 4, size // 4, 8), (None, 2, size // 2, size // 2, 8))


def test_what_is_no_pooling_of_the_other_is_refused():
    with pytest.raises(ShapeError, match="a whole multiple of the other's, but for what a pooling leaves out"):
        Alignment(FeatureMap(), (None, 3, 3, 8), (None, 8, 8, 8))
