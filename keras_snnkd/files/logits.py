"""What a file has to give: the logits of each image, or numbers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_snnkd.errors import FileFormatError

LOGITS = "logits"
"""Name of the output that every exported model has."""


NUMBERS = "numbers"
"""Name of that output in files of models whose outputs are numbers, and not classes."""


def check_answers(outputs: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    """The output called numbers, float32 `[N, ...]`, or the one called logits, or else the only one, float32 `[N, C]`.

    Raises:
        FileFormatError: If there are several and none has such a name, or it is no logits; see `check_logits`.
    """
    if NUMBERS in outputs:
        return np.asarray(outputs[NUMBERS], "float32")
    if LOGITS not in outputs and len(outputs) != 1:
        raise FileFormatError(f"{path} has the outputs {', '.join(outputs)}; expected one, or one that is called {LOGITS}")
    return check_logits(outputs.get(LOGITS, next(iter(outputs.values()))), path)


def check_logits(values: np.ndarray, path: Path) -> np.ndarray:
    """An output as float32 `[N, C]`; axes of length 1 between images and classes are left out.

    Raises:
        FileFormatError: If it holds whole numbers, as behind an argmax, or has no axis of classes, or more than that.
    """
    values = np.asarray(values)
    said = f"{path} gives {values.dtype} of shape [{', '.join(['N', *map(str, values.shape[1:])])}], expected logits [N, C] of float32"
    if values.dtype.kind != "f":
        raise FileFormatError(f"{said}; does it end in an argmax? Convert the model without it, for the classes' scores are needed")
    if values.ndim < 2 or values.shape[-1] < 2 or values[0].size != values.shape[-1]:
        raise FileFormatError(f"{said}; convert the model so that it ends in one score a class")
    return values.reshape(len(values), -1).astype("float32")
