"""What this package has made in a folder, written down in it, so that nothing else is ever replaced or removed."""

import contextlib
import dataclasses
import errno
import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from keras_snnkd.errors import FileFormatError, ForeignFolderError, OutputError
from keras_snnkd.files.lock import LOCK, at_work_above, locked
from keras_snnkd.files.staging import UNFINISHED, clear_up, read_json, remove_unfinished, staged, write_json

MANIFEST = "manifest.json"

PACKAGE = "keras_snnkd"

RUN, STUDENT, FILES, CACHE, FIGURES = "run", "finished student", "folder of exported files", "cache of a teacher's outputs", "evaluation"
"""What a folder of ours may be."""

_RECORDS = ("stage.json", "settings.json", "measured.json")
"""In the folder of a stage, or of a seed."""

_OF_RUNS = {"recipe.json", "results.json", "report.html", "export", "logs", ".cache", "trials", "tuner", "chosen.json", "front.svg"}

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)
"""Errors of giving a folder a name that something has."""

_SHOWN = 5
"""How many names a message tells."""


@dataclasses.dataclass
class Manifest:
    """The mark of this package on a folder: what is in it by our hand. Only that may be replaced or removed.

    Args:
        folder: Of which it tells.
        kind: What the folder is, such as `"run"`.
        id: Of whoever made the folder; another folder made alike has another one.
        entries: Names of our files and folders in it.
        whole: Whether all of it is ours because it lies in a folder of ours, whose manifest tells; it has none itself then.

    Example:
        >>> manifest = Manifest.of("runs/mine", "run")
        >>> manifest.take("results.json")
    """

    folder: Path
    kind: str
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    entries: set[str] = dataclasses.field(default_factory=set)
    whole: bool = False

    @classmethod
    def read(cls, folder: str | Path) -> "Manifest | None":
        """The manifest in a folder; `None` where there is none of ours, or it is damaged."""
        try:
            found = read_json(Path(folder, MANIFEST), signed=True)
            if found["made_by"] != PACKAGE:
                return None
            return cls(Path(folder), str(found["kind"]), str(found["id"]), set(map(str, found["entries"])))
        except (FileFormatError, LookupError, TypeError):
            return None

    @classmethod
    def of(cls, folder: str | Path, kind: str, kinds: tuple[str, ...] = ()) -> "Manifest":
        """The manifest in a folder, or a new one, not yet written, for one that is empty or not there.

        Args:
            folder: The folder.
            kind: What it is to be.
            kinds: What else it may be.

        Raises:
            ForeignFolderError: If the folder holds something and no manifest, or is of another kind.
        """
        found = cls.read(folder) or _earlier(Path(folder), kind)
        if found is None:
            _check_empty(Path(folder), kind)
            return cls(Path(folder), kind)
        if found.kind not in (kind, *kinds):
            raise ForeignFolderError(f"{folder} is a {found.kind}, and a {kind} may not touch it; choose another folder (--out)")
        return found

    def take(self, *names: str) -> None:
        """Write down that these are ours, before they are made.

        Raises:
            ForeignFolderError: If one of them is there and not ours.
            OutputError: If the manifest cannot be written.
        """
        if self.whole:
            return
        new = set(names) - self.entries
        foreign = sorted(name for name in new if os.path.lexists(self.folder / name))
        if foreign:
            raise ForeignFolderError(
                f"{_names(foreign)} in {self.folder} would be replaced, and this {self.kind} did not make it; move it away, or choose "
                "another folder (--out)"
            )
        if new or not (self.folder / MANIFEST).exists():
            self.entries |= new
            self.write()

    def write(self, folder: Path | None = None) -> None:
        """Write `manifest.json`, by default into the folder that it tells of."""
        content = {"made_by": PACKAGE, "kind": self.kind, "id": self.id, "entries": sorted(self.entries)}
        write_json((folder or self.folder) / MANIFEST, content, signed=True)

    def foreign(self) -> list[str]:
        """The names in the folder that are not ours."""
        return [name for name in _names_in(self.folder) if name not in self.entries and name != MANIFEST]

    def clear_up(self) -> None:
        """Remove what killed processes left half written among what is ours."""
        clear_up(self.folder)
        for name in sorted(self.entries):
            remove_unfinished(self.folder / name)


@contextlib.contextmanager
def claimed(folder: str | Path, kind: str, command: str = "", kinds: tuple[str, ...] = ()) -> Iterator[Manifest]:
    """A folder that is ours alone while the block runs: empty or made by this package, and locked.

    Args:
        folder: It is made if need be.
        kind, kinds: See `Manifest.of`.
        command: See `locked`.

    Yields:
        Its manifest.

    Raises:
        ForeignFolderError: See `Manifest.of`.
        BusyError: If another process is at work there.
        OutputError: If it cannot be written.

    Example:
        >>> with claimed("runs/mine", "run") as manifest:
        ...     manifest.take("results.json")
    """
    if at_work_above(folder):
        yield Manifest(Path(folder), kind, whole=True)
        return
    Manifest.of(folder, kind, kinds)  # before anything is made in it
    with contextlib.suppress(OSError):  # told where the first file is written; a finished one may be read where nothing can be
        Path(folder).mkdir(parents=True, exist_ok=True)
    with locked(folder, command):
        yield Manifest.of(folder, kind, kinds)


def place_for(wanted: str | Path, kind: str, owner: str) -> Manifest:
    """The folder that somebody has taken under a name, or the next free one of `<name>`, `<name>-2`, `<name>-3`, ...

    Args:
        wanted: The folder that it is to be.
        kind: See `Manifest`.
        owner: Who wants it; the `id` of its manifest.

    Returns:
        Its manifest, which is written.

    Raises:
        OutputError: If it cannot be written.

    Example:
        >>> place_for("saved_models/mine", "finished student", run.id).folder
    """
    wanted = Path(wanted)
    clear_up(wanted.parent, f"{owner}-")
    for number in itertools.count(1):
        place = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        found = Manifest.read(place)
        if found and (found.kind, found.id) == (kind, owner) and not found.foreign():
            return found
        mine = Manifest(place, kind, owner)
        if found is None and _take_place(mine):
            return mine
    raise AssertionError("numbers do not end")


def _take_place(manifest: Manifest) -> bool:
    """Make a folder with nothing but its manifest in it; whether that was possible: of several processes that want it, one gets it."""
    place = manifest.folder
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}{manifest.id}-", dir=place.parent) as work:
            made = Path(work, "made")
            manifest.write(made)
            try:
                os.rename(made, place)  # fails where something is
            except OSError as error:
                if error.errno in _TAKEN:
                    return False
                raise
    except OSError as error:
        raise OutputError(f"cannot write to {place}: {error.strerror or error}. Choose another folder, or free some space") from error
    return True


@contextlib.contextmanager
def renewed(manifest: Manifest, tag: str, keep: tuple[str, ...] = ()) -> Iterator[Path]:
    """A folder to fill, which replaces that of the manifest as a whole when the block ends without an error; else nothing changes.

    Args:
        manifest: Of the folder, in which nothing foreign may be.
        tag: Start of the name of the hidden folder beside it; see `keras_snnkd.files.staging.clear_up`.
        keep: Names in the old folder that the new one gets too, unless the block has made them anew.

    Yields:
        The new folder. What is in it in the end are the manifest's entries.

    Raises:
        ForeignFolderError: If something is in the folder that is not ours.
        OutputError: If it cannot be written.
    """
    final = manifest.folder if manifest.folder.name not in ("", "..") else manifest.folder.resolve()
    if os.path.ismount(final):
        raise OutputError(f"{final} is where a disk is mounted, and cannot be replaced as a whole; choose a folder in it (--out)")
    foreign = manifest.foreign()
    if foreign:
        raise ForeignFolderError(
            f"{manifest.folder} would be replaced, and holds {_names(foreign)}, which this package did not make; move it away, or choose "
            "another folder (--out)"
        )
    with staged(final, tag=tag) as (folder,):
        folder.mkdir()
        yield folder
        for name in keep:
            source, copy = manifest.folder / name, folder / name
            if source.exists() and not copy.exists():
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)
        manifest.entries = set(os.listdir(folder))
        manifest.write(folder)


def _earlier(folder: Path, kind: str) -> Manifest | None:
    """The manifest of a folder that an earlier version has made, which wrote none: its records carry a checksum of ours."""
    names = set(_names_in(folder))
    if kind == CACHE and _signed(folder / "cache.json"):
        return Manifest(folder, kind, entries={name for name in names if name == "cache.json" or name.endswith(".bin")})
    stages = {name for name in names if any(_signed(folder / name / record) for record in _RECORDS)}
    if kind == RUN and stages:
        return Manifest(folder, kind, entries=stages | (names & _OF_RUNS))
    return None


def _signed(path: Path) -> bool:
    try:
        read_json(path, signed=True)
    except FileFormatError:
        return False
    return True


def _check_empty(folder: Path, kind: str) -> None:
    names = _names_in(folder)
    if names:
        raise ForeignFolderError(
            f"{folder} holds {_names(names)}, which this package did not make (it has no valid {MANIFEST} of ours): a {kind} needs a "
            "folder of its own. Choose a new or an empty one (--out)"
        )


def _names_in(folder: str | Path) -> list[str]:
    """What a folder holds but for locks and what is being written; nothing if it is not there."""
    try:
        found = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in found if name != LOCK and not name.startswith(UNFINISHED)]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
