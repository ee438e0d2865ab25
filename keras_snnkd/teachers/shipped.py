"""Teachers that come with the package, trained."""

from pathlib import Path
from typing import Any

from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.files.staging import read_json

FOLDER = Path(__file__).parent
"""A folder for each of them, with `model.keras`, `card.json` and `recipe.json`."""


def names() -> list[str]:
    """The teachers that there are, such as `"fashion_mnist_teacher"`."""
    return sorted(file.parent.name for file in FOLDER.glob("*/model.keras"))


def name_of(dataset: str, spiking: bool) -> str:
    """What the teacher of a data set is called.

    Example:
        >>> name_of("cifar10", spiking=True)  # "cifar10_spiking_teacher"
    """
    return f"{dataset}_{'spiking_' if spiking else ''}teacher"


def has(dataset: str, spiking: bool) -> bool:
    """Whether a data set has a teacher of this kind; one whose file is missing counts, so that this is told and not passed over."""
    return (FOLDER / name_of(dataset, spiking)).is_dir()


def timesteps(name: str) -> int | None:
    """The T of a teacher, as its card says; `None` for an ANN, and where there is no card."""
    card = FOLDER / name / "card.json"
    return read_json(card)["model"]["timesteps"] if card.is_file() else None


def specification(name: str) -> Any:
    """What a teacher was built from, as its recipe says.

    Raises:
        KDError, FileFormatError: See `path`.
    """
    return read_json(path(name).with_name("recipe.json"))["teacher"]


def path(name: str) -> Path:
    """The file of a teacher.

    Raises:
        KDError: If no teacher of this name comes with the package.
        FileFormatError: If its folder is there and its file is not.
    """
    file = FOLDER / name / "model.keras"
    if file.is_file():
        return file
    if file.parent.is_dir():
        raise FileFormatError(
            f"the file of the teacher {name} is missing, {file}; install the package again, or train one (--teacher train)"
        )
    raise KDError(
        f"no teacher {name!r} comes with the package; there are: {', '.join(names()) or 'none'}. Train one (--teacher train), or give the "
        "path of a trained .keras file"
    )
