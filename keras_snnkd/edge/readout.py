"""From the logits of the time steps so far to an answer, and how sure it is."""

import numpy as np


def so_far(total, latest, steps, readout: str):
    """The readout after some time steps: what the model's output would be with T of just so many.

    Args:
        total: Sum of the logits of these steps, `[..., C]`.
        latest: Logits of the last of them, `[..., C]`.
        steps: Their number, or an array that goes with the others.
        readout: `"mean"` of the steps' logits, `"sum"` (spike counts), or the `"last"` ones (membrane potentials).

    Returns:
        `[..., C]`.
    """
    return {"mean": lambda: total / steps, "sum": lambda: total, "last": lambda: latest}[readout]()


def softmax(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, float64, over the last axis."""
    powers = np.exp(np.asarray(logits, "float64") - np.max(logits, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
