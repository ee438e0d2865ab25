"""Data sets in folders of images, one folder a class."""

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np

from keras_snnkd.data.npz import VALIDATION
from keras_snnkd.data.splits import Arrays, Source, every_fifth, mixed
from keras_snnkd.errors import DifferentSizesError, FileFormatError
from keras_snnkd.files.memory import gigabytes, physical_memory
from keras_snnkd.files.pictures import SUFFIXES, Resize, read_picture

LAYOUTS = f"expected train/<class>/*.png and test/<class>/*.png, or <class>/*.png (also {', '.join(SUFFIXES[1:])})"

Files = dict[str, list[Path]]

UNWRITABLE = ("Cc", "Cs")
"""Kinds of letters that would break a page or a terminal: controls such as a new line, and bytes that are no UTF-8."""


def read(path: Path, resize: Resize | None = None) -> Source:
    """Read a folder of images, gray ones as `[H, W, 1]`; if any has colour, all become `[H, W, 3]`.

    Args:
        path: A folder with `train/<class>/` and `test/<class>/`, and perhaps `val/<class>/`; or with `<class>/`, where every fifth image
            of a class, by name, is test (of fewer than five, the last). What is no picture is passed over, and said.
        resize: To which size they are brought; by default all have to have one.

    Returns:
        Images and labels, the classes mixed evenly in a fixed order.

    Raises:
        FileFormatError: No images, one class only, an image that cannot be read, or images of different sizes.
    """
    passed: Counter[str] = Counter()
    parts = _parts(path, passed)
    names = tuple(parts["train"])
    if len(names) < 2:
        raise FileFormatError(f"{path}: holds one class only ({names[0]}); expected at least two.")
    for part, files in parts.items():
        if foreign := sorted(set(files) - set(names)):
            raise FileFormatError(f"{path}: class {foreign[0]!r} is in {part}/ but not in train/, which has {', '.join(names)}.")
    samples = {part: _mixed(files, names) for part, files in parts.items()}
    images = _read_images([file for part in samples.values() for file, _ in part], resize)
    arrays: dict[str, Arrays] = {}
    start = 0
    for part, found in samples.items():
        arrays[part] = images[start : start + len(found)], np.array([label for _, label in found])
        start += len(found)
    notes = [f"passed over: {', '.join(f'{count} {what}' for what, count in sorted(passed.items()))}"] if passed else []
    notes += [] if (path / "train").is_dir() else ["test is every fifth image of each class, by name"]
    return Source(
        name=path.resolve().name,
        class_names=names,
        train=arrays["train"],
        test=arrays["test"],
        validation=next((arrays[name] for name in VALIDATION if name in arrays), None),
        notes=tuple(notes),
    )


def _parts(path: Path, passed: Counter[str]) -> dict[str, Files]:
    """The files of training and test, and of validation where there is such a folder."""
    if not (path / "train").is_dir():
        files = _classes(path, passed)
        return {part: {name: _take(images, part == "test") for name, images in files.items()} for part in ("train", "test")}
    check_test(path)
    named = ["train", "test", *[name for name in VALIDATION if (path / name).is_dir()][:1]]
    for entry in path.iterdir():
        if entry.is_dir() and entry.name not in named and not entry.name.startswith((".", "__")):
            passed[f"folder {entry.name}/ beside train/"] += 1
    return {name: _classes(path / name, passed) for name in named}


def _classes(path: Path, passed: Counter[str]) -> Files:
    """The images of each class folder in `path`, sorted by name."""
    if not path.is_dir():
        raise FileFormatError(f"{path}: no such folder; {LAYOUTS}.")
    beside = [entry for entry in listed(path) if not entry.name.startswith("__")]
    folders = [entry for entry in beside if entry.is_dir()]
    pictures = [entry for entry in beside if entry.suffix.lower() in SUFFIXES and entry.is_file()]
    if pictures and folders:
        passed[f"pictures beside the class folders, such as {pictures[0].name}"] += len(pictures)
    files: Files = {folder.name: [] for folder in folders}
    for folder in folders:
        for entry in listed(folder):
            if entry.suffix.lower() in SUFFIXES and entry.is_file():
                files[folder.name].append(entry)
            else:
                passed[f"folder inside {folder.name}/" if entry.is_dir() else entry.suffix.lower() or "file without an ending"] += 1
    if not files:
        if pictures:
            raise FileFormatError(
                f"{path}: {len(pictures)} pictures and no class folders in it; put those of each class into a folder. {LAYOUTS}."
            )
        raise FileFormatError(f"{path}: no class folders in it; {LAYOUTS}. Sounds (.wav) and events (.bin) lie in folders of classes too.")
    if empty := [name for name, images in files.items() if not images]:
        raise FileFormatError(f"{path / empty[0]}: no images in it; {LAYOUTS}.")
    return files


def listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name, without what is hidden.

    Raises:
        FileFormatError: For a link to nothing, behind which a class or a picture was, and for a name that cannot be shown.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if broken := [entry for entry in entries if entry.is_symlink() and not entry.exists()]:
        raise FileFormatError(f"{broken[0]}: is a link to {broken[0].readlink()}, which is not there; mend the link, or remove it.")
    for entry in entries:
        if any(unicodedata.category(letter) in UNWRITABLE for letter in entry.name):
            raise FileFormatError(f"{folder}: {entry.name!a} in it holds letters that no page or terminal can show; rename it.")
    return entries


def check_test(path: Path) -> None:
    """Refuse a folder with a part to train on and none to test on."""
    if not (path / "test").is_dir():
        raise FileFormatError(
            f"{path}: has train/ and no test/; add test/<class>/, or put the class folders into {path} itself, and every fifth image "
            "of each is test."
        )


def holds(folder: Path, ending: str) -> bool:
    """Whether a folder has files of this ending, in capitals or not, in its folders or in theirs."""
    return any(file.suffix.lower() == ending for pattern in ("*/*.*", "*/*/*.*") for file in folder.glob(pattern))


def files_of_classes(folder: Path, ending: str) -> list[tuple[Path, str]]:
    """The files of this ending, in capitals or not, in the folders of classes, with the classes' names.

    Raises:
        FileFormatError: For a class without such files, which would be lost; and see `listed`.
    """
    found = []
    for one in listed(folder):
        if not one.is_dir() or one.name.startswith("__"):
            continue
        files = [file for file in listed(one) if file.suffix.lower() == ending]
        if not files:
            raise FileFormatError(f"{one}: no {ending} files in it; convert other ones, or remove the folder, and its class with it.")
        found += [(file, one.name) for file in files]
    return found


def _take(files: list[Path], test: bool) -> list[Path]:
    chosen = every_fifth(len(files))
    if 1 < len(files) < 5:
        chosen[-1] = True
    return [file for file, is_test in zip(files, chosen, strict=True) if is_test == test]


def _mixed(files: Files, names: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Files with their labels, each class spread evenly over the whole list."""
    samples = [(file, names.index(name)) for name, images in files.items() for file in images]
    if not samples:
        return []
    labels = np.array([label for _, label in samples], int)
    return [samples[place] for place in mixed(labels)]


def _read_images(files: list[Path], resize: Resize | None) -> np.ndarray:
    """All files as one uint8 array `[N, H, W, C]`."""
    images = [read_picture(files[0], resize=resize)]
    height, width = images[0].shape[:2]
    needed, there = 2 * images[0].nbytes * len(files), physical_memory()  # one by one, and in one array
    if there is not None and needed > there:
        raise FileFormatError(
            f"{files[0]}: {len(files):,} pictures of {width}x{height} pixels take {gigabytes(needed)} of memory, and this machine has "
            f"{gigabytes(there)}; bring them to the size of the network, such as --resize 224 (resize=)."
        )
    images += [read_picture(file, resize=resize) for file in files[1:]]
    for file, image in zip(files, images, strict=True):
        if image.shape[:2] != (height, width):
            raise DifferentSizesError(
                f"{file}: is {image.shape[1]}x{image.shape[0]} pixels, but {files[0]} is {width}x{height}; all images must have one size. "
                f"Bring them to one with --resize {width}x{height} (resize=), and --keep-aspect to keep their proportions."
            )
    channels = max(image.shape[2] for image in images)
    stack = np.empty((len(images), height, width, channels), np.uint8)
    for place, image in enumerate(images):
        stack[place] = image  # a gray image fills all channels
    return stack
