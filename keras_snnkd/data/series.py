"""Series: what a reader of files hands over, and how it is cut, padded and divided into training, validation and test.

A series is `[T, C]`: T steps of C channels. Series of different lengths are padded with zeros at the end, and a network takes the last step
that is not all zeros as the end of the series (`keras_snnkd.layers.Standardize`). Longer recordings are cut into windows, before which they
are divided: all windows of one group (a person, a recording) are in one part.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.padding import lengths

MAX_STEPS = 128
"""Series that are longer are cut into windows."""

WINDOW, HOP = 100, 50
"""Steps of a window, and from one window to the next."""

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
"""Shares of the groups, or of the series of each class, that are test and validation."""

GROUPS = "groups, such as people, are whole in one part: the last of them test, those before validation"
EACH = "validation is every tenth series of each class, spread evenly"


class Series(NamedTuple):
    """Series as they were read.

    Args:
        name: Short name of the data set.
        class_names: What label 0, 1, ... stands for.
        train: Series, each float32 `[T_i, C]`.
        labels: Their classes, int `[N]`.
        groups: Who or what each one comes from, `[N]`; `None` if they stand for themselves.
        test: Series of the test set and their labels, if it is given; else it is taken off.
        channel_names: What the channels are.
    """

    name: str
    class_names: tuple[str, ...]
    train: Sequence[np.ndarray]
    labels: np.ndarray
    groups: np.ndarray | None = None
    test: tuple[Sequence[np.ndarray], np.ndarray] | None = None
    channel_names: tuple[str, ...] = ()


def split(source: Series, limit: int | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Divide series, cut them into windows and pad them.

    With groups the last fifth of them, in sorted order, is test and the tenth before it validation, at least one each. Without, every tenth
    series of each class is validation, and every fifth test if no test set is given.

    Args:
        source: What was read.
        limit: At most this many series of the training part and of the test set.

    Returns:
        `train_arrays`, `validation_arrays` and `test_arrays`, each float32 series `[N, T, C]` and int32 labels `[N]`, read-only.

    Raises:
        FileFormatError: If series are empty, differ in their channels, hold what is not finite, or labels, groups or classes do not fit.

    Example:
        >>> split(Series("mine", ("still", "walking"), series, labels, groups=people))["test_arrays"]
    """
    given, given_labels = source.test or ((), np.zeros(0, int))
    _check(source, "series", source.train, source.labels, source.groups)
    _check(source, "test series", given, given_labels, None)
    channels = {len(one.T) for one in (*source.train, *given)}
    if len(channels) != 1:
        raise FileFormatError(
            f"{source.name}: all series must have the same channels, got {', '.join(map(str, sorted(channels)))} of them."
        )
    parts = _parts(source)
    picked: dict[str, Any] = {part: ([source.train[i] for i in where], source.labels[where]) for part, where in parts.items()}
    if source.test:
        picked["test"] = (given, given_labels)
    longest = max(len(one) for series, _ in picked.values() for one in series)
    steps = longest if longest <= MAX_STEPS else WINDOW
    arrays = {}
    for part, (series, labels) in picked.items():
        windows = [(window, label) for one, label in zip(series, labels, strict=True) for window in _windows(one, steps)]
        if limit is not None and part != "validation":
            windows = windows[:: max(1, len(windows) // limit)][:limit]  # of all classes, which may lie one after the other
        arrays[f"{part}_arrays"] = _padded(windows, steps)
    for part, (_, labels) in arrays.items():
        if not len(labels):
            raise FileFormatError(f"{source.name}: nothing is left for {part.removesuffix('_arrays')}; there are too few series or groups.")
    missing = sorted(set(range(len(source.class_names))) - set(arrays["train_arrays"][1].tolist()))
    if missing and limit is None:
        names = ", ".join(source.class_names[label] for label in missing)
        raise FileFormatError(f"{source.name}: no training series of the classes {names}; every class must be in several groups.")
    return arrays


def statistics(arrays: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the steps of series that are no padding, float32 `[C]` each."""
    series, _ = arrays
    steps = series[lengths(series)[:, None] > np.arange(series.shape[1])]
    deviation = steps.std(axis=0, dtype="float64")
    return steps.mean(axis=0, dtype="float64").astype("float32"), np.where(deviation > 0, deviation, 1.0).astype("float32")


def _check(source: Any, what: str, series: Any, labels: Any, groups: Any) -> None:
    for index, one in enumerate(series):
        if one.ndim != 2 or 0 in one.shape:
            raise FileFormatError(f"{source.name}: {what} {index} must be [T, C] and not empty, got shape {one.shape}.")
        if not np.isfinite(one).all():
            raise FileFormatError(f"{source.name}: {what} {index} holds NaN or infinite values; fill or leave out what is missing.")
        if not one[-1].any():
            raise FileFormatError(
                f"{source.name}: {what} {index} ends in zeros in all channels, which mark padding here; cut them off, or give lengths."
            )
    if len(labels) != len(series):
        raise FileFormatError(f"{source.name}: {len(labels)} labels for {len(series)} {what}.")
    if groups is not None and len(groups) != len(series):
        raise FileFormatError(f"{source.name}: {len(groups)} groups for {len(series)} {what}; each series needs the group it comes from.")
    classes = len(source.class_names)
    if classes < 2:
        raise FileFormatError(f"{source.name}: {classes} class; expected at least two.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise FileFormatError(f"{source.name}: labels must be 0..{classes - 1}, got {labels.min()}..{labels.max()}.")


def _parts(source: Any) -> dict[str, np.ndarray]:
    """The indices of the series of each part."""
    if source.groups is None:
        rank = np.zeros(len(source.labels), int)  # the how-manieth of its class each series is
        for label in np.unique(source.labels):
            rank[source.labels == label] = np.arange((source.labels == label).sum())
        test = np.zeros(len(rank), bool) if source.test else rank % 5 == 4
        validation = (rank % 10 == 8) & ~test
    else:
        groups = np.unique(source.groups)
        least = 2 if source.test else 3
        if len(groups) < least:
            raise FileFormatError(f"{source.name}: {len(groups)} groups; training, validation and test need one each, which makes {least}.")
        held = 0 if source.test else max(1, round(TEST_SHARE * len(groups)))
        watched = max(1, round(VALIDATION_SHARE * len(groups)))
        first = len(groups) - held
        test = np.isin(source.groups, groups[first:])
        validation = np.isin(source.groups, groups[first - watched : first])
    return {
        "train": np.flatnonzero(~test & ~validation),
        "validation": np.flatnonzero(validation),
        "test": np.flatnonzero(test),
    }


def _windows(one: np.ndarray, steps: int) -> list[np.ndarray]:
    """A series that fits, or windows of it; what is left over at its end is in no window."""
    if len(one) <= steps:
        return [one]
    windows = [one[start : start + steps] for start in range(0, len(one) - steps + 1, HOP)]
    return [window for window in windows if window[-1].any()]


def _padded(windows: Any, steps: int) -> tuple[Array, Array]:
    channels = windows[0][0].shape[1] if windows else 1
    series, labels = np.zeros((len(windows), steps, channels), np.float32), np.array([label for _, label in windows], np.int32)
    for row, (window, _) in zip(series, windows, strict=True):
        row[: len(window)] = window
    series.setflags(write=False)
    labels.setflags(write=False)
    return series, labels
