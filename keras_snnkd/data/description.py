"""What came, said back: shape, classes, images of each, range, and how they are split."""

from collections.abc import Sequence
from typing import Any

import numpy as np

PARTS = ("train", "validation", "test")

LISTED_CLASSES = 20
"""Up to so many classes are listed one by one in text."""


def counts(data: Any) -> dict[str, list[int]]:
    """How many images of each class each part of a `Data` has."""
    return {part: np.bincount(getattr(data, f"{part}_arrays")[1], minlength=data.num_classes).tolist() for part in PARTS}


def value_range(data: Any) -> tuple[int | float, int | float]:
    """The smallest and the largest byte of the training images, or number of the training series."""
    images = data.train_arrays[0]
    return images.min().item(), images.max().item()


def describe(data: Any) -> list[str]:
    """A `Data` in some lines of text.

    Example:
        >>> print(*describe(keras_snnkd.data.load("digits")), sep="\\n")
    """
    found = counts(data)
    sizes = ", ".join(f"{sum(found[part]):,} {part}" for part in PARTS)
    low, high = value_range(data)
    kind, unit = _kind_and_unit(data)
    lines = [
        f"{data.name}: {kind} {data.image_shape}, {unit} {low:.5g} to "
        f"{high:.5g}, {data.num_classes} classes; {sizes}; batches of {data.batch_size}",
        *data.notes,
        *_of_classes(data.class_names, found),
        *data.repeats,
    ]
    return [f"data: {lines[0]}", *[f"  {line}" for line in lines[1:]]]


def _kind_and_unit(data: Any) -> tuple[str, str]:
    """What a sample is called, and what its numbers are."""
    if data.is_series:
        return "series", "values"
    if data.is_events:
        return "frames of events", "events"
    return "images", "bytes"


def _of_classes(names: Sequence[str], found: dict[str, list[int]]) -> list[str]:
    lines = []
    if len(names) <= LISTED_CLASSES:
        each = zip(*(found[part] for part in PARTS), strict=True)
        numbers = [f"{name} {'/'.join(map(str, of_parts))}" for name, of_parts in zip(names, each, strict=True)]
        lines.append(f"images per class ({', '.join(PARTS)}): {'; '.join(numbers)}")
    else:
        lines.append("images per class: " + ", ".join(f"{min(found[part])} to {max(found[part])} {part}" for part in PARTS))
    for part in PARTS:
        missing = [name for name, count in zip(names, found[part], strict=True) if not count]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            lines.append(f"no {part} image of {', '.join(missing[:5])}{more}")
    return lines
