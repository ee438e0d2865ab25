"""Images that are there more than once: in training and in test, or under two labels."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from keras_snnkd.files.samples import Samples, arrays, rows

Arrays = tuple[Samples, np.ndarray]


def repeats(parts: Mapping[str, Arrays], kind: str = "images") -> list[str]:
    """What is to be said of repeated images, in sentences; nothing where each is there once in all parts.

    Args:
        parts: Images, series or token ids `[N, ...]` and labels `[N, ...]` of the parts `"train"`, `"validation"` and `"test"`.
        kind: What a sample is called, of many.

    Example:
        >>> repeats({"train": (images, labels), "validation": (few, theirs), "test": (images, labels)})
    """
    digests = {part: [_digest(rows(images, place)) for place in range(len(labels))] for part, (images, labels) in parts.items()}
    if len(set(digests["train"])) == 1 < len(digests["train"]):
        return [f"all training {kind} are alike, so that there is nothing to learn from them"]
    alike = {"sentences": "token by token", "images": "pixel by pixel"}.get(kind, "number by number")
    seen = set(digests["train"])
    lines = []
    for part in ("validation", "test"):
        known = sum(digest in seen for digest in digests[part])
        if known:
            lines.append(
                f"{known:,} of {len(digests[part]):,} {part} {kind} are training {kind} too, {alike}: on these a network is judged "
                "by what it was shown"
            )
    labels: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for part, (_, given) in parts.items():
        for digest, label in zip(digests[part], given.reshape(len(given), -1), strict=True):
            labels[digest].add(label.tobytes())
    several = sum(len(found) > 1 for found in labels.values())
    if several:
        lines.append(f"{several:,} {kind} are there under several labels, of which at most one can be right")
    return lines


def _digest(image: Samples) -> bytes:
    return hashlib.blake2b(b"".join(np.ascontiguousarray(values).data for values in arrays(image)), digest_size=16).digest()
