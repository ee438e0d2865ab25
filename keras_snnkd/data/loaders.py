"""Data sets by name or path."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.data import events, folder, npz, own, prepared, series, series_files, text
from keras_snnkd.data.data import Data
from keras_snnkd.data.events import Events, Frames
from keras_snnkd.data.series import Cut, Series
from keras_snnkd.data.settings import check_limit, check_settings, fitting_batch_size
from keras_snnkd.data.splits import TENTH, TENTH_OF_NUMBERS, Source, every_fifth, split
from keras_snnkd.errors import DatasetUnavailableError, FileFormatError, UnknownNameError, did_you_mean, unknown_name
from keras_snnkd.files.pictures import Resize
from keras_snnkd.files.samples import of_each

CLASSES = "classes"
REGRESSION = "regression"
TASKS = (CLASSES, REGRESSION)
"""What labels are: class numbers, or numbers."""


def names() -> tuple[str, ...]:
    """The data sets that `load` knows by name."""
    return ("digits", "japanese_vowels", *prepared.SETS)


def load(
    name: Any,
    *,
    batch_size: int | None = None,
    augment: str = "none",
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    views: int | None = None,
    mixup: float = 0.0,
    resize: str | int | Resize | None = None,
    keep_aspect: bool = False,
    window: int | None = None,
    hop: int | None = None,
    fold: int = 0,
    frames: int | None = None,
    frames_by: str = "time",
    task: str = CLASSES,
    tokens: int | None = None,
    vocabulary: int | Sequence[str] | None = None,
    unlabelled: str | os.PathLike[str] | None = None,
) -> Data:
    """Read a data set of images, of series, of events or of sentences and divide it into training, validation and test.

    A tenth of each class of the training part, spread evenly over it, is validation, always the same, unless the files bring their own.
    Images are kept as uint8 0..255. Series are `[T, C]` in float32, padded with zeros at the end; those of one person or other group are
    all in one part (`keras_snnkd.data.series`). Events are frames `[T, H, W, 2]`, kept as uint8 numbers of events
    (`keras_snnkd.data.events`).

    Args:
        name: Images in memory: `(x, y)` or a `tf.data.Dataset`, or a mapping of such with the keys `"train"`, and perhaps `"validation"`
            and `"test"`; or one of `names()`; or a `.npz` file with x_train, y_train, x_test, y_test (images uint8, or floats from 0 to 1,
            `[N, H, W]` or `[N, H, W, C]`; labels 0..K-1 `[N]`), perhaps x_val and y_val; or a folder of images of one size, either
            `train/<class>/*.png|jpg` with `test/<class>/*`, and perhaps `val/<class>/*`, or `<class>/*`, where every fifth image of a
            class is test. Of series: a `Series`, a `.npz` file with values and labels, a `.ts` file, a CSV file, or a folder of WAV files;
            see `keras_snnkd.data.series_files`. Of events: a `.npz` file with values `[N, T, H, W, 2]`, or a folder of N-MNIST. Of
            sentences: a `.tsv` or `.csv` file, see `keras_snnkd.data.read_sentences`. Of several inputs: a `.npz` file with x_train_left,
            x_train_right and so on, x_test_left, ..., y_train and y_test; or `({"left": ..., "right": ...}, y)` in memory. Each is an
            image as above, or floats `[N, K]` or `[N, T, C]`, as its shape says.
        batch_size: Images in a batch; by the number of training images by default: 128, or fewer, so that an epoch has at least 16 steps,
            but not fewer than 8.
        augment: Names of `AUGMENTATIONS`, joined with `+`, for training images.
        seed: Decides the order and the augmentation of the training images.
        data_dir: Where TensorFlow Datasets keeps its sets; `None` means the environment variable TFDS_DATA_DIR, or its default.
        limit: At most this many images of the training part (before validation is taken off) and of the test set, for quick tries.
        views: Show so many augmented versions of each training image over and over; `None` for a new one each epoch.
        mixup: Mix each training image with another one, and their labels; see `Data`.
        resize: Bring the pictures of a folder to this size: `32`, or `"48x32"`, width and height in pixels.
        keep_aspect: Whether they keep their proportions, and the rest is filled with the colour of their border; else they are stretched.
        window: Of series: the steps of a window, into which longer ones are cut; see `keras_snnkd.data.series.Cut`.
        hop: Of series: the steps from one window to the next; half a window by default.
        fold: Of series and events: which part of the people, or of each class, is test: 0 for the last one, 1 for the one before it, ...
        frames: Of `.bin` files: the number of frames, 10 by default.
        frames_by: `"time"` for frames of equal length, `"count"` for frames of equally many events.
        task: `"classes"`, or `"regression"` for labels that are numbers: of images `[N]`, `[N, K]`, or maps `[N, H, W]` or
            `[N, H, W, K]` of their size; of sentences their ratings.
        tokens: Of sentences: how many tokens each one has, 24 by default; longer ones are cut.
        vocabulary: Of sentences: how many ids, 4,000 by default; or the tokens by their ids, for a network that has learned them.
        unlabelled: A file of more sentences, for stages without labels.

    Returns:
        The data set, with `train`, `validation` and `test` as `tf.data.Dataset`.

    Raises:
        UnknownNameError: No data set, augmentation, or way to cut events, of this name.
        DatasetUnavailableError: The data set is neither on this machine nor reachable.
        FileFormatError: A file is damaged or holds something else.
        ValueError: `batch_size`, `seed`, `limit`, `views`, `mixup`, `resize`, `window`, `hop`, `fold`, `frames`, `tokens` or
            `vocabulary` is out of range, or is for data of another kind.

    Example:
        >>> data = keras_snnkd.data.load("digits", batch_size=32, augment="shift")
        >>> images, labels = next(iter(data.train))  # [32, 8, 8, 1], [32]
    """
    check_settings(8 if batch_size is None else batch_size, augment, seed, views, mixup)
    check_limit(limit)
    size = check_resize("arrays" if own.is_own(name) else name, resize, keep_aspect)
    cut, bins = Cut(window, hop, fold).checked(), events.check_frames(frames, frames_by)
    numbers = check_task(task) == REGRESSION
    settings: dict[str, Any] = {"augment": augment, "seed": seed, "views": views, "mixup": mixup}
    words = text.Words(tokens, vocabulary, unlabelled).checked(name)
    if not own.is_own(name) and holds_text(name) and Path(name).expanduser().is_file():
        return _sentences(name, words, numbers, limit, batch_size, settings)
    if numbers and not takes_numbers(name):
        raise ValueError(
            f"task {REGRESSION!r} (--task) is for .npz files and arrays of images, and for sentences; {name} is something else, or its "
            "labels are classes"
        )
    if isinstance(name, Series):
        source: Source | Series | Events = name
    else:
        source = own.read(name, numbers) if own.is_own(name) else _reader(name, data_dir, limit, size, bins, numbers)()
    _check_kind(source, cut, bins)
    arrays = _split(source, limit, cut)
    return Data(
        name=source.name,
        image_shape=of_each(lambda values: values.shape[1:], arrays["train_arrays"][0]),
        num_classes=len(source.class_names),
        class_names=source.class_names,
        batch_size=fitting_batch_size(len(arrays["train_arrays"][1])) if batch_size is None else batch_size,
        notes=(*_notes(source, cut), *_namesake(name)),
        resize=size,
        **settings,
        **arrays,
    )


def _namesake(name: Any) -> tuple[str, ...]:
    """A word on a file or folder here that is called as a data set, which comes first."""
    if own.is_own(name) or os.fspath(name) not in names() or not Path(name).exists():
        return ()
    return (f"this is the known data set; there is a file or folder of this name here too, for which give {os.path.join('.', name)}",)


def _sentences(
    name: str | os.PathLike[str], words: text.Words, numbers: bool, limit: int | None, batch_size: int | None, settings: dict[str, Any]
) -> Data:
    """Sentences as token ids."""
    found = text.load_text(name, words.length, words.ids, None if numbers else text.NEUTRAL, limit)
    parts: dict[str, Any] = {f"{part}_arrays": getattr(found, part) for part in ("train", "validation", "test")}
    if numbers:
        parts = {part: (ids, ratings[:, None]) for part, (ids, ratings) in parts.items()}
    return Data(
        name=found.name,
        image_shape=(found.length,),
        num_classes=len(found.class_names),
        class_names=found.class_names,
        batch_size=fitting_batch_size(len(found.train[1])) if batch_size is None else batch_size,
        notes=(*found.notes, text.BY_DOCUMENT),
        vocabulary=tuple(found.vocabulary),
        unlabelled=None if words.unlabelled is None else found.ids(text.read_sentences(words.unlabelled).texts),
        **settings,
        **parts,
    )


def check_task(task: str) -> str:
    """The task, or an `UnknownNameError` if there is none of this name."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    return task


def takes_numbers(name: Any) -> bool:
    """Whether the labels of what `load` would read may be numbers, found out without reading it."""
    if own.is_own(name):
        return not isinstance(name, Series)
    return holds_text(name) or (Path(name).suffix == ".npz" and not holds_series(name) and not holds_events(name))


def holds_inputs(name: Any) -> bool:
    """Whether what `load` would read under this name are samples of several inputs, found out without reading them."""
    if own.is_own(name):
        return own.has_inputs(name)
    path = Path(name).expanduser()
    return os.fspath(name) == own.NAME_OF_INPUTS or (path.suffix == ".npz" and path.is_file() and bool(npz.inputs_in(path)))


def name_in_memory(data: Any) -> str:
    """What a recipe calls data in memory."""
    named = data.is_named if isinstance(data, Data) else holds_inputs(data)
    return own.NAME_OF_INPUTS if named else data.name if isinstance(data, Data) else own.NAME


def holds_maps(name: Any) -> bool:
    """Whether what `load` would read under this name has maps for labels, found out without reading its images."""
    if own.is_own(name):
        return False
    path = Path(name).expanduser()
    if path.suffix != ".npz" or not path.is_file():
        return False
    with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as file:  # whatever is wrong with it, its reader says it
        return file["y_train"].ndim in (3, 4)
    return False


def holds_text(name: str | os.PathLike[str]) -> bool:
    """Whether what `load` would read under this name are sentences, found out without reading all of it."""
    return os.fspath(name) not in names() and text.holds_text(name)


def _split(source: Source | Series | Events, limit: int | None, cut: Cut) -> dict[str, Any]:
    if isinstance(source, Series):
        return series.split(source, limit, cut)
    return events.split(source, limit, cut.fold) if isinstance(source, Events) else split(source, limit)


def _check_kind(source: Source | Series | Events, cut: Cut, bins: Frames) -> None:
    """Refuse settings that are for data of another kind than what was read, and classes that are called alike."""
    if twice := [name for name, count in Counter(source.class_names).items() if count > 1]:
        raise FileFormatError(f"{source.name}: two classes are called {twice[0]!r}; each needs a name of its own (class_names).")
    if cut.window is not None and not isinstance(source, Series):
        raise ValueError(f"window (--window) cuts series, and {source.name} holds none")
    if cut.fold and isinstance(source, Source):
        raise ValueError(f"fold (--fold) divides series and events, and {source.name} holds images")
    if bins != Frames() and not (isinstance(source, Events) and events.told(bins) in source.notes):
        raise ValueError(f"frames (--frames) cuts lists of events in .bin files, and {source.name} holds none")


def _notes(source: Source | Series | Events, cut: Cut) -> tuple[str, ...]:
    """How a source is split, in phrases."""
    if isinstance(source, Series):
        return series.told(source, cut)
    if isinstance(source, Events):
        return (series.EACH if source.groups is None else series.GROUPS, *source.notes)
    tenth = TENTH if source.class_names else TENTH_OF_NUMBERS
    return ("validation comes with the files" if source.validation else tenth, *source.notes)


def check_resize(name: str | os.PathLike[str], resize: str | int | Resize | None, keep_aspect: bool = False) -> Resize | None:
    """The size that the pictures of a data set are brought to, as `load` takes it.

    Raises:
        ValueError: If it is no size, or the data set is no folder of pictures.
    """
    if resize is None:
        if keep_aspect:
            raise ValueError("keep_aspect (--keep-aspect) is about resizing; give the size too (resize=, --resize)")
        return None
    size = resize if isinstance(resize, Resize) else Resize.of(str(resize), keep_aspect)
    if not takes_resize(name):
        raise ValueError(f"resize (--resize) is for folders of pictures, got {os.fspath(name)!r}, whose images have one size")
    return size


def takes_resize(name: str | os.PathLike[str]) -> bool:
    """Whether a data set may be a folder of pictures."""
    if os.fspath(name) in names() or Path(name).suffix == ".npz" or holds_text(name):
        return False
    return not holds_series(name) and not holds_events(name)


def holds_series(name: str | os.PathLike[str]) -> bool:
    """Whether what `load` would read under this name are series, and no images; found out without reading it."""
    path = Path(name).expanduser()
    if os.fspath(name) in names():
        return os.fspath(name) in ("japanese_vowels", *prepared.SOUNDS)
    if path.is_dir():
        return series_files.holds_sounds(path)
    return (path.suffix in series_files.READERS and not holds_text(name)) or (
        path.suffix == ".npz" and path.is_file() and series_files.axes_of_values(path) in (2, 3)
    )


def holds_events(name: str | os.PathLike[str]) -> bool:
    """Whether what `load` would read under this name are events; found out without reading it."""
    path = Path(name).expanduser()
    if path.is_dir():
        return events.holds_events(path)
    return path.suffix == ".npz" and path.is_file() and series_files.axes_of_values(path) == 5


def _reader(
    name: str | os.PathLike[str],
    data_dir: Any,
    limit: int | None,
    size: Resize | None = None,
    bins: Frames | None = None,
    numbers: bool = False,
) -> Callable[[], Source | Series | Events]:
    """What reads the data set called `name`. Known names come before folders of the same name."""
    text, path = os.fspath(name), Path(name).expanduser()
    if text == "digits":
        return read_digits
    if text in prepared.SOUNDS:
        return lambda: prepared.read_sounds(text, data_dir, limit)
    if text in prepared.SETS:
        return lambda: prepared.read(text, data_dir, limit)
    if text == "japanese_vowels":
        return series_files.read_japanese_vowels
    if not text:
        raise unknown_name("data set", text, names())
    if path.is_dir() and events.holds_events(path):
        return lambda: events.read_bins(path, bins)
    if path.is_dir():
        return (lambda: series_files.read_wavs(path)) if series_files.holds_sounds(path) else lambda: folder.read(path, size)
    if path.suffix in series_files.READERS and path.is_file():
        return lambda: series_files.READERS[path.suffix](path)
    if path.suffix == ".npz" and path.is_file():
        if series_files.axes_of_values(path) is not None:
            return lambda: series_files.read_npz(path)
        return lambda: npz.read(path, numbers)
    if path.is_file():
        raise FileFormatError(
            f"{path}: expected a .npz, .ts, .csv or .tsv file or a folder of images or sounds, got a file ending in {path.suffix!r}."
        )
    if path.suffix in (".npz", ".tsv", ".txt") or "/" in text or os.sep in text:
        meant = did_you_mean(path.name, _beside(path))
        raise DatasetUnavailableError(
            f"there is no file or folder {str(path)!r}; check the path, or name one of {', '.join(names())}.{meant}"
        )
    meant = did_you_mean(text, [*names(), *_beside(path)])
    raise UnknownNameError(
        f"unknown data set {text!r}.{meant} There is no folder or file of that name here either. Known: {', '.join(sorted(names()))}."
    )


def _beside(path: Path) -> list[str]:
    """Names of the folders and files that stand where `path` would."""
    with contextlib.suppress(OSError):
        return [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    return []


def read_digits() -> Source:
    """The 1,797 handwritten digits, 8x8, that come with scikit-learn; every fifth is test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.minimum(digits.images[..., None] * 16, 255).astype(np.uint8)
    test = every_fifth(len(images))
    return Source(
        name="digits",
        class_names=tuple(map(str, digits.target_names)),
        train=(images[~test], digits.target[~test]),
        test=(images[test], digits.target[test]),
        notes=("test is every fifth image, so that all parts are of the same writers",),
    )
