"""Spikes come back exactly from one bit each, anything else rounded to float16."""

import ml_dtypes
import numpy as np
import pytest

from keras_snnkd.distill.packing import Packing
from keras_snnkd.errors import KDError

RANDOM = np.random.default_rng(0)


def round_trip(values):
    packing = Packing.of(values)
    rows = packing.pack(values)
    assert rows.shape == (len(values), packing.columns)
    assert rows.dtype == packing.stored
    assert rows[0].nbytes == packing.bytes
    return packing, np.asarray(packing.unpack(rows))


@pytest.mark.parametrize("shape", [(8,), (9,), (2, 10), (3, 4, 4, 5)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", ml_dtypes.bfloat16])
def test_spikes_take_a_bit_each_and_come_back_as_they_were(shape, dtype):
    spikes = RANDOM.integers(0, 2, (6, *shape)).astype(dtype)
    packing, back = round_trip(spikes)
    assert packing.bytes == -(-np.prod(shape) // 8)
    assert back.dtype == spikes.dtype
    np.testing.assert_array_equal(back, spikes)


def test_the_first_spike_is_the_highest_bit_of_the_first_byte():
    spikes = np.array([[1, 0, 0, 0, 0, 0, 1, 0, 0, 1]], "float32")
    np.testing.assert_array_equal(Packing.of(spikes).pack(spikes), [[0b10000010, 0b01000000]])


def test_other_values_are_rounded_to_float16():
    values = RANDOM.normal(0, 30, (6, 2, 10)).astype("float32")
    packing, back = round_trip(values)
    assert packing.bytes == 40
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values.astype("float16"))
    np.testing.assert_allclose(back, values, rtol=2**-11)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 1], "bits"), ([1, 1], "bits"), ([0, 0], "float16"), ([0, 2], "float16"), ([-1, 1], "float16"), ([0.5, 1], "float16")],
    ids=str,
)
def test_only_zeros_and_ones_are_spikes(values, kind):
    values = np.array([values], "float32")
    packing, back = round_trip(values)
    assert packing.kind == kind
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ([0, 1], [0, 0.5], "0 and 1 in the first batch are something else in a later one"),
        ([0, 1], [0, np.nan], "0 and 1 in the first batch"),
        ([0, 2], [0, 1e5], "NaN or beyond the range of float16, 65504"),
        ([0, 2], [0, np.nan], "NaN or beyond"),
    ],
    ids=str,
)
def test_values_that_do_not_fit_are_refused(first, later, message):
    with pytest.raises(KDError, match=message):
        Packing.of(np.array([first], "float32")).pack(np.array([later], "float32"))
