"""One compiled pass over images that brings back a few numbers per layer instead of all activations."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.files.samples import Samples, by_input, count, rows
from keras_snnkd.training.compilation import outside_xla


class Measurement(keras.Model):
    """Runs a model up to some of its tensors and reduces them, all in one compiled function.

    Args:
        model: The functional model.
        tensors: Symbolic tensors of that model, by name.
        reduce: From the dictionary of values to what is brought back; in `keras.ops`.
    """

    def __init__(self, model: keras.Model, tensors: Mapping[str, Any], reduce: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__(name="measurement")
        self.taps = keras.Model(graphs.inputs_of(model), dict(tensors))
        self.reduce = reduce
        outside_xla(self)

    def call(self, images: Tensor) -> Any:
        return self.reduce(self.taps(images, training=False))

    def batches(self, images: Any, batch_size: int) -> Iterator[Any]:
        """What `reduce` returns, as NumPy arrays, for one batch after the other.

        Raises:
            ShapeError: If the images do not fit the model.
            ValueError: If there are none, or if `batch_size` is below 1.
        """
        images = check_images(self.taps, images)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        for start in range(0, count(images), batch_size):
            yield self.predict_on_batch(graphs.in_order(self.taps, rows(images, slice(start, start + batch_size))))


def check_images(model: keras.Model, images: Any) -> Samples:
    """`images` as an array that fits the model's input `[B, ...]`, or of several inputs a mapping of such by name.

    Raises:
        ShapeError, UnknownNameError: If they do not fit.
        ValueError: If there are none.
    """
    if len(model.inputs) > 1:
        given = by_input(images, [tensor.name for tensor in model.inputs], "the model")
        return {tensor.name: _checked(given[tensor.name], tensor) for tensor in model.inputs}
    return _checked(images, model.inputs[0])


def _checked(images: Any, taken: Tensor) -> np.ndarray:
    images = np.asarray(images)
    expected = tuple(taken.shape[1:])
    fits = images.ndim == len(expected) + 1 and all(want in (None, got) for want, got in zip(expected, images.shape[1:], strict=True))
    if not fits:
        raise ShapeError(f"the model takes images [B, {', '.join(map(str, expected))}], got an array of shape {images.shape}")
    if not len(images):
        raise ValueError("there are no images to measure on")
    return images
