"""What the properties are tried on."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

EDGES = [0.0, -0.0, 1.0, 1.2e-38, 1e-30, 1e30, 3.4e38, float("inf"), float("-inf"), float("nan")]
"""What float32 holds at its ends, and what it does not count with."""

FLOATS = st.one_of(st.floats(-4, 4, width=32), st.sampled_from([np.float32(edge) for edge in EDGES]))
FINITE = st.floats(-1e4, 1e4, width=32)
NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([*EDGES, 1e39, 1e300, 10**400, True, None, "1", [1.0], {}]))
"""What somebody may give for a number."""


def sequences(elements=FLOATS):
    """Currents `[B, T, ...]`."""
    shapes = st.tuples(st.integers(1, 2), st.integers(1, 5)).flatmap(
        lambda start: st.lists(st.integers(1, 3), min_size=1, max_size=3).map(lambda rest: (*start, *rest))
    )
    return shapes.flatmap(lambda shape: arrays.arrays("float32", shape, elements=elements))


def tensors(*shape, elements=FLOATS):
    """Arrays of a shape."""
    return arrays.arrays("float32", shape, elements=elements)
