"""Accuracy and spikes of many models, by one compiled function for each architecture."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.data.data import Data
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.staging import read_json
from keras_snnkd.metrics.accuracy import accuracy as accuracy_of
from keras_snnkd.metrics.measurement import Measurement
from keras_snnkd.run.finished.evaluation import MEASURED_IMAGES, test_images
from keras_snnkd.weights.transfer import restart_random_layers

OUTPUT = "the model's output"


class Gauge:
    """Test accuracy and spikes of many models, by one compiled function for each architecture.

    Args:
        data: The data set.
    """

    def __init__(self, data: Data) -> None:
        self.images, self.labels = test_images(data)
        self._compiled: dict[str, tuple[keras.Model, Measurement]] = {}

    def __call__(self, model: keras.Model) -> dict[str, Any]:
        """`accuracy` of the whole test set, and `spikes_per_image` of its first images (see `evaluation.MEASURED_IMAGES`)."""
        architecture = str({**model.get_config(), "name": None})
        if architecture not in self._compiled:
            clone = keras.models.clone_model(model)
            spikes = {layer.name: graphs.first_output(layer) for layer in clone.layers if graphs.fires(layer)}
            self._compiled[architecture] = clone, Measurement(clone, {**spikes, OUTPUT: clone.outputs[0]}, _reduce)
        measured, run = self._compiled[architecture]
        measured.set_weights(model.get_weights())
        restart_random_layers(measured, 0)
        logits, fired = zip(*run.batches(self.images, 250), strict=True)
        counted = np.concatenate(fired)[:MEASURED_IMAGES]
        fires = any(graphs.fires(layer) for layer in measured.layers)
        accuracy = accuracy_of(np.concatenate(logits), self.labels)
        return {"accuracy": accuracy, "spikes_per_image": float(counted.mean()) if fires else None}


def _reduce(values: Any) -> Any:
    """Logits `[B, C]` and spikes `[B]`."""
    logits = ops.cast(values[OUTPUT], "float32")
    spikes = ops.zeros_like(logits[:, 0])
    for name, train in values.items():
        if name != OUTPUT:
            spikes += ops.sum(ops.reshape(ops.cast(train, "float32"), (ops.shape(logits)[0], -1)), axis=1)
    return logits, spikes


def measured_before(path: Path) -> dict[str, Any]:
    """What was measured before; nothing where that is not to be read, so that it is measured again."""
    try:
        return read_json(path, signed=True)
    except FileFormatError:
        return {}
