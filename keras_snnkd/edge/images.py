"""Images for a model: checked arrays, and arrays from files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from keras_snnkd.errors import FileFormatError, InputError, ShapeError
from keras_snnkd.files.pictures import Resize, read_picture
from keras_snnkd.files.samples import Samples, arrays, by_input

Place: TypeAlias = tuple[Sequence[int | None], np.dtype | str]
"""Of an input the shape of a sample, `None` for an axis of any length, and the type that it takes besides floating-point numbers."""


def check_samples(samples: Samples, places: Mapping[str, Place], whose: str, in_order: bool = False) -> Samples:
    """Images, or of several inputs the samples of each, as `check_images` gives them.

    Args:
        samples: One array, or a mapping by input.
        places: By input, the shape of a sample and its type.
        whose: What takes them, for messages.
        in_order: Whether several inputs may come as a list in the order of `places` too.

    Raises:
        ShapeError, UnknownNameError: If they do not fit; see `check_images` and `keras_snnkd.files.samples.by_input`.
    """
    if len(places) == 1:
        if isinstance(samples, Mapping):
            raise ShapeError(f"{whose} has one input; expected its samples as an array, got a mapping of {', '.join(map(str, samples))}")
        ((shape, dtype),) = places.values()
        return check_images(samples, shape, dtype)
    found = by_input(samples, list(places), whose, in_order)
    return {name: check_images(values, *places[name], what=f"samples for the input {name}") for name, values in found.items()}


def check_images(
    images: np.ndarray, image_shape: Sequence[int | None], dtype: np.dtype | str = "float32", what: str = "images"
) -> np.ndarray:
    """Images as a contiguous array `[N, *image_shape]`.

    Args:
        images: What came.
        image_shape: Shape of one; `None` for an axis of any length.
        dtype: What the model takes besides floating-point numbers.
        what: What they are called in messages.

    Returns:
        Float32, or what came where that is of `dtype`.

    Raises:
        ShapeError: If the shape is another one, there are no images, or they are not numbers of the right kind.
    """
    images = np.asarray(images)
    expected = f"[N, {', '.join('?' if n is None else str(n) for n in image_shape)}]"
    fits = images.ndim == 1 + len(image_shape) and all(n in (None, m) for n, m in zip(image_shape, images.shape[1:], strict=True))
    if not fits or not len(images):
        raise ShapeError(f"expected {what} {expected} with N of at least 1, got shape {images.shape}{_turned(images, image_shape)}")
    if images.dtype == dtype:
        return np.ascontiguousarray(images)
    if images.dtype.kind in "iu" and np.dtype(dtype) == np.int32:  # token ids
        return np.ascontiguousarray(images, dtype)
    if images.dtype.kind != "f" or np.dtype(dtype) == np.int32:
        if np.dtype(dtype) == np.int32:
            raise ShapeError(f"expected token ids {expected} as whole numbers, got {images.dtype}")
        other = "" if np.dtype(dtype).kind == "f" else f" (or {np.dtype(dtype)}, as the file stores them)"
        raise ShapeError(
            f"expected {what} {expected} of float32{other}, scaled as in training, got {images.dtype}; for bytes try images / 256"
        )
    return np.ascontiguousarray(images, "float32")


def _turned(images: np.ndarray, image_shape: Sequence[int | None]) -> str:
    """What to do with images whose channels stand elsewhere."""
    for axes in ((0, 3, 1, 2), (0, 2, 3, 1)):
        if images.ndim == 4 == 1 + len(image_shape) and [images.shape[axis] for axis in axes[1:]] == list(image_shape):
            return f"; the file has its channels elsewhere, give images.transpose{axes}"
    return ""


def check_finite(images: Samples) -> Samples:
    """`images`, or an `InputError` if they hold NaN or infinite values."""
    for values in arrays(images):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError("the image holds NaN or infinite values; check the sensor or the preprocessing before the model")
    return images


def read_image(path: str | Path, image_shape: tuple[int, ...], resize: Resize | None = None) -> np.ndarray:
    """Read an image, bytes as multiples of 1/256.

    Args:
        path: A `.npy` file (an image, or frames over time), or a picture that Pillow reads (see `keras_snnkd.files.pictures`).
        image_shape: `(H, W, C)` of the model, C 1 or 3 for pictures: colours are turned into grey, or grey into colours.
        resize: How pictures are brought to one size, as in training; by default they have to have it.

    Returns:
        Float32 `[H, W, C]`, or `[T, H, W, C]`; whether an array fits the model is not checked here.

    Raises:
        FileFormatError: If the file is missing, cannot be read, is a picture of another size, or if Pillow is needed and not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"there is no image {path}")
    image = _read_array(path) if path.suffix == ".npy" else _read_picture(path, image_shape, resize)
    if image.dtype == np.uint8:
        image = image * np.float32(1 / 256)
    if image.shape == tuple(image_shape[:-1]) and image_shape[-1] == 1:
        image = image[..., np.newaxis]
    return image


def _read_array(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # whatever NumPy raises on a header that is none, or on one that promises more than there is
        raise FileFormatError(f"{path} is not an array as numpy.save writes it: {str(error) or type(error).__name__}") from error


def _read_picture(path: Path, image_shape: tuple[int, ...], resize: Resize | None) -> np.ndarray:
    if len(image_shape) != 3 or image_shape[-1] not in (1, 3):
        raise FileFormatError(f"{path} is a picture and the model takes {image_shape}; give an array in a .npy file")
    picture = read_picture(path, channels=image_shape[-1], resize=resize)
    height, width = image_shape[:2]
    if picture.shape[:2] != (height, width):
        raise FileFormatError(
            f"{path} is {picture.shape[1]}x{picture.shape[0]} pixels and the model takes {width}x{height}; give a picture of that size, or "
            f"--resize stretch or --resize keep-aspect, whichever the training images were prepared by"
        )
    return picture
