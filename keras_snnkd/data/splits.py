"""What a reader of files hands over, and how it is divided into training, validation and test."""

from typing import NamedTuple

import numpy as np

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.samples import Samples, count, of_each, rows

Arrays = tuple[Samples, np.ndarray]

TENTH = "validation is every tenth training image of each class, spread evenly over it"

TENTH_OF_NUMBERS = "validation is every tenth training image, of small and of large numbers alike"


class Source(NamedTuple):
    """Images and labels as they were read.

    Args:
        name: Short name of the data set.
        class_names: What label 0, 1, ... stands for.
        train: Images uint8 `[N, H, W, C]`, or a mapping of several inputs, and
            labels int `[N]`, or numbers float32 `[N, ...]`, before validation is taken off.
        test: The same for the test set.
        validation: The same where the files have some of their own; else `None`.
        notes: What a person should know of how they were read, each a phrase.
    """

    name: str
    class_names: tuple[str, ...]
    train: Arrays
    test: Arrays
    validation: Arrays | None = None
    notes: tuple[str, ...] = ()


def split(source: Source, limit: int | None = None) -> dict[str, Arrays]:
    """Take validation off the training part, unless the source has its own: a tenth of each class, spread evenly over it.

    So validation has all classes in whatever order the images come, and, where neighbours are alike (of one writer, one film), as many of
    each kind as there are to train on.

    Args:
        source: What was read.
        limit: At most this many images of the training part, before the split, and of the test set, with all classes alike.

    Returns:
        `train_arrays`, `validation_arrays` and `test_arrays`, each uint8 images `[N, H, W, C]`, or a mapping of several inputs, and int32
        labels `[N]`, or numbers float32 `[N, ...]`, read-only. Numbers are spread as classes are, by the tenth of them that they fall into.

    Raises:
        FileFormatError: Fewer than two training images, or no test image; or a class without an image to train on.
    """
    labels = strata(source.train[1])
    kept = first(labels, limit)
    if len(kept) < 2 or count(source.test[0]) < 1:
        raise FileFormatError(
            f"{source.name}: got {len(kept)} training and {count(source.test[0])} test images; "
            f"training and validation need at least 2, test at least 1."
        )
    chosen = np.zeros(len(kept), bool) if source.validation else spread(labels[kept], len(kept) // 10)
    if not source.validation and not chosen.any():
        chosen[-1] = True  # one image of each class
    validation = source.validation or tuple(rows(part, kept[chosen]) for part in source.train)
    held = source.validation and first(strata(source.validation[1]), limit)
    return {
        "train_arrays": _read_only(source.train, kept[~chosen]),
        "validation_arrays": _read_only(validation, slice(None) if held is None else held),
        "test_arrays": _read_only(source.test, first(strata(source.test[1]), limit)),
    }


def strata(labels: np.ndarray) -> np.ndarray:
    """Class numbers as they are; of numbers `[N, ...]`, into which tenth of them each one falls, those of a map by their mean: `[N]`."""
    if labels.dtype.kind != "f":
        return labels
    ranks = np.argsort(np.argsort(labels.reshape(len(labels), -1).mean(axis=1), kind="stable"), kind="stable")
    parts = min(10, max(1, len(labels) // 10))  # fewer of few, or each part would give one sample at least
    return ranks * parts // len(labels)


def first(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Positions, in order, of at most `limit` samples: the first ones of each class, of all classes the same share."""
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    return np.sort(mixed(labels)[:limit])


def mixed(labels: np.ndarray) -> np.ndarray:
    """An order in which each class, itself in order, is spread evenly over the whole."""
    labels = np.asarray(labels)
    by_class = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    return by_class[np.lexsort((labels[by_class], places))]


def spread(labels: np.ndarray, total: int) -> np.ndarray:
    """Choose about `total` samples, of each class its share, and at least one where it has two.

    Args:
        labels: `[N]`.
        total: How many; shares are rounded so that they add up to it (largest remainders first).

    Returns:
        Bool `[N]`. Of a class with n samples, of which v are chosen, the i-th one is that in position ``floor((i + 1/2) n / v)``.

    Example:
        >>> spread(np.array([0, 0, 0, 0, 1, 1]), 3).nonzero()[0]  # array([1, 3, 5])
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * total / max(1, len(labels))
    wanted = np.floor(shares).astype(int)
    most = np.argsort(wanted - shares, kind="stable")[: total - wanted.sum()]
    wanted[most] += 1
    wanted = np.minimum(np.maximum(wanted, counts > 1), counts - 1)
    chosen = np.zeros(len(labels), bool)
    for number, of_class, part in zip(classes, counts, wanted, strict=True):
        if part:
            positions = np.floor((np.arange(part) + 0.5) * of_class / part).astype(int)
            chosen[np.flatnonzero(labels == number)[positions]] = True
    return chosen


def every_fifth(count: int) -> np.ndarray:
    """Which of `count` samples are test: True at positions 4, 9, 14, ..."""
    return np.arange(count) % 5 == 4


def _read_only(arrays: Arrays, part: slice | np.ndarray) -> Arrays:
    images = of_each(lambda values: np.ascontiguousarray(values[part], np.float32 if values.dtype.kind == "f" else np.uint8), arrays[0])
    labels = np.ascontiguousarray(arrays[1][part], np.float32 if arrays[1].dtype.kind == "f" else np.int32)
    of_each(lambda values: values.setflags(write=False), images)
    labels.setflags(write=False)
    return images, labels
