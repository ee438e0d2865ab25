"""Data sets in one `.npz` file."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd.data.splits import Arrays, Source
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.archives import check_archive
from keras_snnkd.files.samples import Samples, count

KEYS = ("x_train", "y_train", "x_test", "y_test")

INPUT = "x_train_"
"""What the keys of several inputs begin with: `x_train_left`, `x_train_right`."""

VALIDATION = ("val", "valid", "validation")
"""What the part to choose by may be called: `x_val` and `y_val`, and so on."""

MOST_CLASSES = 1_000_000
"""Class numbers from which on labels are something else, such as identifiers."""

IN_BETWEEN = (
    " with values in between, which are no classes; of numbers to learn, such as a size or an angle, say "
    'task="regression" (--task regression)'
)

AS_SERIES = "; if they are series [N, T, C], save them as values= and labels=, or load a keras_snnkd.data.Series"

ROUNDING = 1e-3
"""Floats may be so far outside of 0..1."""


def read(path: Path, numbers: bool = False) -> Source:
    """Read x_train, y_train, x_test, y_test, and x_val with y_val where they are there, from a `.npz` file.

    Args:
        path: The file.
        numbers: Whether labels are numbers, of a regression.

    Returns:
        Images as uint8 `[N, H, W, C]` and labels; of keys such as x_train_left and x_train_right a mapping of several inputs.

    Raises:
        FileFormatError: The file is damaged, holds other things or holds them in another form.
    """
    arrays, unused = _arrays(path)
    return source_of(path, path.stem, arrays, unused, numbers)


def inputs_in(path: Path) -> list[str]:
    """The inputs that a file holds under keys such as x_train_left, by its names alone; none of a file with one input, or of no `.npz`."""
    with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as file:  # whatever is wrong with it, its reader says it
        return _inputs_of(file)
    return []


def _inputs_of(keys: Iterable[str]) -> list[str]:
    names = list(keys)
    return [] if "x_train" in names else [key.removeprefix(INPUT) for key in names if key.startswith(INPUT) and key != INPUT]


def source_of(path: Path | str, name: str, arrays: dict[str, Any], unused: list[str], numbers: bool = False) -> Source:
    """The source of arrays x_train, y_train and so on.

    Args:
        path: Where they come from, for messages.
        name: Of the data set.
        arrays: By name; of several inputs x_train, x_test and so on are mappings.
        unused: Names of others that were there.
        numbers: Whether labels are numbers, of a regression.

    Raises:
        FileFormatError: If they hold something else than images, and class numbers or numbers.
    """
    parts: dict[str, Arrays] = {}
    for part in [name.removeprefix("x_") for name in arrays if name.startswith("x_")]:
        given = arrays[f"x_{part}"]
        images = _several(path, f"x_{part}", given) if isinstance(given, Mapping) else _images(path, f"x_{part}", given)
        labels = arrays[f"y_{part}"]
        if numbers:
            labels = _numbers(path, f"y_{part}", labels, images)
        else:
            _check_labels(path, f"y_{part}", labels, count(images))
        parts[part] = images, labels
    _check_shapes(path, {part: images for part, (images, _) in parts.items()})
    by_part = {part: labels for part, (_, labels) in parts.items()}
    classes = _check_outputs(path, by_part) if numbers else _check_classes(path, by_part)
    notes = _of_pixels(arrays["x_train"], parts["train"][0])
    notes += [f"not used: {', '.join(unused)}"] if unused else []
    return Source(
        name=name,
        class_names=tuple(map(str, range(classes))),
        train=parts["train"],
        test=parts["test"],
        validation=next((parts[name] for name in VALIDATION if name in parts), None),
        notes=tuple(notes),
    )


def _of_pixels(given: Any, kept: Samples) -> list[str]:
    """What is to be said of images that were floats."""
    if not isinstance(given, Mapping):
        return [f"pixels were {given.dtype} from 0 to 1, and are kept in 8 bits"] if given.dtype != np.uint8 else []
    floats = [name for name, values in given.items() if kept[name].dtype == np.uint8 != values.dtype]
    return [f"pixels of {', '.join(floats)} were floats from 0 to 1, and are kept in 8 bits"] if floats else []


def _check_shapes(path: Path | str, parts: dict[str, Samples]) -> None:
    """Refuse parts whose samples have other inputs, or other shapes, than those of the training part."""
    if any(isinstance(images, Mapping) for images in parts.values()):
        names = {part: ", ".join(sorted(images)) if isinstance(images, Mapping) else "one input" for part, images in parts.items()}
        if other := [part for part in parts if names[part] != names["train"]]:
            raise FileFormatError(
                f"{path}: the {other[0]} part has {names[other[0]]}, and the train part {names['train']}; give all the same."
            )
        for name in parts["train"]:
            _check_shapes(path, {f"{part}_{name}": images[name] for part, images in parts.items()})
        return
    shapes = {part: images.shape[1:] for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        keys, found = (" and ".join(map(str, items)) for items in ([f"x_{part}" for part in shapes], shapes.values()))
        raise FileFormatError(f"{path}: images of {keys} must have one shape, got {found}.")


def _several(path: Path | str, key: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Several inputs, each by its own shape: images as uint8 `[N, H, W, C]`, vectors `[N, K]` and series `[N, T, C]` as float32."""
    if len(given) < 2:
        raise FileFormatError(f"{path}: {key} has the input {', '.join(given)} alone; one input is called {key}, several {key}_<input>.")
    found = {name: _input(path, f"{key}_{name}", np.asarray(values)) for name, values in given.items()}
    counts = {name: len(values) for name, values in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{key}_{name} {number:,}" for name, number in counts.items())
        raise FileFormatError(
            f"{path}: different numbers of samples, {told}; the i-th of each input make one sample, so give as many of each."
        )
    return found


def _input(path: Path | str, key: str, values: np.ndarray) -> np.ndarray:
    """One of several inputs."""
    if values.ndim == 4 or (values.ndim == 3 and values.dtype == np.uint8):
        return _images(path, key, values)
    expected = f"{path}: {key} must be images [N, H, W, C] (uint8, or floats from 0 to 1), or floats [N, K] or [N, T, C], got"
    if values.ndim not in (2, 3) or 0 in values.shape:
        more = f"; of one number each save {key}[:, None]" if values.ndim == 1 and values.size else ""
        raise FileFormatError(f"{expected} shape {values.shape}{more}.")
    if values.dtype.kind != "f":
        raise FileFormatError(f"{expected} {values.dtype} of shape {values.shape}; of numbers save {key}.astype('float32').")
    if not np.isfinite(values).all():
        raise FileFormatError(f"{path}: {key} holds NaN or infinite values; fill or leave out what is missing.")
    return values.astype("float32")


def _arrays(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The arrays, and the names of those that are not used; objects are refused, because reading them would run code from the file."""
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            names = list(file)
            if inputs := _inputs_of(names):
                return _arrays_of_inputs(path, file, inputs)
            validation = next((name for name in VALIDATION if {f"x_{name}", f"y_{name}"} & set(names)), None)
            wanted = (*KEYS, f"x_{validation}", f"y_{validation}") if validation else KEYS
            arrays = {key: read_array(file, key) for key in wanted if key in file}
    except _KeysError as error:
        raise FileFormatError(f"{path}: {error}") from None
    except Exception as error:  # numpy reads headers in Python's syntax and raises what that raises; MemoryError for what they claim
        reason = str(error) if isinstance(error, FileFormatError) else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"{path}: not a readable .npz file of plain arrays ({reason}); "
            f"write it with numpy.savez_compressed(path, {', '.join(f'{key}=...' for key in KEYS)})."
        ) from error
    if missing := [key for key in wanted if key not in arrays]:
        raise FileFormatError(f"{path}: {', '.join(missing)} missing; expected {', '.join(wanted)}, got {', '.join(names) or 'nothing'}.")
    return arrays, [name for name in names if name not in arrays]


def _arrays_of_inputs(path: Path, file: Any, inputs: list[str]) -> tuple[dict[str, Any], list[str]]:
    """As `_arrays`, of a file with several inputs, whose x_train, x_test and so on are mappings."""
    names = list(file)
    validation = [name for name in VALIDATION if f"y_{name}" in names or any(key.startswith(f"x_{name}_") for key in names)][:1]
    parts = ["train", "test", *validation]
    wanted = [*(f"x_{part}_{name}" for part in parts for name in inputs), *(f"y_{part}" for part in parts)]
    missing = [key for key in wanted if key not in names]
    other = [key for key in names if key not in wanted and key.startswith(tuple(f"x_{part}_" for part in parts))]
    if missing or other:
        told = f"{', '.join(missing)} missing" if missing else f"{', '.join(other)} without {INPUT}{other[0].split('_', 2)[2]}"
        raise _KeysError(f"{told}; the inputs of x_train are {', '.join(inputs)}: expected {', '.join(wanted)}, got {', '.join(names)}.")
    arrays: dict[str, Any] = {f"x_{part}": {name: read_array(file, f"x_{part}_{name}") for name in inputs} for part in parts}
    arrays |= {f"y_{part}": read_array(file, f"y_{part}") for part in parts}
    return arrays, [name for name in names if name not in wanted]


class _KeysError(Exception):
    """Keys that a readable file lacks."""


def read_array(file: Any, key: str) -> np.ndarray:
    """One array of an open `.npz` file.

    Raises:
        FileFormatError: If it holds Python objects.
    """
    try:
        return file[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        numbers = f"save numbers, of names numpy.unique({key}, return_inverse=True)[1]"
        if key.endswith("values"):
            numbers = f"save series of different lengths one after the other, numpy.concatenate({key}), with lengths"
        raise FileFormatError(f"{key} holds Python objects, which are not read from files; {numbers}") from None


def _images(path: Path | str, key: str, images: np.ndarray) -> np.ndarray:
    """As uint8 `[N, H, W, C]`."""
    _check_shape(path, key, images.shape)
    flat = images.ndim == 3
    images = images[..., None] if images.ndim == 3 else images
    if not np.issubdtype(images.dtype, np.floating):
        _check_bytes(path, key, images)
        return images
    if not np.isfinite(images).all():
        raise FileFormatError(f"{path}: {key} holds NaN or infinite values; expected floats from 0 to 1.")
    low, high = float(images.min()), float(images.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise FileFormatError(
            f"{path}: floats of {key} must lie between 0 and 1, got {low:g} to {high:g}; {_rescaling(key, low, high)}, in all parts alike"
            f"{AS_SERIES if flat else ''}."
        )
    if high < 2 / 255 and low != high:
        raise FileFormatError(f"{path}: floats of {key} reach {high:g} only; were they divided by 255 twice? Expected 0 to 1.")
    return np.clip(np.rint(images * 256), 0, 255).astype(np.uint8)


def _check_shape(path: Path | str, key: str, shape: tuple[int, ...]) -> None:
    """Refuse what is not `[N, H, W]` or `[N, H, W, C]`."""
    came = f"got shape {shape}"
    if len(shape) not in (3, 4) or 0 in shape:
        flat = f"; of flat images save {key}.reshape(-1, H, W)" if len(shape) == 2 else ""
        raise FileFormatError(f"{path}: {key} must be [N, H, W] or [N, H, W, C] and not empty, {came}{flat}.")
    if len(shape) == 4 and shape[-1] > 4 and shape[1] <= 4:
        raise FileFormatError(f"{path}: {key} must be [N, H, W, C], {came}; of [N, C, H, W] save {key}.transpose(0, 2, 3, 1).")
    if len(shape) == 3 and min(shape[1:]) <= 4:
        raise FileFormatError(
            f"{path}: {key} must be images [N, H, W] or [N, H, W, C], {came}, which looks like a series of {shape[1]} steps or points with "
            f"{shape[2]} values each; if they are images, give them a last axis: {key}[..., None]{AS_SERIES}."
        )


def _check_bytes(path: Path | str, key: str, images: np.ndarray) -> None:
    """Refuse what is neither uint8 nor floats, and uint8 that is black."""
    expected = f"{path}: {key} must be uint8 (0..255) or floats from 0 to 1, got"
    if images.dtype == np.bool_:
        raise FileFormatError(f"{expected} booleans; save {key}.astype('uint8') * 255.")
    if not np.issubdtype(images.dtype, np.integer):
        raise FileFormatError(f"{expected} {images.dtype}; pixels are numbers.")
    low, high = int(images.min()), int(images.max())
    if (low, high) == (0, 1):
        raise FileFormatError(f"{expected} {images.dtype} of 0 and 1 only, which is all but black; save {key}.astype('uint8') * 255.")
    if images.dtype != np.uint8:
        raise FileFormatError(f"{expected} {images.dtype} from {low} to {high}; {_rescaling(key, low, high)}, in all parts alike.")


def _rescaling(key: str, low: float, high: float) -> str:
    """What to do with values from `low` to `high`."""
    if low >= 0 and 2 <= high <= 255:
        return f"if its values are 0..255, save {key}.astype('uint8')"
    if -1.001 <= low < 0 and high <= 1.001:
        return f"of values from -1 to 1, save (({key} + 1) / 2).astype('float32')"
    if low >= 0:
        whole = next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if high < 2**bits), high)
        return f"save ({key} / {whole:g}).astype('float32')"
    return f"save (({key} - {low:g}) / {high - low:g}).astype('float32')"


def _check_labels(path: Path | str, key: str, labels: np.ndarray, count: int) -> None:
    """Refuse what is not one whole number per image."""
    check_numbers(path, key, labels)
    if len(labels) != count:
        raise FileFormatError(f"{path}: {key} has {len(labels)} labels for {count} images.")


def check_numbers(path: Path | str, key: str, labels: np.ndarray) -> None:
    """Refuse labels that are no class numbers.

    Raises:
        FileFormatError: With the NumPy call that makes class numbers of them.
    """
    said = f"{path}: {key} must be class numbers [N], integers 0..K-1, got"
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise FileFormatError(f"{said} shape {labels.shape}; of one-hot labels [N, K] save {key}.argmax(1).")
    if labels.ndim != 1:
        raise FileFormatError(f"{said} shape {labels.shape}; of [N, 1] save {key}.ravel().")
    if labels.dtype.kind in "US" or (labels.dtype == object and all(isinstance(label, (str, bytes)) for label in labels)):
        raise FileFormatError(f"{said} names; save numpy.unique({key}, return_inverse=True)[1], with the names of all parts together.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise FileFormatError(f"{said} {labels.dtype}{_remedy(key, labels)}.")
    if labels.size and labels.max() >= MOST_CLASSES:
        raise FileFormatError(f"{said} {labels.min()}..{labels.max()}; renumber them with numpy.unique({key}, return_inverse=True)[1].")


def class_names(path: Path | str, arrays: dict[str, np.ndarray], labels: list[np.ndarray]) -> tuple[str, ...]:
    """The names of the classes in a file, or, where it has none, the class numbers, which must be 0..K-1 then.

    Raises:
        FileFormatError: For other numbers.
    """
    if "class_names" in arrays:
        return tuple(map(str, arrays["class_names"].ravel()))
    present = np.unique(np.concatenate(labels))
    if not np.array_equal(present, np.arange(len(present))):
        raise FileFormatError(
            f"{path}: labels must be 0..K-1 for K classes, got {len(present)} numbers from {present[0]} to {present[-1]}; renumber them "
            "with numpy.unique(labels, return_inverse=True)[1], of all parts together, or name all classes in class_names."
        )
    return tuple(map(str, present))


def _remedy(key: str, labels: np.ndarray) -> str:
    """What to do about labels that are no integers."""
    if labels.dtype.kind == "f" and not np.all(np.isfinite(labels)):
        return " with NaN or infinite values; leave out the images without a class"
    if labels.dtype == np.bool_ or (labels.dtype.kind == "f" and np.array_equal(labels, np.rint(labels))):
        return f"; save {key}.astype(int)"
    return IN_BETWEEN if labels.dtype.kind == "f" else ""


def _numbers(path: Path | str, key: str, labels: np.ndarray, images: Samples) -> np.ndarray:
    """Labels as numbers, float32 `[N, K]`, or `[N, H, W, K]` of maps that are as large as the images `[N, H, W, C]`."""
    labels, total, shape = np.asarray(labels), count(images), () if isinstance(images, Mapping) else images.shape[1:]
    expected = f"{path}: {key} must be numbers [N] or [N, K], or maps [N, H, W] or [N, H, W, K] as large as the images, got"
    if labels.dtype.kind not in "fiu":
        raise FileFormatError(f"{expected} {labels.dtype}.")
    if len(labels) != total:
        raise FileFormatError(f"{path}: {key} has {len(labels)} labels for {total} images.")
    is_map = labels.ndim in (3, 4) and labels.shape[1:3] == shape[:2]
    if 0 in labels.shape or not (labels.ndim in (1, 2) or is_map):
        raise FileFormatError(f"{expected} shape {labels.shape} for images {shape}.")
    if not np.isfinite(labels).all():
        raise FileFormatError(f"{path}: {key} holds NaN or infinite values; leave out images whose numbers are not known.")
    return labels.astype("float32")[..., None] if labels.ndim in (1, 3) else labels.astype("float32")


def _check_outputs(path: Path | str, labels: dict[str, np.ndarray]) -> int:
    """0, the number of classes, where all parts have numbers of one shape that are not all the same."""
    shapes = {part: found.shape[1:] for part, found in labels.items()}
    if len(set(shapes.values())) > 1:
        raise FileFormatError(f"{path}: the labels of {', '.join(shapes)} must have one shape, got {', '.join(map(str, shapes.values()))}.")
    train = labels["train"].reshape(-1, labels["train"].shape[-1])
    if (constant := np.flatnonzero(np.ptp(train, axis=0) == 0)).size:
        raise FileFormatError(
            f"{path}: number {constant[0]} of y_train is {train[0, constant[0]]:g} everywhere; there is nothing to learn."
        )
    return 0


def _check_classes(path: Path | str, labels: dict[str, np.ndarray]) -> int:
    """The number of classes K, where the training labels are all of 0..K-1, and the others are among them."""
    present = np.unique(labels["train"])
    classes = len(present)
    if classes < 2:
        raise FileFormatError(f"{path}: y_train holds one class only ({present[0]}); expected at least two.")
    if present[0] != 0 or present[-1] != classes - 1:
        raise FileFormatError(
            f"{path}: labels of {classes} classes must be 0..{classes - 1}, got {present[0]}..{present[-1]} in y_train; "
            f"renumber them with numpy.unique(labels, return_inverse=True)."
        )
    for part, found in labels.items():
        if found.min() < 0 or found.max() >= classes:
            raise FileFormatError(f"{path}: labels of y_{part} must be 0..{classes - 1} as in y_train, got {found.min()}..{found.max()}.")
    return classes
