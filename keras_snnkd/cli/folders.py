"""The folder of a run by its name: a new one, or that of the run to go on with."""

import argparse
import re
from pathlib import Path

from keras_snnkd.errors import OutputError, unknown_name
from keras_snnkd.files.manifest import MANIFEST
from keras_snnkd.run.recipes.folder import check_folder
from keras_snnkd.run.recipes.recipe import Recipe


def run_folder(options: argparse.Namespace, recipe: Recipe) -> Path:
    """The run's folder: a new one, or with `--resume` the newest of that name.

    Raises:
        UnknownNameError: If there is no run of the name to go on with.
    """
    if options.out:
        return Path(options.out)
    name = options.name or f"{Path(recipe.dataset).absolute().stem}_{recipe.mode}"  # of `.` the folder's own name
    if options.resume:
        if not _numbers(name, anything=True):
            raise _no_run(name)
        return Path("runs", _numbered(name, max(_numbers(name) or _numbers(name, anything=True))))
    return Path("runs", _numbered(name, max(_numbers(name, anything=True), default=0) + 1))


def check_shelf(shelf: Path, run: Path) -> None:
    """Raise now if finished students cannot be put where `--saved-models` says.

    Raises:
        OutputError: If it lies in the run's folder, which holds nothing but the run, or cannot be written.
    """
    if shelf.resolve().is_relative_to(run.resolve()):
        raise OutputError(
            f"--saved-models {shelf} lies in the folder of the run, {run}, which holds nothing else; choose a folder beside it, such as "
            f"--saved-models {run.resolve().parent / 'saved_models'}"
        )
    check_folder(shelf, "--saved-models")


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _numbers(name: str, anything: bool = False) -> list[int]:
    """The numbers of the runs of a name, also where some of them are gone; with `anything`, of all that is in the way."""
    found = []
    for place in Path("runs").glob("*"):
        match = re.fullmatch(rf"{re.escape(name)}(?:-([1-9]\d*))?", place.name)
        if match and match[1] != "1" and (_is_run(place) or (anything and _in_the_way(place))):
            found.append(int(match[1] or 1))
    return found


def _is_run(place: Path) -> bool:
    return any((place / name).is_file() for name in (MANIFEST, "recipe.json"))


def _in_the_way(place: Path) -> bool:
    return not place.is_dir() or any(place.iterdir())


def _no_run(name: str) -> Exception:
    """The error for `--resume` without a run, with the nearest name that there is."""
    runs = {re.sub(r"-[2-9]\d*$|-1\d+$", "", place.name) for place in Path("runs").glob("*") if _is_run(place)}
    return unknown_name("run to go on with (--resume; its name is --name)", name, runs)
