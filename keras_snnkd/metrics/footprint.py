"""How many bytes a network needs to be kept."""

import keras
import numpy as np


def footprint(model: keras.Model) -> int:
    """Bytes of all parameters and buffers of a model, as it is held in Keras.

    Trained weights and what is kept beside them (a batch norm's moving moments), each in its own number format; zeros count. The states of
    the neurons come and go with each call, and are not among them. An exported file's footprint is the size of that file. The name and the
    definition are NeuroBench's (Yik et al., 2025, Nature Communications 16:1545, arXiv:2304.04640).

    Args:
        model: Any Keras model that is built.

    Returns:
        Number of bytes.

    Example:
        >>> kd.metrics.footprint(student)
    """
    return sum(int(np.prod(weight.shape)) * np.dtype(weight.dtype).itemsize for weight in model.weights)
