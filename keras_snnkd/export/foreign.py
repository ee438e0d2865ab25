"""What runners of files by others have in common: batches of a fixed size."""

from collections.abc import Callable, Mapping

import numpy as np


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
