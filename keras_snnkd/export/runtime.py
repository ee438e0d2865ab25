"""Exported models, run as a device would run them."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.edge import Runner
from keras_snnkd.edge.images import check_samples
from keras_snnkd.errors import FileFormatError
from keras_snnkd.export.foreign import in_batches
from keras_snnkd.files.logits import check_answers
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import is_pattern

LiteRT = Runner
"""A `.tflite` file in the LiteRT interpreter: the runner that devices use, `keras_snnkd.edge.Runner`."""


class SavedModel:
    """A SavedModel folder, run by TensorFlow alone.

    Args:
        path: The folder.

    Raises:
        FileFormatError: If the folder holds no SavedModel with named inputs.

    Example:
        >>> logits = SavedModel("student").predict(images)
        >>> logits = SavedModel("fused").predict({"left": left, "right": right})
    """

    def __init__(self, path: str | Path) -> None:
        import tensorflow as tf

        self.path = Path(path)
        try:
            with _readable(self.path) as folder:
                self._loaded = tf.saved_model.load(str(folder))  # kept: it owns the variables
            self.signature = self._loaded.signatures["serving_default"]
            specs = self.signature.structured_input_signature[1]
            self._batch = {spec.shape[0] for spec in specs.values()}.pop()
            self._places = {name: (tuple(spec.shape[1:]), spec.dtype.as_numpy_dtype) for name, spec in specs.items()}
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise FileFormatError(f"{self.path} is not a SavedModel as keras_snnkd.export.saved_model writes it: {reason}") from error

    def predict(self, images: Samples, batch_size: int = 128) -> np.ndarray:
        """Logits, float32 `[N, C]`, or numbers `[N, ...]`, of images `[N, ...]`, or of several inputs a mapping by name; raises ShapeError
        or UnknownNameError if they do not fit."""
        return check_answers(self.outputs(images, batch_size), self.path)

    def outputs(self, images: Samples, batch_size: int = 128) -> dict[str, np.ndarray]:
        """As `predict`, all outputs by name."""
        import tensorflow as tf

        images = check_samples(images, self._places, str(self.path))

        def run(batch: Samples) -> dict[str, Any]:
            given = batch if isinstance(batch, dict) else {next(iter(self._places)): batch}
            return self.signature(**{name: tf.constant(values) for name, values in given.items()})

        return in_batches(run, images, batch_size, self._batch)


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[Path]:
    """A folder that TensorFlow can read: a copy for a while, where the path of this one looks like a pattern to it."""
    if not is_pattern(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as work:
        yield Path(shutil.copytree(folder, Path(work, "saved_model")))
