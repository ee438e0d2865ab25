"""Accuracy and spikes of many models of one architecture, by one compiled function."""

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
    """Test accuracy and spikes of many models of one architecture, by one compiled function.

    Args:
        data: The data set.
    """

    def __init__(self, data: Data) -> None:
        self.images, self.labels = test_images(data)
        self._model: keras.Model | None = None

    def __call__(self, model: keras.Model) -> dict[str, Any]:
        """`accuracy` of the whole test set, and `spikes_per_image` of its first images (see `evaluation.MEASURED_IMAGES`)."""
        if self._model is None:
            self._model = keras.models.clone_model(model)
            spikes = {layer.name: graphs.first_output(layer) for layer in self._model.layers if graphs.fires(layer)}
            self._fires = bool(spikes)
            self._run = Measurement(self._model, {**spikes, OUTPUT: self._model.outputs[0]}, _reduce)
        self._model.set_weights(model.get_weights())
        restart_random_layers(self._model, 0)
        logits, fired = zip(*self._run.batches(self.images, 250), strict=True)
        counted = np.concatenate(fired)[:MEASURED_IMAGES]
        accuracy = accuracy_of(np.concatenate(logits), self.labels)
        return {"accuracy": accuracy, "spikes_per_image": float(counted.mean()) if self._fires else None}


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
