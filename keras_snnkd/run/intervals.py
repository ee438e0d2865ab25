"""Intervals of accuracies and of their differences."""

import statistics
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95


def paired(values: Sequence[float], others: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, list[float] | None]:
    """The mean difference of pairs, and its interval by Student's t distribution.

    With ``d_i = values_i - others_i``, their mean ``m`` and standard deviation ``s``, and n pairs::

        interval = m -+ t(n - 1) s / sqrt(n),   t the quantile (1 + confidence) / 2 of n - 1 degrees of freedom

    Args:
        values: n numbers.
        others: As many.
        confidence: Of the interval.

    Returns:
        The mean, and `[low, high]`, or `None` for a single pair.

    Example:
        >>> paired([0.92, 0.93, 0.94], [0.90, 0.92, 0.94])  # 0.01, [-0.0148, 0.0348]
    """
    from scipy.stats import t  # scikit-learn brings scipy

    differences = [value - other for value, other in zip(values, others, strict=True)]
    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return mean, None
    half = float(t.ppf((1 + confidence) / 2, len(differences) - 1)) * statistics.stdev(differences) / len(differences) ** 0.5
    return mean, [mean - half, mean + half]


def wilson(accuracy: float, count: int) -> list[float]:
    """Wilson's interval of 95 % for a share of `count` images.

    Example:
        >>> wilson(0.9, 100)  # [0.8256, 0.9448]
    """
    z = 1.959964
    centre = accuracy + z * z / (2 * count)
    half = z * float(np.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count)))
    return [(centre - half) / (1 + z * z / count), (centre + half) / (1 + z * z / count)]
