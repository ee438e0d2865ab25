"""What the outputs of a classifier are, as far as their numbers tell; NumPy alone, for devices too."""

import numpy as np


def looks_like_probabilities(outputs: np.ndarray) -> bool:
    """Whether outputs `[N, C]` of real samples are probabilities of C classes: none below 0, and each row adds up to 1."""
    outputs = np.asarray(outputs, "float32")
    return outputs.ndim == 2 and outputs.shape[1] > 1 and bool(np.all(outputs >= 0) and np.all(np.abs(outputs.sum(-1) - 1) < 5e-3))
