"""From the logits of the time steps so far to an answer, and how sure it is."""

import numpy as np

from keras_snnkd._outputs import looks_like_probabilities
from keras_snnkd._types import Array
from keras_snnkd.errors import InputError


def so_far(total: Array, latest: Array, steps: int | Array, readout: str) -> Array:
    """The readout after some time steps: what the model's output would be with T of just so many.

    Args:
        total: Sum of the logits of these steps, `[..., C]`.
        latest: Logits of the last of them, `[..., C]`.
        steps: Their number, or an array that goes with the others.
        readout: `"mean"` of the steps' logits, `"sum"` (spike counts), or the `"last"` ones (membrane potentials).

    Returns:
        `[..., C]`.
    """
    if readout == "mean":
        return total / steps
    return {"sum": total, "last": latest}[readout]


def likeliest(logits: np.ndarray) -> np.ndarray:
    """The class with the largest logit, `[..., C] -> [...]`; of equal ones the first, and 0.0 and -0.0 are equal.

    Raises:
        InputError: If a logit is NaN: such an answer is none.
    """
    logits = np.asarray(logits)
    if logits.dtype.kind == "f" and (bad := np.isnan(logits).any(axis=-1)).any():
        raise InputError(
            f"{np.sum(bad):,} of {np.size(bad):,} answers are NaN; look for NaN in the weights, and for inputs that are not scaled as in "
            "training"
        )
    return logits.argmax(axis=-1)


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Class probabilities, float64 `[C]`, of what a file gives for one image: the softmax of logits, or the outputs, if they are those."""
    outputs = np.asarray(outputs, "float64")
    return outputs if looks_like_probabilities(outputs[np.newaxis]) else softmax(outputs)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, float64, over the last axis."""
    powers = np.exp(np.asarray(logits, "float64") - np.max(logits, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
