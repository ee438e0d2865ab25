"""How often a network is right, and how often two networks agree."""

from typing import Any

import numpy as np

from keras_snnkd.edge.readout import likeliest
from keras_snnkd.errors import ShapeError


def predictions(logits: Any) -> np.ndarray:
    """The class of each image, `[N, C] -> [N]`: that of the largest logit, of equal ones the first.

    Raises:
        ShapeError: If the logits are not one row for each image, such as those of every time step.
        InputError: If one of them is NaN: such an answer is none.

    Example:
        >>> kd.metrics.predictions(student.predict(images))
    """
    logits = np.asarray(logits)
    if logits.ndim != 2 or not logits.shape[1]:
        raise ShapeError(f"expected the logits of each image, [N, C], got an array of shape {list(logits.shape)}")
    return likeliest(logits)


def accuracy(logits: Any, labels: Any) -> float:
    """The share of images whose likeliest class is their label::

        accuracy = mean over N of [argmax z[n] = y[n]]

    Args:
        logits: `[N, C]`.
        labels: Class numbers `[N]`.

    Returns:
        0..1.

    Raises:
        ShapeError: If the two do not fit each other, nothing is broadcast; for labels that are no numbers of these classes.
        InputError: If a logit is NaN.
        ValueError: If there are no images.

    Example:
        >>> kd.metrics.accuracy(student.predict(images), labels)
    """
    found, labels = predictions(logits), np.asarray(labels)
    share = _share(found, labels, "labels")
    classes = np.shape(logits)[1]
    whole = labels.dtype.kind in "biuf" and np.array_equal(labels, np.rint(labels))
    if not whole or labels.min() < 0 or labels.max() >= classes:
        came = f"{labels.min():g} to {labels.max():g}" if labels.dtype.kind in "biuf" else labels.dtype
        raise ShapeError(f"labels must be whole numbers 0..{classes - 1}, as there are scores of {classes} classes; got {came}")
    return share


def agreement(logits: Any, others: Any) -> float:
    """The share of images that two networks put into the same class, from the logits of both, `[N, C]`; raises as `accuracy`.

    Example:
        >>> kd.metrics.agreement(kd.edge.Runner("student.tflite").predict(images), student.predict(images))
    """
    return _share(predictions(logits), predictions(others), "predictions of the other network")


def _share(found: np.ndarray, expected: np.ndarray, what: str) -> float:
    """The mean of equality."""
    if found.shape != expected.shape:
        raise ShapeError(f"expected {what} [{len(found)}], one for each image, got an array of shape {list(expected.shape)}")
    if not len(found):
        raise ValueError("there are no images to be right about")
    return float(np.mean(found == expected))
