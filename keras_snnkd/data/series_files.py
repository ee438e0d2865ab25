"""Files that hold series: `.npz`, `.ts` of the UEA archive, CSV, and folders of WAV files."""

import csv
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.data.events import Events, not_used, of_arrays
from keras_snnkd.data.folder import check_test, files_of_classes, holds
from keras_snnkd.data.npz import check_numbers, class_names, read_array
from keras_snnkd.data.series import Series
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.archives import check_archive

VOWELS = Path(__file__).parent / "files" / "japanese_vowels.npz"
"""Ships with the package; see the README beside it."""

MELS, FRAME_SECONDS, HOP_SECONDS = 40, 0.025, 0.010
"""Of sound: the bands of its spectrum, and the length of a frame and of the way to the next one."""

LOWEST_HZ = 60.0
"""Where the lowest band of sounds begins."""

LOG_FLOOR = 1e-6

SOUND = ".wav"
"""The ending of sounds."""


def read_japanese_vowels() -> Series | Events:
    """640 utterances by nine speakers (Kudo et al., 1999, CC BY 4.0): series of 7 to 29 steps, 12 channels."""
    return read_npz(VOWELS)


def axes_of_values(path: Path) -> int | None:
    """How many axes the values of a `.npz` file of series or of frames of events have; `None` for another, or a damaged one."""
    try:
        check_archive(path)
        with zipfile.ZipFile(path) as file:
            name = next((name for name in ("values.npy", "train_values.npy") if name in file.namelist()), None)
            return None if name is None else len(_shape(file, name))
    except Exception:  # whatever is wrong with it, the reader of images says it
        return None


def _shape(file: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """The shape of an array in an archive, by its header alone."""
    with file.open(name) as array:
        version = np.lib.format.read_magic(array)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(array)[0]


def read_npz(path: Path) -> Series | Events:
    """Series of one `.npz` file, or frames of events.

    `values`: `[N, T, C]`, or with `lengths` `[N]` all series one after the other, `[sum of lengths, C]`. `labels` `[N]`. Optional: `groups`
    or `subjects` `[N]`, `class_names`, `channel_names`. Or the same with `train_`, `test_` and perhaps `validation_` before each name, for
    given parts. With `values` `[N, T, H, W, 2]` they are frames of events. Other arrays are left out, and named in the notes.

    Raises:
        FileFormatError: If arrays are missing, damaged or do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: read_array(file, name) for name in file}
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}.") from None
    except Exception as error:  # numpy reads headers in Python's syntax and raises what that raises
        raise FileFormatError(f"{path}: not a readable .npz file of plain arrays ({type(error).__name__}: {error}).") from error
    prefix = "train_" if "train_values" in arrays else ""
    if f"{prefix}values" in arrays and arrays[f"{prefix}values"].ndim == 5:
        return of_arrays(path, arrays, path.stem)
    series, labels = _npz_part(path, arrays, prefix)
    given = {part: _npz_part(path, arrays, f"{part}_") for part in ("test", "validation") if f"{part}_values" in arrays}
    called = next((name for name in (f"{prefix}groups", f"{prefix}subjects", "groups", "subjects") if name in arrays), None)
    names = class_names(path, arrays, [labels, *(part[1] for part in given.values())])
    used = {called, "class_names", "channel_names"}
    used |= {f"{part}{name}" for part in (prefix, *(f"{part}_" for part in given)) for name in ("values", "labels", "lengths")}
    return Series(
        path.stem,
        names,
        series,
        labels,
        None if called is None else arrays[called],
        given.get("test"),
        tuple(map(str, np.ravel(arrays.get("channel_names", ())))),
        given.get("validation"),
        not_used(arrays, used),
    )


def _npz_part(path: Path, arrays: Any, prefix: str) -> Any:
    values, labels, lengths = (arrays.get(f"{prefix}{name}") for name in ("values", "labels", "lengths"))
    if values is None or labels is None:
        missing = f"{prefix}values" if values is None else f"{prefix}labels"
        raise FileFormatError(f"{path}: {missing} missing; expected values, labels and perhaps lengths, got {', '.join(arrays)}.")
    check_numbers(path, f"{prefix}labels", labels)
    if values.dtype.kind not in "fiu":
        raise FileFormatError(f"{path}: {prefix}values must be numbers, got {values.dtype}.")
    with np.errstate(over="ignore"):  # what is infinite is refused later, with the series
        values = values.astype(np.float32)
    if lengths is None:
        if values.ndim != 3:
            raise FileFormatError(f"{path}: {prefix}values must be [N, T, C], or [sum of lengths, C] with lengths, got {values.shape}.")
        return list(values), labels
    whole = lengths.ndim == 1 and np.issubdtype(lengths.dtype, np.integer) and (lengths > 0).all()
    if values.ndim == 3 and whole and len(lengths) == len(values) and lengths.max() <= values.shape[1]:
        return [one[:length] for one, length in zip(values, lengths, strict=True)], labels
    if values.ndim == 3:
        raise FileFormatError(
            f"{path}: {prefix}lengths must be a whole number from 1 to {values.shape[1]} for each of the {len(values)} series of "
            f"{prefix}values {values.shape}, got {lengths.size} of them up to {lengths.max(initial=0)}."
        )
    if values.ndim != 2 or not whole or lengths.sum() != len(values):
        raise FileFormatError(
            f"{path}: {prefix}lengths must be whole numbers above 0 that add up to the steps of {prefix}values, got a sum of "
            f"{lengths.sum()} for {prefix}values of shape {values.shape}."
        )
    return np.split(values, np.cumsum(lengths)[:-1]), labels


def read_ts(path: Path) -> Series:
    """Series of a `.ts` file of the UEA archive; `NAME_TRAIN.ts` takes `NAME_TEST.ts` beside it as the test set.

    Of each line the channels stand between colons, the steps between commas, and the class last. A missing value is a question mark, and
    refused.

    Raises:
        FileFormatError: If a line cannot be read, or there are no classes.
    """
    series, labels = _ts_part(path)
    beside = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    test = _ts_part(beside) if beside != path and beside.is_file() else None
    names = sorted({*labels, *(test[1] if test else ())})
    numbers = {name: number for number, name in enumerate(names)}

    def numbered(part: Any) -> Any:
        return part[0], np.array([numbers[label] for label in part[1]], np.int32)

    series, labels = numbered((series, labels))
    return Series(path.stem.replace("_TRAIN", "").lower(), tuple(names), series, labels, None, numbered(test) if test else None)


def _ts_part(path: Path) -> Any:
    series, labels, in_data, labelled = [], [], False, False
    listed: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not a readable text file ({error}).") from error
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        if not in_data:
            word, *rest = line.split()
            word, told = word.lower(), [one.lower() for one in rest[:1]]
            if word == "@classlabel" and told == ["true"]:
                labelled, listed = True, set(rest[1:])
            if word == "@timestamps" and told == ["true"]:
                raise FileFormatError(f"{path}: its values have time stamps, which are not read; expected evenly spaced values.")
            in_data = word == "@data"
            continue
        *channels, label = line.split(":")
        try:
            columns = [[float(value) for value in channel.split(",")] for channel in channels]
        except ValueError as error:
            raise FileFormatError(f"{path}, line {number}: channels must be numbers ({error}).") from error
        if len(steps := {len(column) for column in columns}) != 1:
            came = ", ".join(map(str, sorted(steps))) or "none"
            raise FileFormatError(f"{path}, line {number}: every channel must have equally many steps, got {came}.")
        if listed and label.strip() not in listed:
            raise FileFormatError(
                f"{path}, line {number}: class {label.strip()!r} is none of {', '.join(sorted(listed))}; is the line whole?"
            )
        series.append(np.array(columns, np.float32).T)
        labels.append(label.strip())
    if not series or not labelled:
        raise FileFormatError(f"{path}: expected a header with @classLabel true and lines after @data, as the UEA archive has them.")
    return series, labels


def read_csv(path: Path) -> Series:
    """Series of a CSV file with a header: `series`, `label`, perhaps `group`, and the channels; one line per step.

    Lines of one series stand together. `series` is any name of it.

    Raises:
        FileFormatError: If columns are missing or a value is no number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin files with a mark of their encoding
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(f"{path}: not a readable CSV file ({error}).") from error
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise FileFormatError(f"{path}: two columns are called {twice[0]!r}; each needs a name of its own.")
    channels = [name for name in columns if name not in ("series", "label", "group")]
    if not {"series", "label"} <= set(columns) or not channels:
        commas = "; columns stand between commas" if len(columns) == 1 else ""
        came = ", ".join(columns) or "nothing"
        raise FileFormatError(f"{path}: expected a header with series, label, perhaps group, and channels, got {came}{commas}.")
    if not rows:
        raise FileFormatError(f"{path}: no lines after the header.")
    names: list[str] = []
    values: list[Any] = []
    labels: list[Any] = []
    groups: list[Any] = []
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise FileFormatError(f"{path}, line {number}: more values than the header's {len(columns)}; decimals stand behind a point.")
        if not row["label"]:
            raise FileFormatError(f"{path}, line {number}: series {row['series']!r} has no label.")
        if not names or row["series"] != names[-1]:
            if row["series"] in names:
                raise FileFormatError(
                    f"{path}, line {number}: series {row['series']!r} goes on after another one; sort the lines by series."
                )
            names.append(row["series"])
            labels.append(row["label"])
            groups.append(row.get("group"))
            values.append([])
        if row["label"] != labels[-1] or row.get("group") != groups[-1]:
            raise FileFormatError(f"{path}, line {number}: series {row['series']!r} has several labels or groups.")
        try:
            values[-1].append([float(row[channel]) for channel in channels])
        except (TypeError, ValueError):
            raise FileFormatError(f"{path}, line {number}: every channel must be a number, got {[row[c] for c in channels]}.") from None
    known = sorted(set(labels))
    numbered = np.array([known.index(label) for label in labels], np.int32)
    series = [np.array(one, np.float32) for one in values]
    return Series(path.stem, tuple(known), series, numbered, np.array(groups) if "group" in columns else None, None, tuple(channels))


def holds_sounds(path: Path) -> bool:
    """Whether a folder has WAV files in its folders."""
    return holds(path, SOUND)


def read_wavs(path: Path) -> Series:
    """Log-mel spectra of a folder of sounds, `<class>/*.wav`, or `train/<class>/*.wav` with `test/<class>/*.wav`.

    16-bit mono of one rate. A spectrum has `MELS` bands; a step is a frame of `FRAME_SECONDS` every `HOP_SECONDS`. What stands in a file's
    name before `_nohash_`, as in Speech Commands, is its group: one speaker is in one part.

    Raises:
        FileFormatError: If a file is no such sound, or rates differ.
    """
    if (path / "train").is_dir():
        check_test(path)
        parts = {part: files_of_classes(path / part, SOUND) for part in ("train", "test")}
    else:
        parts = {"train": files_of_classes(path, SOUND)}
    names = sorted({label for found in parts.values() for _, label in found})
    rate = _Rate()

    def read(found: Any) -> Any:
        spectra = [log_mel(*rate.sound(file)) for file, _ in found]
        return spectra, np.array([names.index(label) for _, label in found], np.int32)

    groups = None
    speakers = [file.stem.partition("_nohash_") for file, _ in parts["train"]]
    if "test" not in parts and all(mark for _, mark, _ in speakers):
        groups = np.array([speaker for speaker, _, _ in speakers])
    series, labels = read(parts["train"])
    return Series(path.name, tuple(names), series, labels, groups, read(parts["test"]) if "test" in parts else None)


class _Rate:
    """Reads sounds, all of the rate of the first one."""

    def __init__(self) -> None:
        self.rate: int | None = None
        self.first: Path | None = None

    def sound(self, file: Path) -> tuple[np.ndarray, int]:
        try:
            with wave.open(str(file), "rb") as sound:
                width, channels, rate, frames = sound.getsampwidth(), sound.getnchannels(), sound.getframerate(), sound.getnframes()
                content = sound.readframes(frames)
        except (OSError, EOFError, wave.Error) as error:
            raise FileFormatError(f"{file}: not a readable WAV file ({str(error) or 'cut off'}).") from error
        if (width, channels) != (2, 1) or len(content) != 2 * frames or not frames:
            raise FileFormatError(f"{file}: expected 16-bit mono, whole, got {8 * width}-bit, {channels} channels, {len(content)} bytes.")
        if rate <= 2 * LOWEST_HZ:
            raise FileFormatError(f"{file}: {rate} samples per second; bands begin at {LOWEST_HZ:g} Hz, which takes twice that and more.")
        if self.rate not in (None, rate):
            raise FileFormatError(f"{file}: {rate} samples per second, and {self.first} has {self.rate}; bring all sounds to one rate.")
        self.rate, self.first = rate, self.first or file
        return np.frombuffer(content, "<i2").astype(np.float32) / 32768, rate


def log_mel(sound: np.ndarray, rate: int) -> np.ndarray:
    """``log(mel power + floor) - log(floor)`` of a sound, float32 `[frames, MELS]`; silence is 0 but for the last step's smallest number.

    Args:
        sound: Samples in -1..1, at least one frame of them, or filled up with silence.
        rate: Samples per second.
    """
    import tensorflow as tf

    frame, hop = round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)
    sound = np.pad(sound, (0, max(0, frame - len(sound))))
    spectrum = tf.square(tf.abs(tf.signal.stft(sound, frame, hop)))
    weights = tf.signal.linear_to_mel_weight_matrix(MELS, spectrum.shape[-1], rate, LOWEST_HZ, min(7600.0, rate / 2))
    mels = np.log(np.asarray(spectrum @ weights) + LOG_FLOOR) - np.log(LOG_FLOOR)
    mels[-1] += np.float32(1e-6)  # a silent end is no padding
    return mels.astype(np.float32)


READERS: dict[str, Callable[[Path], Series]] = {".ts": read_ts, ".csv": read_csv}
"""By the end of a file's name; `.npz` files and folders are looked into."""
