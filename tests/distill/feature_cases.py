"""What the tests of objectives on features share."""

import numpy as np

import keras_snnkd as kd

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def array(values, *shape):
    return np.array(values, "float32").reshape(shape)


def value(objective, teacher, student):
    return float(objective.compute_loss(teacher, student))


def assert_close(found, expected, atol=1e-6):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=atol)


def conv(widths, head, name, **arguments):
    return kd.models.ConvNet((4, 4, 1), 3, widths=widths, head=head, name=name, **arguments)
