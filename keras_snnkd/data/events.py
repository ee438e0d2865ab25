"""Events of a camera: `.bin` files of N-MNIST, lists of events made into frames, and frames in `.npz` files.

An event is a pixel that became brighter or darker by a step: `(t, x, y, p)` with the time in microseconds and the polarity 1 or 0. A
network sees frames `[T, H, W, 2]`: how many events of each polarity (darker, brighter) a pixel had, at most 255.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_snnkd.data.folder import files_of_classes, holds
from keras_snnkd.data.npz import check_numbers, class_names
from keras_snnkd.data.series import check_parts, divided
from keras_snnkd.errors import FileFormatError, unknown_name

POLARITIES = 2

BY = ("time", "count")
"""How a list of events is cut into frames."""

FRAMES = 10
"""T of lists of events, where nothing else is said."""

MOST = 255
"""Events that a pixel of a frame can hold; more are not counted."""

N_MNIST = (34, 34)
"""Height and width of its sensor."""

ENDING = ".bin"
"""Of lists of events."""

RECORD = 5
"""Bytes of an event in a `.bin` file."""


class Frames(NamedTuple):
    """How lists of events are cut.

    Args:
        number: T, the number of frames.
        by: `"time"` for frames of equal length, or `"count"` for frames of equally many events.
    """

    number: int = FRAMES
    by: str = "time"


class Events(NamedTuple):
    """Frames of events as they were read.

    Args:
        name: Short name of the data set.
        class_names: What label 0, 1, ... stands for.
        train: Frames `[N, T, H, W, 2]` uint8 and labels `[N]`.
        groups: Who or what each one comes from, `[N]`; `None` if they stand for themselves.
        test: The same for the test set, if it is given; else it is taken off.
        notes: How they were made, in phrases.
    """

    name: str
    class_names: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    groups: np.ndarray | None = None
    test: tuple[np.ndarray, np.ndarray] | None = None
    notes: tuple[str, ...] = ()


def split(source: Events, limit: int | None = None, fold: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Divide frames as series are divided (`keras_snnkd.data.series.split`).

    Returns:
        `train_arrays`, `validation_arrays` and `test_arrays`, each uint8 frames `[N, T, H, W, 2]` and int32 labels `[N]`, read-only.

    Raises:
        FileFormatError: If labels, groups or classes do not fit.
    """
    frames, labels = source.train
    for what, (images, numbers) in {"frames": source.train, **({"test frames": source.test} if source.test else {})}.items():
        if len(images) != len(numbers):
            raise FileFormatError(f"{source.name}: {len(numbers)} labels for {len(images)} {what}.")
    if source.test and source.test[0].shape[1:] != frames.shape[1:]:
        raise FileFormatError(f"{source.name}: training frames {frames.shape[1:]} and test frames {source.test[0].shape[1:]} differ.")
    if source.groups is not None and len(source.groups) != len(labels):
        raise FileFormatError(f"{source.name}: {len(source.groups)} groups for {len(labels)} recordings; each needs the one it comes from.")
    parts = divided(source.name, labels, source.groups, source.test is not None, fold)
    picked = {part: (frames[where], labels[where]) for part, where in parts.items()}
    if source.test:
        picked["test"] = source.test
    arrays = {}
    for part, (images, numbers) in picked.items():
        keep: Any = slice(None)
        if limit is not None and part != "validation":
            keep = np.arange(len(numbers))[:: max(1, len(numbers) // limit)][:limit]
        arrays[f"{part}_arrays"] = _read_only(images[keep], np.uint8), _read_only(numbers[keep], np.int32)
    check_parts(source.name, source.class_names, arrays, limit)
    return arrays


def frames_of(events: np.ndarray, size: tuple[int, int], cut: Frames | None = None) -> np.ndarray:
    """Frames of one list of events.

    Args:
        events: `[N, 4]`: time, x, y, polarity 1 (brighter) or 0, in order of time.
        size: Height and width.
        cut: How many frames, by time or by count.

    Returns:
        uint8 `[T, H, W, 2]`.

    Example:
        >>> frames_of(np.array([[0, 3, 1, 1], [900, 3, 1, 0]]), (4, 4), Frames(2))[0, 1, 3]  # [0, 1]
    """
    cut = cut or Frames()
    t, x, y, p = np.asarray(events, np.int64).reshape(-1, 4).T
    if cut.by == "time":
        start, length = (t[0], max(1, t[-1] - t[0] + 1)) if len(t) else (0, 1)
        frame = (t - start) * cut.number // length
    else:
        frame = np.arange(len(t)) * cut.number // max(1, len(t))
    shape = (cut.number, *size, POLARITIES)
    place = np.ravel_multi_index((frame, y, x, p), shape)
    return np.minimum(np.bincount(place, minlength=int(np.prod(shape))), MOST).astype(np.uint8).reshape(shape)


def check_frames(count: Any, by: Any) -> Frames:
    """How lists of events are to be cut.

    Raises:
        ValueError: For a number of frames that is none.
        UnknownNameError: For another way than `BY`.
    """
    if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1):
        raise ValueError(f"frames must be a whole number above 0, got {count!r}")
    if by not in BY:
        raise unknown_name("way to cut events into frames", by, BY)
    return Frames(FRAMES if count is None else int(count), by)


def read_events(path: Path) -> np.ndarray:
    """The events of one `.bin` file of N-MNIST, int64 `[N, 4]`: time in microseconds, x, y, polarity.

    Five bytes an event: x, y, and 24 bits of which the first is the polarity and the others the time (Orchard et al., 2015, Frontiers in
    Neuroscience 9:437).

    Raises:
        FileFormatError: If the file is empty or cut off, its events are out of order, or a pixel is out of the sensor's 34 x 34.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise FileFormatError(f"{path}: not a readable file ({error}).") from error
    if not len(content) or len(content) % RECORD:
        raise FileFormatError(f"{path}: {len(content)} bytes, expected {RECORD} an event; the file is empty or cut off, copy it again.")
    x, y, high, middle, low = content.reshape(-1, RECORD).astype(np.int64).T
    time = (high & 0x7F) << 16 | middle << 8 | low
    height, width = N_MNIST
    if x.max() >= width or y.max() >= height:
        raise FileFormatError(f"{path}: an event at x = {x.max()}, y = {y.max()}, and the sensor of N-MNIST has {width} x {height} pixels.")
    if (np.diff(time) < 0).any():
        raise FileFormatError(f"{path}: events are not in order of time; is it a file of N-MNIST?")
    return np.stack([time, x, y, high >> 7], axis=1)


def holds_events(path: Path) -> bool:
    """Whether a folder has `.bin` files in its folders."""
    return holds(path, ENDING)


def read_bins(path: Path, cut: Frames | None = None) -> Events:
    """A folder of N-MNIST: `Train/<class>/*.bin` with `Test/<class>/*.bin`, in capitals or not, or `<class>/*.bin`.

    Raises:
        FileFormatError: If a file is damaged, or there are no classes.
    """
    cut = cut or Frames()
    folders = {one.name.lower(): one for one in sorted(path.iterdir()) if one.is_dir()}
    parts = {name: folder for name, folder in folders.items() if name in ("train", "test")}
    found = {part: files_of_classes(folder, ENDING) for part, folder in (parts if "train" in parts else {"train": path}).items()}
    names = sorted({label for files in found.values() for _, label in files})
    numbers = {name: number for number, name in enumerate(names)}
    if len(names) < 2:
        raise FileFormatError(f"{path}: {len(names)} classes with .bin files; expected folders of at least two, such as Train/0/*.bin.")

    def read(files: Sequence[tuple[Path, str]]) -> tuple[np.ndarray, np.ndarray]:
        frames = np.stack([frames_of(read_events(file), N_MNIST, cut) for file, _ in files])
        return frames, np.array([numbers[label] for _, label in files], np.int32)

    test = read(found["test"]) if found.get("test") else None
    return Events(path.name, tuple(names), read(found["train"]), None, test, (told(cut),))


def told(cut: Frames) -> str:
    """How events were cut, in words."""
    return f"{cut.number} frames of events, of {'equal length' if cut.by == 'time' else 'equally many events'}"


def of_arrays(path: Path | str, arrays: dict[str, np.ndarray], name: str) -> Events:
    """Frames of the arrays of a `.npz` file: `values` `[N, T, H, W, 2]`, `labels` `[N]`, and what series may have (see `read_npz`).

    Raises:
        FileFormatError: If arrays are missing or do not fit.
    """
    prefix = "train_" if "train_values" in arrays else ""
    train = _part(path, arrays, prefix)
    test = _part(path, arrays, "test_") if "test_values" in arrays else None
    called = next((word for word in (f"{prefix}groups", f"{prefix}subjects", "groups", "subjects") if word in arrays), None)
    labels = [train[1], *([test[1]] if test else [])]
    names = class_names(path, arrays, labels)
    if len(names) < 2 or min(map(np.min, labels)) < 0 or max(map(np.max, labels)) >= len(names):
        raise FileFormatError(f"{path}: labels must be 0..K-1 of at least two classes, and {len(names)} classes are named.")
    notes = tuple(map(str, np.atleast_1d(arrays["notes"]))) if "notes" in arrays else ()
    used = {called, "class_names", "notes", *(f"{part}{word}" for part in (prefix, "test_") for word in ("values", "labels"))}
    groups = None if called is None else arrays[called]
    return Events(name, names, train, groups, test, (*notes, *not_used(arrays, used)))


def not_used(arrays: dict[str, np.ndarray], used: set[Any]) -> tuple[str, ...]:
    """A word on the arrays of a file that nothing is done with."""
    left = [name for name in arrays if name not in used]
    return (f"not used: {', '.join(left)}",) if left else ()


def _part(path: Path | str, arrays: dict[str, np.ndarray], prefix: str) -> tuple[np.ndarray, np.ndarray]:
    values, labels = arrays[f"{prefix}values"], arrays.get(f"{prefix}labels")
    if values.ndim != 5 or values.shape[-1] != POLARITIES or 0 in values.shape:
        first = values.ndim == 5 and values.shape[2] == POLARITIES
        turned = f"; of polarities before the pixels save {prefix}values.transpose(0, 1, 3, 4, 2)" if first else ""
        raise FileFormatError(
            f"{path}: {prefix}values must be frames of events [N, T, H, W, 2] and not empty, got shape {values.shape}{turned}."
        )
    if labels is None:
        raise FileFormatError(f"{path}: {prefix}labels must be class numbers [N], integers, got nothing.")
    check_numbers(path, f"{prefix}labels", labels)
    if len(labels) != len(values):
        raise FileFormatError(f"{path}: {len(labels)} {prefix}labels for {len(values)} {prefix}values.")
    whole = values.dtype.kind in "iub" or (values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all())
    if not whole or values.min() < 0:
        raise FileFormatError(f"{path}: {prefix}values must be numbers of events, whole and at least 0, got {values.dtype}.")
    return np.minimum(values, MOST).astype(np.uint8), labels


def _read_only(array: np.ndarray, dtype: Any) -> np.ndarray:
    array = np.ascontiguousarray(array, dtype)
    array.setflags(write=False)
    return array
