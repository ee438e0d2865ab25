"""Data sets that a program has in memory: arrays, and `tf.data.Dataset`s, which are read into arrays."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_snnkd.data.npz import source_of
from keras_snnkd.data.splits import Source, spread, strata
from keras_snnkd.errors import FileFormatError, did_you_mean
from keras_snnkd.files.samples import Samples, rows

NAME = "arrays"
"""The name of such a data set."""

NAME_OF_INPUTS = "arrays_by_input"
"""What a recipe calls one with several inputs."""

PARTS = {"train": "train", "validation": "val", "test": "test"}
"""The keys of a mapping, and what the arrays are called in messages."""


def is_own(data: object) -> bool:
    """Whether this is data, and not the name of some."""
    return not isinstance(data, (str, os.PathLike))


def read(data: Any, numbers: bool = False) -> Source:
    """The source of images in memory.

    Args:
        data: `(x, y)`, a `tf.data.Dataset` of pairs, batched or not, or a mapping of such with the keys `"train"`, and perhaps
            `"validation"` and `"test"`. Images uint8, or floats from 0 to 1, `[N, H, W]` or `[N, H, W, C]`; labels 0..K-1, `[N]`, or
            one-hot. Without a test part, a fifth of each class is test. Of several inputs `({"left": ..., "right": ...}, y)`, each
            images as above, or floats `[N, K]` or `[N, T, C]`.
        numbers: Whether labels are numbers, of a regression, `[N]`, `[N, K]` or `[N, H, W]`.

    Raises:
        FileFormatError: For anything else.

    Example:
        >>> data = kd.data.load((images, labels))
    """
    given = data if isinstance(data, Mapping) else {"train": data}
    unknown = [str(part) for part in given if part not in PARTS]
    if given.get("train") is None or unknown:
        raise FileFormatError(
            f"data in memory has the parts {', '.join(PARTS)}, of which train is needed; got "
            f"{', '.join(f'{part} ({type(value).__name__})' for part, value in given.items()) or 'nothing'}."
            f"{did_you_mean(min(unknown), PARTS) if unknown else ''}"
        )
    arrays = {}
    for part, name in PARTS.items():
        if given.get(part) is not None:
            arrays[f"x_{name}"], arrays[f"y_{name}"] = _pair(given[part], part, numbers)
    if "x_test" not in arrays:
        test = spread(strata(arrays["y_train"]), len(arrays["y_train"]) // 5)
        for key in ("x", "y"):
            both = arrays[f"{key}_train"]
            arrays[f"{key}_train"], arrays[f"{key}_test"] = rows(both, ~test), rows(both, test)
    return source_of("data in memory", NAME, arrays, [], numbers)


def has_inputs(data: Any) -> bool:
    """Whether samples in memory have several inputs."""
    part = data.get("train") if isinstance(data, Mapping) else data
    return isinstance(part, (tuple, list)) and len(part) == 2 and isinstance(part[0], Mapping)


def _pair(part: Any, name: str, numbers: bool) -> tuple[Samples, np.ndarray]:
    """Images, and class numbers or numbers, of one part."""
    if has_inputs(part):
        images: Samples = {str(key): _array(values, f"samples of {key} of the {name} part") for key, values in part[0].items()}
        _check_counts(images, part[1], name)
        labels = _array(part[1], f"labels of the {name} part")
    elif isinstance(part, (tuple, list)) and len(part) == 2:
        images, labels = (_array(array, f"{what} of the {name} part") for array, what in zip(part, ("images", "labels"), strict=True))
    elif hasattr(part, "element_spec"):
        images, labels = _read_dataset(part, name)
    else:
        raise FileFormatError(f"the {name} part is a {type(part).__name__}; expected (images, labels), or a tf.data.Dataset of such pairs")
    if labels.ndim == 2 and not numbers:
        labels = _numbers(labels, name) if labels.shape[1] > 1 else labels.reshape(-1)
    return images, labels


def _check_counts(images: dict[str, np.ndarray], labels: Any, name: str) -> None:
    """Refuse inputs, or labels, of different numbers, before any are taken for test."""
    counts = {**{key: len(values) if values.ndim else 0 for key, values in images.items()}, "labels": len(labels)}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{key} {number:,}" for key, number in counts.items())
        raise FileFormatError(f"the {name} part has different numbers of samples, {told}; give as many of each input, and as many labels")


def _array(values: Any, what: str) -> np.ndarray:
    """One array of what may be a list."""
    try:
        return np.asarray(values)
    except ValueError:  # of lists within lists that are not equally long
        raise FileFormatError(f"the {what} differ in shape; bring all to one, and give one array") from None


def _numbers(labels: np.ndarray, name: str) -> np.ndarray:
    """Class numbers of one-hot labels `[N, C]`."""
    one_hot = labels.dtype.kind in "biuf" and bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1))
    if not one_hot:
        raise FileFormatError(
            f"the labels of the {name} part, {labels.dtype} {labels.shape}, are not one-hot: expected one 1 in each row and zeros, or "
            "class numbers [N]; of shares of classes give labels.argmax(1) for the likeliest"
        )
    return labels.argmax(-1)


def _read_dataset(dataset: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All of a finite `tf.data.Dataset` of pairs."""
    if not isinstance(dataset.element_spec, tuple) or len(dataset.element_spec) != 2:
        given = f"mappings of {', '.join(dataset.element_spec)}" if isinstance(dataset.element_spec, Mapping) else dataset.element_spec
        pairs_of = "; of mappings make pairs, dataset.map(lambda row: (row['image'], row['label']))" if isinstance(given, str) else ""
        raise FileFormatError(f"the {name} dataset gives {given}; expected pairs (images, labels){pairs_of}")
    if inner := [type(spec).__name__ for spec in dataset.element_spec if not hasattr(spec, "shape")]:
        raise FileFormatError(f"the {name} dataset gives a {inner[0]} within its pairs; expected one tensor of images and one of labels")
    if int(dataset.cardinality()) == -1:
        raise FileFormatError(f"the {name} dataset has no end; cut it, dataset.take(number)")
    pairs = [tuple(np.asarray(value) for value in pair) for pair in dataset]
    if not pairs:
        raise FileFormatError(f"the {name} dataset is empty")
    batched = _is_batched(*pairs[0])
    shapes = {images.shape[1:] if batched else images.shape for images, _ in pairs}
    if len(shapes) > 1:
        raise FileFormatError(
            f"the images of the {name} dataset differ in shape, {sorted(shapes)[:3]}; bring them to one, with tf.image.resize"
        )
    join = np.concatenate if batched else np.stack
    return join([images for images, _ in pairs]), join([labels for _, labels in pairs])


def _is_batched(images: np.ndarray, labels: np.ndarray) -> bool:
    """Whether these are several images, `[B, H, W, C]` or `[B, H, W]`, and not one, `[H, W, C]` or `[H, W]`."""
    if images.ndim != 3:
        return images.ndim == 4
    one_hot = labels.ndim == 1 and len(labels) > 1 and labels.sum() == 1 and set(labels.tolist()) == {0, 1}
    return labels.ndim > 0 and not (one_hot and images.shape[-1] in (1, 3))
