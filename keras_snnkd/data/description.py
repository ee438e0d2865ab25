"""What came, said back: shape, classes, images of each, range, and how they are split."""

from collections.abc import Sequence
from typing import Any

import numpy as np

PARTS = ("train", "validation", "test")

LISTED_CLASSES = 20
"""Up to so many classes are listed one by one in text."""


def counts(data: Any) -> dict[str, list[int]]:
    """How many images of each class each part of a `Data` has; of numbers, how many there are."""
    if data.gives_numbers:
        return {part: [len(getattr(data, f"{part}_arrays")[1])] for part in PARTS}
    return {part: np.bincount(getattr(data, f"{part}_arrays")[1], minlength=data.num_classes).tolist() for part in PARTS}


def value_range(values: np.ndarray) -> tuple[int | float, int | float]:
    """The smallest and the largest byte of images, or number of series."""
    return values.min().item(), values.max().item()


def describe(data: Any) -> list[str]:
    """A `Data` in some lines of text.

    Example:
        >>> print(*describe(keras_snnkd.data.load("digits")), sep="\\n")
    """
    found = counts(data)
    sizes = ", ".join(f"{sum(found[part]):,} {part}" for part in PARTS)
    lines = [
        f"{data.name}: {_samples(data)}, {data.labels_told}; {sizes}; batches of {data.batch_size}",
        *data.notes,
        *(_of_numbers(data) if data.gives_numbers else _of_classes(data.class_names, found, data.kind)),
        *data.repeats,
    ]
    if data.unlabelled is not None:
        lines.append(f"{len(data.unlabelled):,} more without labels")
    return [f"data: {lines[0]}", *[f"  {line}" for line in lines[1:]]]


def _samples(data: Any) -> str:
    """What a sample is, and between which numbers: of several inputs each of them."""
    if not data.is_named:
        low, high = value_range(data.train_arrays[0])
        return f"{data.kind} {data.image_shape}, {_unit(data)} {low:.5g} to {high:.5g}"
    told = []
    for name, values in data.train_arrays[0].items():
        low, high = value_range(values)
        told.append(f"{name} {data.image_shape[name]}, {'bytes' if values.dtype == np.uint8 else 'values'} {low:.5g} to {high:.5g}")
    return f"{data.kind} of {len(told)} inputs, {'; '.join(told)}"


def _unit(data: Any) -> str:
    """What the numbers of a sample are."""
    if data.is_text:
        return f"a vocabulary of {len(data.vocabulary):,}, ids"
    return "values" if data.is_series else "events" if data.is_events else "bytes"


def _of_numbers(data: Any) -> list[str]:
    """The range of each of the first numbers to learn, and what they deviate by."""
    labels = data.train_arrays[1].reshape(-1, data.num_outputs)
    told = [f"{low:.4g} to {high:.4g}" for low, high in zip(labels.min(0)[:5], labels.max(0)[:5], strict=True)]
    return [f"to learn: {'; '.join(told)}{' and more' if data.num_outputs > 5 else ''} in training"]


def _of_classes(names: Sequence[str], found: dict[str, list[int]], kind: str) -> list[str]:
    lines = []
    if len(names) <= LISTED_CLASSES:
        each = zip(*(found[part] for part in PARTS), strict=True)
        numbers = [f"{name} {'/'.join(map(str, of_parts))}" for name, of_parts in zip(names, each, strict=True)]
        lines.append(f"{kind} per class ({', '.join(PARTS)}): {'; '.join(numbers)}")
    else:
        lines.append(f"{kind} per class: " + ", ".join(f"{min(found[part])} to {max(found[part])} {part}" for part in PARTS))
    for part in PARTS:
        missing = [name for name, count in zip(names, found[part], strict=True) if not count]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            lines.append(f"no {kind} of {', '.join(missing[:5])}{more} in {part}")
    return lines
