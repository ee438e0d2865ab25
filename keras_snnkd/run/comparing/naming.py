"""The names of a comparison's arms, which they keep when there are more of them."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_snnkd.distill import methods
from keras_snnkd.files.staging import read_json, write_json

NAMES = "arms.json"
"""In a comparison's folder: what the recipe says of each arm, by its name; also of arms that it no longer asks for."""


def names_of(entries: Iterable[Any], folder: Path) -> dict[str, Any]:
    """What a recipe says of its arms, by their names: those of the methods, from the second of a name on with a number.

    Args:
        entries: The recipe's objectives.
        folder: Of the comparison; an arm that it has keeps the name that it has there.

    Example:
        >>> list(names_of(["dkd+kdsnn", "hinton", {"objective": "hinton"}], Path("runs/new")))  # dkd_with_kdsnn, hinton, hinton_2
    """
    known, found = _known(folder), dict[str, Any]()
    for entry in entries:
        name = next((name for name, other in known.items() if other == entry and name not in found), None)
        found[name or _free(entry, {**known, **found})] = entry
    return found


def keep(names: Mapping[str, Any], folder: Path) -> None:
    """Write the names down, beside those that are there."""
    write_json(folder / NAMES, {**_known(folder), **names})


def _known(folder: Path) -> dict[str, Any]:
    return read_json(folder / NAMES) if (folder / NAMES).is_file() else {}


def _free(entry: Any, taken: Mapping[str, Any]) -> str:
    """The first name for an arm that no other one has, and that folders and networks can have."""
    base = methods.combine([entry]).name.replace("+", "_with_").replace(":", "_")
    numbered = (base if number == 1 else f"{base}_{number}" for number in itertools.count(1))
    return next(name for name in numbered if name not in taken)
