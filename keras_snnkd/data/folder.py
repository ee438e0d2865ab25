"""Data sets in folders of images, one folder a class."""

from pathlib import Path

import numpy as np

from keras_snnkd.data.splits import Source, every_fifth
from keras_snnkd.errors import FileFormatError

SUFFIXES = (".png", ".jpg", ".jpeg")
LAYOUTS = "expected train/<class>/*.png and test/<class>/*.png, or <class>/*.png (.jpg and .jpeg too)"
GRAY, COLOR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")

Files = dict[str, list[Path]]


def read(path: Path) -> Source:
    """Read a folder of images, gray ones as `[H, W, 1]`; if any has colour, all become `[H, W, 3]`.

    Args:
        path: A folder with `train/<class>/` and `test/<class>/`, or with `<class>/`, where every fifth image of a class, by
            name, is test. Files that are not `.png`, `.jpg` or `.jpeg` are passed over.

    Returns:
        Images and labels. The classes are mixed evenly in a fixed order, so that the last 10 % holds each of them.

    Raises:
        FileFormatError: No images, one class only, an image that cannot be read, or images of different sizes.
    """
    if (path / "train").is_dir():
        train, test = _classes(path / "train"), _classes(path / "test")
        if foreign := sorted(set(test) - set(train)):
            raise FileFormatError(f"{path}: class {foreign[0]!r} is in test/ but not in train/, which has {', '.join(train)}.")
    else:
        files = _classes(path)
        train = {name: _take(images, test=False) for name, images in files.items()}
        test = {name: _take(images, test=True) for name, images in files.items()}
    if len(train) < 2:
        raise FileFormatError(f"{path}: holds one class only ({next(iter(train))}); expected at least two.")
    names = tuple(train)
    samples = [_mixed(part, names) for part in (train, test)]
    images = _read_images([file for part in samples for file, _ in part])
    labels = np.array([label for part in samples for _, label in part])
    first_test = len(samples[0])
    return Source(
        name=path.resolve().name,
        class_names=names,
        train=(images[:first_test], labels[:first_test]),
        test=(images[first_test:], labels[first_test:]),
    )


def _classes(path: Path) -> Files:
    """The images of each class folder in `path`, sorted by name."""
    if not path.is_dir():
        raise FileFormatError(f"{path}: no such folder; {LAYOUTS}.")
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))
    files = {folder.name: sorted(file for file in folder.iterdir() if _is_image(file)) for folder in folders}
    if not files:
        raise FileFormatError(f"{path}: no class folders in it; {LAYOUTS}.")
    if empty := [name for name, images in files.items() if not images]:
        raise FileFormatError(f"{path / empty[0]}: no images in it; {LAYOUTS}.")
    return files


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def _take(files: list[Path], test: bool) -> list[Path]:
    return [file for file, is_test in zip(files, every_fifth(len(files)), strict=True) if is_test == test]


def _mixed(files: Files, names: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Files with their labels, each class spread evenly over the whole list."""
    places = [((place + 0.5) / len(images), names.index(name), file) for name, images in files.items() for place, file in enumerate(images)]
    return [(file, label) for _, label, file in sorted(places)]


def _read_images(files: list[Path]) -> np.ndarray:
    """All files as one uint8 array `[N, H, W, C]`."""
    images = [_read_image(file) for file in files]
    height, width = images[0].shape[:2]
    for file, image in zip(files, images, strict=True):
        if image.shape[:2] != (height, width):
            raise FileFormatError(
                f"{file}: is {image.shape[1]}x{image.shape[0]} pixels, but {files[0]} is {width}x{height}; all images must have one size."
            )
    channels = max(image.shape[2] for image in images)
    stack = np.empty((len(images), height, width, channels), np.uint8)
    for place, image in enumerate(images):
        stack[place] = image  # a gray image fills all channels
    return stack


def _read_image(file: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file) as image:
            image.verify()  # compares the checksums of a PNG, which reading its pixels leaves out
        with Image.open(file) as image:
            if image.mode not in GRAY + COLOR:
                raise FileFormatError(f"{file}: pixels must have 8 bits a channel, got PIL mode {image.mode!r}; convert it to gray or RGB.")
            pixels = np.asarray(image.convert("L" if image.mode in GRAY else "RGB"))
    except FileFormatError:
        raise
    except Exception as error:  # Pillow's readers raise what their parts raise: SyntaxError, struct.error, zlib.error, OverflowError, ...
        raise FileFormatError(f"{file}: cannot be read as an image ({error}).") from error
    return pixels.reshape(*pixels.shape[:2], -1)
