"""The statistics of a comparison, by hand."""

import numpy as np
import pytest

from keras_snnkd.run.comparing.ranking import ranked
from keras_snnkd.run.intervals import paired
from keras_snnkd.run.plan import ALONE


def test_the_interval_of_three_pairs_by_hand():
    mean, (low, high) = paired([0.92, 0.93, 0.94], [0.90, 0.92, 0.94])
    half = 4.302653 * 0.01 / 3**0.5  # t of 2 degrees of freedom; the differences 0.02, 0.01, 0 deviate by 0.01
    np.testing.assert_allclose([mean, low, high], [0.01, 0.01 - half, 0.01 + half], rtol=1e-6)


def test_a_constant_difference_has_an_interval_of_no_width_and_one_pair_has_none():
    assert paired([0.75, 1.0], [0.5, 0.75]) == (0.25, [0.25, 0.25])
    assert paired([0.75], [0.5]) == (0.25, None)


def test_rows_are_ranked_and_paired_by_seed():
    measured = {
        ALONE: [{"seed": 0, "accuracy": 0.5}, {"seed": 1, "accuracy": 0.75}],
        "good": [{"seed": 0, "accuracy": 0.75, "seconds": 2.0}, {"seed": 1, "accuracy": 1.0, "seconds": 4.0}],
        "late": [{"seed": 1, "accuracy": 0.5}],
        "none": [],
    }
    rows = {row["name"]: row for row in ranked(measured)}
    assert list(rows) == ["good", ALONE, "late"]
    assert (rows["good"]["difference"], rows["good"]["interval"]) == (0.25, [0.25, 0.25])
    assert (rows["late"]["difference"], rows["late"]["interval"]) == (-0.25, None)
    assert rows[ALONE]["difference"] is None
    assert (rows["good"]["accuracy"], rows["good"]["seconds"], rows["late"]["accuracy_sd"]) == (0.875, 3.0, None)
    assert rows["good"]["accuracy_sd"] == pytest.approx(0.125 * 2**0.5)
