"""Series: what a reader of files hands over, and how it is cut, padded and divided into training, validation and test.

A series is `[T, C]`: T steps of C channels. Series of different lengths are padded with zeros at the end, and a network takes the last step
that is not all zeros as the end of the series (`keras_snnkd.layers.Standardize`). Longer recordings are cut into windows, before which they
are divided: all windows of one group (a person, a recording) are in one part.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.data.npz import check_numbers
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.padding import lengths

MAX_STEPS = 128
"""Series that are longer are cut into windows."""

WINDOW, HOP = 100, 50
"""Steps of a window, and from one window to the next, where nothing else is said."""

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
"""Shares of the groups, or of the series of each class, that are test and validation."""

GROUPS = "groups, such as people, are whole in one part: the last of them test, those before validation"
EACH = "validation is every tenth series of each class, spread evenly"


class Cut(NamedTuple):
    """How series are cut and divided.

    Args:
        window: Steps of a window; `None` for `WINDOW` steps of series that are longer than `MAX_STEPS`, and whole series else.
        hop: Steps from one window to the next; half a window by default.
        fold: Which part of the groups, or of the series of each class, is test: 0 for the last one, 1 for the one before it, ...

    Raises:
        ValueError: For a window or hop that is no whole number above 0, a hop without a window, or a fold below 0.
    """

    window: int | None = None
    hop: int | None = None
    fold: int = 0

    def checked(self) -> "Cut":
        """This one, or a `ValueError`."""
        for name, value in (("window", self.window), ("hop", self.hop)):
            if value is not None and not _is_whole(value, 1):
                raise ValueError(f"{name} must be a whole number of steps above 0, got {value!r}")
        if self.hop is not None and self.window is None:
            raise ValueError(f"hop={self.hop} is from one window to the next; give the window too (window=, --window)")
        if not _is_whole(self.fold, 0):
            raise ValueError(f"fold must be a whole number of at least 0, got {self.fold!r}")
        return self


class Series(NamedTuple):
    """Series as they were read; `keras_snnkd.data.load` takes those that a program has in memory.

    Args:
        name: Short name of the data set.
        class_names: What label 0, 1, ... stands for.
        train: Series, each float32 `[T_i, C]`.
        labels: Their classes, int `[N]`.
        groups: Who or what each one comes from, `[N]`; `None` if they stand for themselves.
        test: Series of the test set and their labels, if it is given; else it is taken off.
        channel_names: What the channels are.
        validation: The same as `test` for the part to choose by, if it is given.
        notes: What a person should know of how they were read, each a phrase.

    Example:
        >>> data = kd.data.load(kd.data.Series("wrist", ("still", "walking"), recordings, labels, groups=people))
    """

    name: str
    class_names: tuple[str, ...]
    train: Sequence[np.ndarray]
    labels: np.ndarray
    groups: np.ndarray | None = None
    test: tuple[Sequence[np.ndarray], np.ndarray] | None = None
    channel_names: tuple[str, ...] = ()
    validation: tuple[Sequence[np.ndarray], np.ndarray] | None = None
    notes: tuple[str, ...] = ()


def split(source: Series, limit: int | None = None, cut: Cut | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Divide series, cut them into windows and pad them.

    With groups the last fifth of them, in sorted order, is test and the tenth before it validation, at least one each. Without, every tenth
    series of each class is validation, and every fifth test if no test set is given, at least one each of a class of three. Another fold
    takes the parts before them.

    Args:
        source: What was read.
        limit: At most this many series of the training part and of the test set.
        cut: The windows, and which part is test.

    Returns:
        `train_arrays`, `validation_arrays` and `test_arrays`, each float32 series `[N, T, C]` and int32 labels `[N]`, read-only.

    Raises:
        FileFormatError: If series are empty, differ in their channels, hold what is not finite, or labels, groups or classes do not fit.
        ValueError: If a window is longer than all series, or there is no such fold.

    Example:
        >>> split(Series("mine", ("still", "walking"), series, labels, groups=people))["test_arrays"]
    """
    cut = (cut or Cut()).checked()
    source = _of_arrays(source)
    given, watched = (part[0] if part else () for part in (source.test, source.validation))
    channels = {len(one.T) for one in (*source.train, *watched, *given)}
    if len(channels) != 1:
        raise FileFormatError(
            f"{source.name}: all series must have the same channels, got {', '.join(map(str, sorted(channels)))} of them."
        )
    if source.test and source.validation:
        parts = {"train": np.arange(len(source.labels))}
    else:
        parts = divided(source.name, source.labels, source.groups, bool(source.test), cut.fold)
    if source.validation:
        parts["train"] = np.sort(np.concatenate([parts["train"], parts.pop("validation", parts["train"][:0])]))
    picked: dict[str, Any] = {part: ([source.train[int(i)] for i in where], source.labels[where]) for part, where in parts.items()}
    if source.validation:
        picked["validation"] = source.validation
    if source.test:
        picked["test"] = source.test
    steps, hop = _windows_of(source, cut)
    arrays = {}
    for part, (series, labels) in picked.items():
        windows = [(window, label) for one, label in zip(series, labels, strict=True) for window in _windows(one, steps, hop)]
        if limit is not None and part != "validation":
            windows = windows[:: max(1, len(windows) // limit)][:limit]  # of all classes, which may lie one after the other
        arrays[f"{part}_arrays"] = _padded(windows, steps)
    check_parts(source.name, source.class_names, arrays, limit)
    return arrays


def check_parts(name: str, class_names: Sequence[str], arrays: dict[str, tuple[Array, Array]], limit: int | None = None) -> None:
    """Refuse a division in which a part is empty, or training lacks a class.

    Raises:
        FileFormatError: If it is.
    """
    for part, (_, labels) in arrays.items():
        if not len(labels):
            raise FileFormatError(f"{name}: nothing is left for {part.removesuffix('_arrays')}; there are too few series or groups.")
    missing = sorted(set(range(len(class_names))) - set(arrays["train_arrays"][1].tolist()))
    if missing and limit is None:
        names = ", ".join(class_names[label] for label in missing)
        raise FileFormatError(
            f"{name}: no training series of the classes {names}; every class needs some, and must be in several groups where there are any."
        )


def statistics(arrays: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over the steps of series that are no padding, float32 `[C]` each."""
    series, _ = arrays
    steps = series[lengths(series)[:, None] > np.arange(series.shape[1])]
    deviation = steps.std(axis=0, dtype="float64")
    return steps.mean(axis=0, dtype="float64").astype("float32"), np.where(deviation > 0, deviation, 1.0).astype("float32")


def told(source: Series, cut: Cut) -> tuple[str, ...]:
    """How series are divided and cut, in phrases."""
    if source.test and source.validation:
        divided_by = "validation and test come with the data"
    elif source.validation:
        divided_by = (
            f"validation comes with the data; test is every fifth {'group' if source.groups is not None else 'series of each class'}"
        )
    else:
        divided_by = EACH if source.groups is None else GROUPS
    steps, hop = _windows_of(source, cut)
    windows = f"series of more than {steps} steps are cut into windows of {steps}, one every {hop}"
    return (divided_by, *((windows,) if _longest(source) > steps else ()), *source.notes)


def _of_arrays(source: Series) -> Series:
    """The same with arrays in place of lists, checked.

    Raises:
        FileFormatError: See `split`.
    """
    groups = source.groups if source.groups is None else np.asarray(source.groups)
    if not len(source.train):
        raise FileFormatError(f"{source.name}: there are no series.")
    train, labels = _part(source, "", source.train, source.labels)
    if groups is not None and (groups.ndim != 1 or len(groups) != len(train)):
        came = len(groups) if groups.ndim == 1 else f"an array {groups.shape} of"
        raise FileFormatError(f"{source.name}: {came} groups for {len(train)} series; each series needs the group it comes from.")
    test, validation = (
        None if given is None else _part(source, word, *given)
        for word, given in (("test ", source.test), ("validation ", source.validation))
    )
    return source._replace(train=train, labels=labels, groups=groups, test=test, validation=validation)


def _part(source: Series, word: str, series: Any, labels: Any) -> tuple[list[np.ndarray], np.ndarray]:
    try:
        series, labels = [np.asarray(one) for one in series], np.asarray(labels)
    except ValueError as error:  # of lists within lists that are not equally long
        raise FileFormatError(f"{source.name}: every one of the {word}series must be an array [T, C] ({error}).") from None
    check_numbers(source.name, f"{word}labels", labels)
    _check(source, f"{word}series", series, labels)
    return series, labels


def _check(source: Series, what: str, series: list[np.ndarray], labels: np.ndarray) -> None:
    for index, one in enumerate(series):
        if one.dtype.kind not in "fiu":
            raise FileFormatError(f"{source.name}: {what} {index} must be numbers, got {one.dtype}.")
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
    classes = len(source.class_names)
    if classes < 2:
        raise FileFormatError(f"{source.name}: {classes} class; expected at least two.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise FileFormatError(f"{source.name}: labels must be 0..{classes - 1}, got {labels.min()}..{labels.max()}.")


def divided(name: str, labels: np.ndarray, groups: np.ndarray | None, has_test: bool, fold: int = 0) -> dict[str, np.ndarray]:
    """The indices of the samples of each part, by labels `[N]` and perhaps groups `[N]`; see `split`.

    Raises:
        FileFormatError: If there are too few groups, or a sample is in none.
        ValueError: If there are fewer folds.
    """
    if groups is None:
        _check_fold(name, fold, 10 if has_test else 5)
        test, validation = np.zeros((2, len(labels)), bool)
        for label in np.unique(labels):
            of_class = np.flatnonzero(labels == label)
            of_test, of_validation = _ranks(len(of_class), has_test, fold)
            test[of_class[of_test]], validation[of_class[of_validation]] = True, True
    else:
        _check_each_has_a_group(name, groups)
        known = np.unique(groups)
        least = 2 if has_test else 3
        if len(known) < least:
            raise FileFormatError(f"{name}: {len(known)} groups; training, validation and test need one each, which makes {least}.")
        held = 0 if has_test else max(1, round(TEST_SHARE * len(known)))
        watched = max(1, round(VALIDATION_SHARE * len(known)))
        _check_fold(name, fold, len(known) // (held or watched))
        known = np.roll(known, fold * (held or watched))
        first = len(known) - held
        test = np.isin(groups, known[first:])
        validation = np.isin(groups, known[first - watched : first])
    return {
        "train": np.flatnonzero(~test & ~validation),
        "validation": np.flatnonzero(validation),
        "test": np.flatnonzero(test),
    }


def _ranks(count: int, has_test: bool, fold: int) -> tuple[Array, Array]:
    """Which of the `count` series of a class are test and validation: every fifth and tenth, but one each of few where three are there."""
    rank = np.arange(count)
    held = rank[:0] if has_test else rank[(rank + fold) % 5 == 4]
    if not has_test and not len(held) and count > 2:
        held = rank[[(count - 1 - fold) % count]]
    left = np.setdiff1d(rank, held)
    watched = left[(left + fold) % 10 == 8]
    return held, left[-1:] if not len(watched) and len(left) > 1 else watched


def _check_each_has_a_group(name: str, groups: np.ndarray) -> None:
    """Refuse groups that are NaN, None or an empty text."""
    of_each = enumerate(np.asarray(groups).tolist())
    missing = [index for index, group in of_each if group is None or group != group or not str(group).strip()]
    if missing:
        first = ", ".join(map(str, missing[:3])) + (", ..." if len(missing) > 3 else "")
        raise FileFormatError(
            f"{name}: {len(missing)} of {len(groups)} samples have no group (counted from 0: {first}); each needs the person or the "
            "recording it comes from, or none of them has a group."
        )


def _check_fold(name: str, fold: int, folds: int) -> None:
    if fold >= folds:
        raise ValueError(f"{name} has {folds} folds, 0 to {folds - 1}, got fold={fold} (--fold)")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def _longest(source: Series) -> int:
    return max(len(one) for series in (source.train, *(part[0] for part in (source.test, source.validation) if part)) for one in series)


def _windows_of(source: Series, cut: Cut) -> tuple[int, int]:
    """T of all series, by that of the longest one, and the steps from one window to the next."""
    longest, window = _longest(source), cut.window
    if window is None:
        return longest if longest <= MAX_STEPS else WINDOW, HOP
    if window > longest:
        raise ValueError(
            f"{source.name}: window={window} is longer than all series, of which the longest has {longest} steps; take at most that "
            "(--window)"
        )
    return window, cut.hop or max(1, window // 2)


def _windows(one: np.ndarray, steps: int, hop: int) -> list[np.ndarray]:
    """A series that fits, or windows of it; what is left over at its end is in no window."""
    if len(one) <= steps:
        return [one]
    windows = [one[start : start + steps] for start in range(0, len(one) - steps + 1, hop)]
    return [window for window in windows if window[-1].any()]


def _padded(windows: Any, steps: int) -> tuple[Array, Array]:
    channels = windows[0][0].shape[1] if windows else 1
    series, labels = np.zeros((len(windows), steps, channels), np.float32), np.array([label for _, label in windows], np.int32)
    for row, (window, _) in zip(series, windows, strict=True):
        row[: len(window)] = window
    series.setflags(write=False)
    labels.setflags(write=False)
    return series, labels
