"""What the tests of objectives on logits share."""

import numpy as np

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def array(*values, shape=None):
    return np.array(values, "float32").reshape(shape or (1, -1))
