"""How far a network's numbers are from the right ones."""

from typing import Any

import numpy as np

from keras_snnkd.errors import InputError, ShapeError


def number_errors(outputs: Any, labels: Any) -> dict[str, float]:
    """Errors of numbers, or of dense maps, in the unit of the labels::

        mae  = mean of |z - y|
        rmse = root of the mean of (z - y)^2
        r2   = 1 - sum of (z - y)^2 / sum of (y - mean y)^2,   the means of each of the K numbers by themselves

    Args:
        outputs: `[N, ..., K]`.
        labels: Of the same shape.

    Returns:
        `"mae"`, `"rmse"` and `"r2"`; 1 is the best of the latter, and 0 that of who always says the mean.

    Raises:
        ShapeError: If the two are not of one shape; nothing is broadcast.
        InputError: If a number is NaN or infinite.

    Example:
        >>> kd.metrics.number_errors(student.predict(images), labels)["rmse"]
    """
    outputs, labels = np.asarray(outputs, "float64"), np.asarray(labels, "float64")
    if outputs.shape != labels.shape or not labels.size:
        raise ShapeError(f"expected outputs of the shape of the labels, {labels.shape}, got {outputs.shape}")
    if not np.isfinite(outputs).all():
        raise InputError("an output is NaN or infinite")
    difference = outputs - labels
    spread = labels - labels.reshape(-1, labels.shape[-1]).mean(axis=0)
    total = float(np.sum(spread**2))
    return {
        "mae": float(np.mean(np.abs(difference))),
        "rmse": float(np.sqrt(np.mean(difference**2))),
        "r2": 1 - float(np.sum(difference**2)) / total if total else 0.0,
    }
