"""Which training images have a label, where only a share of them has."""

import numpy as np

UNLABELLED = -1
"""In place of a class number, for an image whose class is not known."""


def check_share(share: float) -> float:
    """`share`, or a `ValueError` if that many images cannot be labelled."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise ValueError(f"labels must be the share of training images that are labelled, above 0 and at most 1, got {share!r}")
    return share


def is_labelled(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which training images are labelled, `[N]`: of each class the first ones in an order that the seed decides, at least one."""
    order = np.random.default_rng(seed).permutation(len(labels))
    known = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        known[of_class[: max(1, round(share * len(of_class)))]] = True
    return known
