"""Exported models, run as a device would run them."""

from pathlib import Path

import numpy as np

from keras_snnkd.errors import FileFormatError, ShapeError
from keras_snnkd.export.contents import read_contents


class LiteRT:
    """A `.tflite` file in the LiteRT interpreter, one image at a time.

    Args:
        path: The file.
        threads: Number of threads, 1 by default: more did not help at the sizes of our students.

    Raises:
        FileFormatError: If the file is missing, truncated, foreign, or takes something else than one float32 image.

    Example:
        >>> accuracy = (LiteRT("student.tflite").predict(images).argmax(-1) == labels).mean()
    """

    def __init__(self, path: str | Path, threads: int = 1):
        from ai_edge_litert.interpreter import Interpreter

        self.path = Path(path)
        self.contents = read_contents(self.path)
        try:
            self._interpreter = Interpreter(model_path=str(self.path), num_threads=threads)
            self._interpreter.allocate_tensors()
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise FileFormatError(f"{self.path} does not run in LiteRT: {str(error).strip()[:300]}") from error
        if len(inputs) != 1 or inputs[0]["dtype"] != np.float32 or inputs[0]["shape"][0] != 1:
            found = ", ".join(f"{i['dtype'].__name__} {tuple(map(int, i['shape']))}" for i in inputs)
            raise FileFormatError(
                f"{self.path} takes {found}; expected one float32 image of batch 1, as keras_snnkd.export.litert writes it"
            )
        self._input, self._outputs = inputs[0], outputs

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return tuple(map(int, self._input["shape"][1:]))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Run images one after the other.

        Args:
            images: Float array `[N, ...]`, scaled as in training.

        Returns:
            Logits, float32 `[N, C]`.

        Raises:
            ShapeError: If the images do not fit.
            FileFormatError: If the file has more than one output.
        """
        if len(self._outputs) != 1:
            raise FileFormatError(f"{self.path} has {len(self._outputs)} outputs; expected the logits alone")
        images = check_images(images, self.image_shape)
        output = self._outputs[0]
        logits = np.empty((len(images), *output["shape"][1:]), "float32")
        for image, row in zip(images, logits, strict=True):
            self._interpreter.set_tensor(self._input["index"], image[np.newaxis])
            self._interpreter.invoke()
            row[...] = self._interpreter.get_tensor(output["index"])[0]
        return logits

    def outputs(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """As `predict`, for files with several named outputs: a dict of arrays `[N, ...]`."""
        images = check_images(images, self.image_shape)
        runner = self._interpreter.get_signature_runner()
        (name,) = runner.get_input_details()
        rows = [runner(**{name: image[np.newaxis]}) for image in images]
        return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


class SavedModel:
    """A SavedModel folder, run by TensorFlow alone.

    Args:
        path: The folder.

    Raises:
        FileFormatError: If the folder holds no SavedModel with one input.

    Example:
        >>> logits = SavedModel("student").predict(images)
    """

    def __init__(self, path: str | Path):
        import tensorflow as tf

        self.path = Path(path)
        try:
            self._loaded = tf.saved_model.load(str(self.path))  # kept: it owns the variables
            self.signature = self._loaded.signatures["serving_default"]
            ((self._name, spec),) = self.signature.structured_input_signature[1].items()
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise FileFormatError(f"{self.path} is not a SavedModel as keras_snnkd.export.saved_model writes it: {reason}") from error
        self.image_shape = tuple(spec.shape[1:])

    def predict(self, images: np.ndarray, batch_size: int = 128) -> np.ndarray:
        """Logits, float32 `[N, C]`, of images `[N, ...]`; raises ShapeError if they do not fit."""
        return self.outputs(images, batch_size)["logits"]

    def outputs(self, images: np.ndarray, batch_size: int = 128) -> dict[str, np.ndarray]:
        """As `predict`, all outputs by name."""
        import tensorflow as tf

        images = check_images(images, self.image_shape)
        parts = [
            self.signature(**{self._name: tf.constant(images[start : start + batch_size])}) for start in range(0, len(images), batch_size)
        ]
        return {key: np.concatenate([part[key].numpy() for part in parts]) for key in parts[0]}


def check_images(images: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
    """Images as a float32 array `[N, *image_shape]`.

    Raises:
        ShapeError: If the shape is another one, there are no images, or they are not floating-point numbers.
    """
    images = np.asarray(images)
    expected = f"[N, {', '.join('?' if n is None else str(n) for n in image_shape)}]"
    fits = images.ndim == 1 + len(image_shape) and all(n in (None, m) for n, m in zip(image_shape, images.shape[1:], strict=True))
    if not fits or not len(images):
        raise ShapeError(f"expected images {expected} with N of at least 1, got shape {images.shape}")
    if images.dtype.kind != "f":
        raise ShapeError(f"expected images {expected} of float32, scaled as in training, got {images.dtype}; for bytes try images / 256")
    return np.ascontiguousarray(images, "float32")
