"""Data sets in one `.npz` file."""

from pathlib import Path

import numpy as np

from keras_snnkd.data.splits import Source
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.archives import check_archive

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path) -> Source:
    """Read x_train, y_train, x_test and y_test from a `.npz` file.

    Args:
        path: The file.

    Returns:
        Images as uint8 `[N, H, W, C]` and labels.

    Raises:
        FileFormatError: The file is damaged, holds other things or holds them in another form.
    """
    arrays = _arrays(path)
    images = {key: _images(path, key, arrays[key]) for key in ("x_train", "x_test")}
    if images["x_train"].shape[1:] != images["x_test"].shape[1:]:
        shapes = " and ".join(str(array.shape[1:]) for array in images.values())
        raise FileFormatError(f"{path}: images of x_train and x_test must have one shape, got {shapes}.")
    for part in ("train", "test"):
        _check_labels(path, f"y_{part}", arrays[f"y_{part}"], len(images[f"x_{part}"]))
    classes = _check_classes(path, arrays["y_train"], arrays["y_test"])
    return Source(
        name=path.stem,
        class_names=tuple(map(str, range(classes))),
        train=(images["x_train"], arrays["y_train"]),
        test=(images["x_test"], arrays["y_test"]),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The four arrays; objects are refused, because reading them would run code from the file."""
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            names, arrays = list(file), {key: file[key] for key in KEYS if key in file}
    except Exception as error:  # numpy reads headers in Python's syntax and raises what that raises; MemoryError for what they claim
        reason = str(error) if isinstance(error, FileFormatError) else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"{path}: not a readable .npz file of plain arrays ({reason}); "
            f"write it with numpy.savez_compressed(path, {', '.join(f'{key}=...' for key in KEYS)})."
        ) from error
    if missing := [key for key in KEYS if key not in arrays]:
        raise FileFormatError(f"{path}: {', '.join(missing)} missing; expected {', '.join(KEYS)}, got {', '.join(names) or 'nothing'}.")
    return arrays


def _images(path: Path, key: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape:
        raise FileFormatError(f"{path}: {key} must be [N, H, W] or [N, H, W, C] and not empty, got shape {images.shape}.")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise FileFormatError(
            f"{path}: {key} must be uint8 (0..255) or floats from 0 to 1, got {images.dtype}; "
            f"if its values are 0..255, save {key}.astype('uint8')."
        )
    if not np.isfinite(images).all():
        raise FileFormatError(f"{path}: {key} holds NaN or infinite values; expected floats from 0 to 1.")
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        raise FileFormatError(f"{path}: floats of {key} must lie between 0 and 1, got {low:g} to {high:g}; rescale them, or save uint8.")
    return np.minimum(np.rint(images * 256), 255).astype(np.uint8)


def _check_labels(path: Path, key: str, labels: np.ndarray, count: int) -> None:
    if labels.ndim != 1:
        raise FileFormatError(f"{path}: {key} must be class numbers [N], got shape {labels.shape}; of [N, 1] save {key}.ravel().")
    if not np.issubdtype(labels.dtype, np.integer):
        raise FileFormatError(f"{path}: {key} must be integers, got {labels.dtype}.")
    if len(labels) != count:
        raise FileFormatError(f"{path}: {key} has {len(labels)} labels for {count} images.")


def _check_classes(path: Path, train: np.ndarray, test: np.ndarray) -> int:
    """The number of classes K, where the training labels are all of 0..K-1, mixed, and the test labels are among them."""
    present = np.unique(train)
    classes = len(present)
    if classes < 2:
        raise FileFormatError(f"{path}: y_train holds one class only ({present[0]}); expected at least two.")
    if present[0] != 0 or present[-1] != classes - 1:
        raise FileFormatError(
            f"{path}: labels of {classes} classes must be 0..{classes - 1}, got {present[0]}..{present[-1]} in y_train; "
            f"renumber them with numpy.unique(labels, return_inverse=True)."
        )
    if test.min() < 0 or test.max() >= classes:
        raise FileFormatError(f"{path}: labels of y_test must be 0..{classes - 1} as in y_train, got {test.min()}..{test.max()}.")
    if (train[:-1] <= train[1:]).all():
        raise FileFormatError(
            f"{path}: y_train is sorted by class, so its last 10 %, which is validation, "
            f"would not hold every class; shuffle x_train and y_train once."
        )
    return classes
