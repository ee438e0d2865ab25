"""What runners of files by others have in common: batches of a fixed size, and which output is the logits."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.logits import LOGITS, check_logits


def in_batches(
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]], images: np.ndarray, size: int, fixed: int | None
) -> dict[str, np.ndarray]:
    """All outputs of all images, by name.

    Args:
        run: From a batch to its outputs.
        images: `[N, ...]`.
        size: Of a batch.
        fixed: The only batch size that the file takes; the last batch is filled up with its last image. `None` for any.
    """
    size = fixed or size
    rows = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        lacking = (fixed or 0) - len(batch)
        filled = np.concatenate([batch, np.repeat(batch[-1:], lacking, axis=0)]) if lacking > 0 else batch
        rows.append({name: np.asarray(output)[: len(batch)] for name, output in run(filled).items()})
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def logits_of(outputs: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    """The output called logits, or else the only one, as float32 `[N, C]`.

    Raises:
        FileFormatError: If there are several and none is called logits, or it is no logits.
    """
    if LOGITS not in outputs and len(outputs) != 1:
        raise FileFormatError(f"{path} has the outputs {', '.join(outputs)}; expected one, or one that is called {LOGITS}")
    return check_logits(outputs.get(LOGITS, next(iter(outputs.values()))), path)
