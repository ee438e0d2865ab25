"""Series that are padded with zeros at the end."""

from typing import Any

import numpy as np


def lengths(series: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Steps up to the last one that is not all zeros, at least 1, of series `[N, T, ...]`, int `[N]`.

    Example:
        >>> lengths(np.array([[[1.0], [0.0], [2.0], [0.0]]]))  # [3]
    """
    filled = (np.asarray(series) != 0).reshape(*series.shape[:2], -1).any(axis=-1)
    return np.maximum((filled * np.arange(1, series.shape[1] + 1)).max(axis=1), 1)
