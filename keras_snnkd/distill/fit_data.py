"""What `Distiller.fit` is given, looked at before the first step."""

from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd.errors import ShapeError, wrong_kind

ARRAYS = "arrays, fit(images, labels), or batches, fit(data.train, validation_data=data.validation)"


def check_fit(student: keras.Model, x: Any, y: Any) -> None:
    """Refuse what is no data, and class numbers that the student has no score for.

    Args:
        student: Gives scores `[B, C]`.
        x: Arrays or batches.
        y: Labels; `None` where `x` brings them.

    Raises:
        KindError: For no data, a name, or a whole data set in place of its batches.
        ShapeError: For labels that are not as many as the images, or out of range; -1 stands for no label.

    Example:
        >>> check_fit(student, images, labels)
    """
    if x is None or isinstance(x, str) or hasattr(x, "train_arrays"):
        raise wrong_kind("the data to fit", x, ARRAYS)
    if y is None or not hasattr(y, "shape"):
        return
    first = keras.tree.flatten(x)[0]
    if hasattr(first, "shape") and first.shape and first.shape[0] != y.shape[0]:
        raise ShapeError(f"got {first.shape[0]} inputs and {y.shape[0]} labels; expected one label for each input")
    labels, classes = np.asarray(y), student.outputs[0].shape[-1] if graphs.is_graph(student) and len(student.outputs[0].shape) == 2 else 1
    numbers = labels.size and labels.ndim == 1 and labels.dtype.kind in "iu" and classes > 1
    if numbers and (labels.min() < -1 or labels.max() >= classes):
        raise ShapeError(
            f"the labels are {labels.min()} to {labels.max()}, and the student {student.name} gives scores of {classes} classes; expected "
            f"0..{classes - 1}"
        )
