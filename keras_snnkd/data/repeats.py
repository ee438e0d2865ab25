"""Images that are there more than once: in training and in test, or under two labels."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


def repeats(parts: Mapping[str, Arrays]) -> list[str]:
    """What is to be said of repeated images, in sentences; nothing where each is there once in all parts.

    Args:
        parts: Images or series `[N, ...]` and labels `[N]` of the parts `"train"`, `"validation"` and `"test"`.

    Example:
        >>> repeats({"train": (images, labels), "validation": (few, theirs), "test": (images, labels)})
    """
    digests = {part: [_digest(image) for image in images] for part, (images, _) in parts.items()}
    if len(set(digests["train"])) == 1 < len(digests["train"]):
        return ["all training images are alike, so that there is nothing to learn from them"]
    seen = set(digests["train"])
    lines = []
    for part in ("validation", "test"):
        known = sum(digest in seen for digest in digests[part])
        if known:
            lines.append(
                f"{known:,} of {len(digests[part]):,} {part} images are training images too, pixel by pixel: on these a network is judged "
                "by what it was shown"
            )
    labels: defaultdict[bytes, set[int]] = defaultdict(set)
    for part, (_, given) in parts.items():
        for digest, label in zip(digests[part], given.tolist(), strict=True):
            labels[digest].add(label)
    several = sum(len(found) > 1 for found in labels.values())
    if several:
        lines.append(f"{several:,} images are there under several labels, of which at most one can be right")
    return lines


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
