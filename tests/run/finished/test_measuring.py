"""What is said of the models of a finished run."""

import pytest

from keras_snnkd.run.finished.measuring import rounding_told


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"before_rounding": 0.9, "validation_accuracy": 0.875}, True),
        ({"before_rounding": 0.9, "validation_accuracy": 0.885}, False),
        ({"before_rounding": 0.9, "validation_accuracy": 0.91}, False),
        ({"validation_accuracy": 0.885}, False),  # of an earlier version
        ({"before_rounding": None, "validation_accuracy": None}, False),
        ({}, False),  # a teacher that was given
    ],
)
def test_accuracy_that_rounding_took_is_told(record, said):
    found = rounding_told("student_alone", record)
    assert len(found) == said
    for note in found:
        assert note.startswith("student alone: weights of 8 bits cost 2.5 points on validation images, 87.5% for 90.0%")
