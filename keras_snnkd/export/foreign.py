"""What runners of files by others have in common: batches of a fixed size."""

from collections.abc import Callable, Mapping

import numpy as np

from keras_snnkd.files.samples import Samples, count, rows


def in_batches(run: Callable[[Samples], Mapping[str, np.ndarray]], images: Samples, size: int, fixed: int | None) -> dict[str, np.ndarray]:
    """All outputs of all images, by name.

    Args:
        run: From a batch to its outputs.
        images: `[N, ...]`, or a mapping of such by input.
        size: Of a batch.
        fixed: The only batch size that the file takes; the last batch is filled up with its last image. `None` for any.
    """
    size = fixed or size
    found = []
    for start in range(0, count(images), size):
        batch = rows(images, slice(start, start + size))
        lacking = (fixed or 0) - count(batch)
        filled = rows(batch, np.r_[: count(batch), [count(batch) - 1] * lacking]) if lacking > 0 else batch
        found.append({name: np.asarray(output)[: count(batch)] for name, output in run(filled).items()})
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
