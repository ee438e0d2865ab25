"""How a cache stores outputs: what comes back is what went in, rounded as said, or it was refused."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_snnkd.distill.packing import BITS, Packing
from keras_snnkd.errors import KDError
from tests.properties.values import FLOATS

SHAPES = arrays.array_shapes(min_dims=2, max_dims=5, max_side=7)
DTYPES = st.sampled_from(["float32", "float16", "bfloat16", "uint8", "bool", "float64"])


def dtype(name):
    return ml_dtypes.bfloat16 if name == "bfloat16" else name


@given(spikes=SHAPES.flatmap(lambda shape: arrays.arrays("bool", shape)), name=DTYPES)
def test_spikes_come_back_bit_for_bit(spikes, name):
    spikes = spikes.astype(dtype(name))
    packing = Packing.of(spikes)
    rows = packing.pack(spikes)
    assert rows.shape == (len(spikes), packing.columns)
    assert rows.nbytes == len(spikes) * packing.bytes
    assert (packing.kind == BITS) == bool(np.any(spikes))
    back = packing.unpack(rows).numpy()
    assert back.dtype == spikes.dtype
    np.testing.assert_array_equal(back, spikes)


@given(values=SHAPES.flatmap(lambda shape: arrays.arrays("float32", shape, elements=FLOATS)))
def test_values_come_back_to_float16s_precision_or_are_refused(values):
    packing = Packing.of(values)
    try:
        back = packing.unpack(packing.pack(values)).numpy()
    except KDError:
        assert not np.all(np.abs(values) < 65520)  # halfway to the next, which float16 does not have; NaN is not below it
        return
    np.testing.assert_allclose(back, values, rtol=2**-11, atol=2**-25)


@given(values=SHAPES.flatmap(lambda shape: arrays.arrays("float32", shape, elements=FLOATS)))
def test_what_is_packed_as_bits_and_is_none_is_refused(values):
    packing = Packing(BITS, values.shape[1:], "float32")
    if np.all((values == 0) | (values == 1)):
        np.testing.assert_array_equal(packing.unpack(packing.pack(values)).numpy(), values)
    else:
        with pytest.raises(KDError, match="something else in a later one"):
            packing.pack(values)
