"""Networks and images as small as they can be, for the tests of distillation."""

import keras
import numpy as np

import keras_snnkd as kd

IMAGES = np.random.default_rng(0).uniform(size=(12, 4, 4, 1)).astype("float32")
LABELS = np.arange(12) % 3


def snn(width=6, timesteps=2, name="student", **arguments):
    """`image - flatten - block1_dense - block1_norm - encoder - block1_neuron - classifier - readout`."""
    return kd.models.MLP((4, 4, 1), 3, widths=(width,), timesteps=timesteps, threshold=0.5, name=name, **arguments)


def ann(width=9, name="teacher", **arguments):
    """The ANN twin of `snn`."""
    return kd.models.MLP((4, 4, 1), 3, widths=(width,), neuron="relu", name=name, **arguments)


def plain(width=6, name="student", classes=3, shape=(4, 4, 1)):
    """Without time, batch norm or anything of ours."""
    image = keras.Input(shape)
    hidden = keras.layers.Dense(width, activation="relu", name="hidden")(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Dense(classes, name="classifier")(hidden), name=name)


class Subclassed(keras.Model):
    """A model that is no graph, and tells its taps itself."""

    def __init__(self, width=6, **kwargs):
        super().__init__(**kwargs)
        self.flatten = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(width, activation="relu")
        self.classifier = keras.layers.Dense(3)

    def call_with_taps(self, x, training=False):
        hidden = self.hidden(self.flatten(x))
        return {"output": self.classifier(hidden), "hidden": hidden}

    def call(self, x, training=False):
        return self.call_with_taps(x, training)["output"]


def crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(student, teacher=None, objectives=(), optimizer="sgd", label_weight=1.0, **arguments):
    distiller = kd.Distiller(student, teacher, objectives, label_weight)
    distiller.compile(optimizer, crossentropy(), **arguments)
    return distiller


def fit(model, images=IMAGES, labels=LABELS, **arguments):
    """The metrics of one epoch (by default), in the order of the data."""
    history = model.fit(images, labels, **{"batch_size": 6, "shuffle": False, "verbose": 0, **arguments}).history
    return {name: values[-1] for name, values in history.items()}


def values(model):
    """Copies of all weights."""
    return [weight.numpy() for weight in model.weights]


def assert_equal_weights(model, others, **tolerance):
    assert model.weights
    for weight, other in zip(values(model), others, strict=True):
        np.testing.assert_allclose(weight, other, **{"rtol": 0, "atol": 0, **tolerance})
