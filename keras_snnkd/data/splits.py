"""What a reader of files hands over, and how it is divided into training, validation and test."""

from typing import NamedTuple

import numpy as np

from keras_snnkd.errors import FileFormatError


class Source(NamedTuple):
    """Images and labels as they were read.

    Args:
        name: Short name of the data set.
        class_names: What label 0, 1, ... stands for.
        train: Images uint8 `[N, H, W, C]` and labels int `[N]`, before validation is taken off.
        test: The same for the test set.
    """

    name: str
    class_names: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def split(source: Source, limit: int | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Take the last 10 % of the training part, by index, as validation.

    Args:
        source: What was read.
        limit: At most this many images of the training part, before the split, and of the test set.

    Returns:
        `train_arrays`, `validation_arrays` and `test_arrays`, each uint8 images `[N, H, W, C]` and int32 labels `[N]`, read-only.

    Raises:
        FileFormatError: Fewer than two training images, or no test image.
    """
    count = len(source.train[0][:limit])
    if count < 2 or len(source.test[0]) < 1:
        raise FileFormatError(
            f"{source.name}: got {count} training and {len(source.test[0])} test images; "
            f"training and validation need at least 2, test at least 1."
        )
    first = count - max(1, count // 10)
    return {
        "train_arrays": _read_only(source.train, slice(0, first)),
        "validation_arrays": _read_only(source.train, slice(first, count)),
        "test_arrays": _read_only(source.test, slice(0, limit)),
    }


def every_fifth(count: int) -> np.ndarray:
    """Which of `count` samples are test: True at positions 4, 9, 14, ..."""
    return np.arange(count) % 5 == 4


def _read_only(arrays, part: slice):
    images, labels = (np.ascontiguousarray(array[part], dtype) for array, dtype in zip(arrays, (np.uint8, np.int32), strict=True))
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels
