"""Digits, small models trained on them for a moment, and a converter without the cost of a process."""

import importlib
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_snnkd import models
from keras_snnkd.export import _convert

# the functions of the package hide its modules of the same name
LITERT = importlib.import_module("keras_snnkd.export.litert")
MICRO = importlib.import_module("keras_snnkd.export.micro")
SAVED_MODEL = importlib.import_module("keras_snnkd.export.saved_model")

SHAPE = (8, 8, 1)
BUILDS = {
    "convnet_flatten": {"spec": "convnet:8,pool,16", "head": "flatten"},
    "convnet_average_alif": {"spec": "convnet:8,16", "head": "average", "neuron": "alif"},
    "mlp_membrane_latency_plif": {"spec": "mlp:64", "readout": "membrane", "encoder": "latency", "timesteps": 6, "neuron": "plif"},
    "resnet_tdbn": {"spec": "resnet:8,16/1,1", "normalization": "threshold"},
    "mlp_spike_count_soft": {"spec": "mlp:48", "readout": "spike_count", "reset": "soft", "tau": 3.0, "timesteps": 8},
    "relu_twin": {"spec": "convnet:8,pool,16", "head": "flatten", "neuron": "relu"},
    "mixed_bfloat16": {"spec": "mlp:32"},
}


def digits():
    """Images `[1797, 8, 8, 1]` in 0..1 and labels."""
    data = load_digits()
    return (data.images[..., np.newaxis] / 16).astype("float32"), data.target


def trained(spec, epochs=4, **arguments):
    """A model after a few epochs."""
    images, labels = digits()
    model = models.build(spec, SHAPE, 10, **arguments)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False)
    model.fit(images, labels, batch_size=128, epochs=epochs, verbose=0)
    return model


def busy(spec, **arguments):
    """A model with batch norms that have seen something, so that all layers fire; untrained, which saves time."""
    keras.utils.set_random_seed(0)
    model, rng = models.build(spec, SHAPE, 10, **arguments), np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight, low, high in zip(layer.weights, (0.5, 0.2, -0.1, 0.3), (1.5, 1.0, 0.1, 1.5), strict=True):
                weight.assign(rng.uniform(low, high, weight.shape))
    return model


@pytest.fixture(scope="session")
def samples():
    return digits()[0][:64]


@pytest.fixture(scope="session")
def student():
    keras.utils.set_random_seed(0)
    return trained(**BUILDS["convnet_flatten"])


@pytest.fixture(scope="session")
def reference(student, samples):
    """The student as the gate sees it, which is silent; most of its cost is compilation."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The structure of `inputs`")
        return LITERT.Reference(student, samples)


@pytest.fixture
def in_process(monkeypatch):
    """Conversions in this process, which saves the import of TensorFlow."""

    def convert(jobs):
        for job in jobs:
            job = {name: str(value) for name, value in job.items()}
            output = job.pop("output")
            Path(output).write_bytes(_convert.convert(**job))

    monkeypatch.setattr(LITERT, "convert", convert)
