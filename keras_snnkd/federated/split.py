"""Who owns which samples."""

import numpy as np

from keras_snnkd._types import Array


def dirichlet_split(labels: Array, members: int, alpha: float, seed: int = 0) -> list[Array]:
    """Samples divided among members, each with other shares of the classes.

    For each class, the members' shares are drawn from a Dirichlet distribution with all parameters alpha: near 0 a class belongs to few
    members, and a large alpha gives all of them the same. A draw that leaves a member without samples is drawn again.

    Args:
        labels: Class numbers `[N]`.
        members: How many.
        alpha: Greater than 0.
        seed: Of the draws.

    Returns:
        The places of each member's samples, in order; together all N.

    Raises:
        ValueError: For a number that is none above 0, or more members than samples.

    Example:
        >>> dirichlet_split(labels, members=5, alpha=0.5)

    Source: the split of Hsu, Qi and Brown (2019), arXiv:1909.06335.
    """
    labels = np.asarray(labels).reshape(-1)
    if isinstance(members, bool) or not isinstance(members, int) or not 1 <= members <= len(labels):
        raise ValueError(f"members must be a whole number from 1 to the {len(labels)} samples, got {members!r}")
    if not 0 < alpha < 1e9:
        raise ValueError(f"alpha must be a number above 0, got {alpha!r}")
    random = np.random.default_rng(seed)
    while True:
        owned: list[list[Array]] = [[] for _ in range(members)]
        for number in np.unique(labels):
            places = random.permutation(np.flatnonzero(labels == number))
            ends = (np.cumsum(random.dirichlet([alpha] * members))[:-1] * len(places)).astype(int)
            for member, part in enumerate(np.split(places, ends)):
                owned[member].append(part)
        found = [np.sort(np.concatenate(parts)) for parts in owned]
        if all(len(places) for places in found):
            return found
