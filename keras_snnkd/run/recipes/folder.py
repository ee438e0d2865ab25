"""The folder of a run: whether it can be written, and whether the run in it can go on."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from keras_snnkd.errors import KDError, OutputError
from keras_snnkd.files.staging import UNFINISHED
from keras_snnkd.run.recipes.recipe import Recipe


def check_folder(folder: Path, option: str = "--out") -> None:
    """Raise an `OutputError` now if a folder that the user chose with `option` cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=UNFINISHED, dir=folder) as probe:
            probe.write(b"\0" * 65536)
            probe.flush()
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}. Choose another folder ({option}), or free some space"
        ) from error


def check_resume(recipe: Recipe, folder: Path, resume: bool, may_change: Sequence[str]) -> None:
    """Raise a `KDError` if a folder holds a run, and it is not to go on or has other settings; those in `may_change` may differ.

    All fields of a recipe are compared. One of an earlier version, which has fewer, is filled in as if it were run today.
    """
    written = folder / "recipe.json"
    if not written.exists():
        return
    if not resume:
        raise KDError(f"{folder} holds a run already; go on with it (--resume) or choose another folder (--out)")
    before, now = Recipe.load(written).resolved().to_dict(), recipe.to_dict()
    kept = [name for name in now if name not in may_change]
    other = [f"{name} was {before.get(name)!r} and is now {now[name]!r}" for name in kept if before.get(name) != now[name]]
    if other:
        raise KDError(f"{folder} was made with other settings: {'; '.join(other)}. Use those again, or another folder (--out)")
