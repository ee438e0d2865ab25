"""Files and folders that are there whole or not at all."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_snnkd.errors import FileFormatError, KDError, OutputError, wrong_kind

UNFINISHED = ".unfinished-"
"""Start of the names of folders in which something is being written."""


_OLD = "old-"
"""Start of the name under which a folder stands for a moment while another one takes its place."""

SHA256 = "sha256"
"""The key of a signed JSON file's checksum."""

_SEAL = (b"\n-- SHA-256 of all before: ", b" --\n")
_BLOCK = 1 << 20


def as_path(path: Any, what: str) -> Path:
    """A text or path as a `Path`.

    Args:
        path: What came.
        what: What it stands for, in an error: `"the folder of a Chain"`.

    Raises:
        KindError: For anything else.
    """
    try:
        return Path(path)
    except TypeError:
        raise wrong_kind(what, path, "a path, as text or a pathlib.Path") from None


@contextlib.contextmanager
def staged(*finals: str | Path, tag: str = "") -> Iterator[list[Path]]:
    """Paths to write to; on leaving the block without an error they replace `finals`, else nothing of them stays.

    The contents are on the disk before they get their names, so that neither a killed process nor a power cut leaves half a file under
    one. A process that is killed leaves its hidden folder, see `remove_unfinished`; several `finals` are renamed one after the other.

    Args:
        *finals: Files or folders, all in the same folder, which is made if need be.
        tag: Stands in the name of the hidden folder, for `clear_up`.

    Yields:
        As many paths in a hidden folder beside them, so that the last step is a rename.

    Raises:
        OutputError: If the folder cannot be written or the disk is full.

    Example:
        >>> with staged("student.tflite") as (path,):
        ...     student.save(path)
    """
    places = [as_path(final, "a file to be written") for final in finals]
    folder = places[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED + tag, dir=folder) as work:
            paths = [Path(work, final.name) for final in places]
            yield paths
            for path in paths:
                _flush(path)
            for path, final in zip(paths, places, strict=True):
                _rename(path, final, Path(work))
    except OSError as error:
        if isinstance(error, KDError):
            raise
        names = ", ".join(map(str, finals))
        raise OutputError(
            f"cannot write {names}: {error.strerror or error}. Check free space and permissions, or choose another folder."
        ) from error


def _rename(path: Path, final: Path, work: Path) -> None:
    """Give a path its final name; a folder that has it goes, and comes back if that fails."""
    if not final.is_dir():
        os.replace(path, final)
        return
    if not path.is_dir():
        raise OutputError(f"cannot write {final}: it is a folder; remove it or choose another name.")
    old = work / f"{_OLD}{final.name}"
    os.rename(final, old)
    try:
        os.replace(path, final)
    except BaseException:
        os.rename(old, final)
        raise


def _flush(path: Path) -> None:
    """Wait until the disk has a file, or all files of a folder; names follow in the order in which they were given."""
    for place in path.rglob("*") if path.is_dir() else [path]:
        if place.is_file():
            with open(place, "rb+" if os.name == "nt" else "rb") as file:  # Windows flushes only what can be written
                os.fsync(file.fileno())


@contextlib.contextmanager
def scratch(beside: str | Path) -> Iterator[Path]:
    """A folder for intermediate files, which goes with the block.

    Args:
        beside: The folder that it is made in, unless TensorFlow cannot read there, which takes brackets, `*` and `?` in a path for a
            pattern.
    """
    with tempfile.TemporaryDirectory(dir=None if is_pattern(beside) else beside) as work:
        yield Path(work)


def is_pattern(path: str | Path) -> bool:
    """Whether TensorFlow takes a path for a pattern, and finds nothing there."""
    return glob.has_magic(str(Path(path).absolute()))


def clear_up(folder: str | Path, tag: str = "") -> None:
    """Remove what killed processes left half written in a folder, not in those below; what they had just moved away comes back.

    Args:
        folder: To which no other process may be writing under this tag.
        tag: As in `staged`; all by default.
    """
    try:
        leftovers = [place for place in Path(folder).iterdir() if place.name.startswith(UNFINISHED + tag)]
    except OSError:
        return
    for leftover in leftovers:
        if leftover.is_symlink() or not leftover.is_dir():
            leftover.unlink(missing_ok=True)
            continue
        for old in leftover.glob(f"{_OLD}*"):
            final = Path(folder, old.name.removeprefix(_OLD))
            if not os.path.lexists(final):
                os.rename(old, final)
        shutil.rmtree(leftover, ignore_errors=True)


def remove_unfinished(folder: str | Path) -> None:
    """`clear_up` a folder and all below it, which has to be ours; links are not followed."""
    for place, below, _ in os.walk(folder):
        clear_up(place)
        below[:] = [name for name in below if not name.startswith(UNFINISHED)]


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there; of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_space(folder: str | Path, needed: int) -> None:
    """Raise an `OSError` if a folder's disk has not `needed` bytes left and 1 MiB to spare; HDF5 crashes on a full disk."""
    if shutil.disk_usage(folder).free < needed + 2**20:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_json(path: str | Path, content: Any, signed: bool = False) -> None:
    """Write JSON.

    Args:
        path: The file.
        content: Plain data.
        signed: Whether to add `"sha256"`, of all the rest, to `content`, a mapping: then `read_json` notices a flipped bit.

    Raises:
        OutputError: As `staged`.
    """
    text = json.dumps({**content, SHA256: _digest(content)} if signed else content, indent=2)
    with staged(path) as (file,):
        file.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path, signed: bool = False) -> Any:
    """Read JSON.

    Args:
        path: The file.
        signed: Whether it was written so; the content comes without its `"sha256"`.

    Raises:
        FileFormatError: If the file is missing, is not JSON, or is signed and not as it was written.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileFormatError(f"there is no file {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is not a JSON file: {error}") from error
    if _is_deep(content):
        raise FileFormatError(f"{path} is nested deeper than {DEEPEST} lists and mappings; nothing that this package writes is")
    if not signed:
        return content
    if not isinstance(content, dict) or SHA256 not in content:
        raise FileFormatError(f"{path} has no checksum: it is damaged, foreign, or of an earlier version")
    if content.pop(SHA256) != _digest(content):
        raise FileFormatError(f"{path} is damaged: it is not as it was written (its SHA-256 differs)")
    return content


DEEPEST = 64
"""Lists and mappings in each other; what is read is copied and compared by functions that call themselves."""


def _is_deep(content: Any) -> bool:
    """Whether lists and mappings are nested deeper than `DEEPEST`."""
    level = [content]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below
        if not level:
            return False
    return True


def _digest(content: Any) -> str:
    """The SHA-256 of a mapping, which is the same for what JSON makes of it."""
    plain = json.loads(json.dumps({name: value for name, value in content.items() if name != SHA256}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def seal(path: str | Path, context: bytes = b"") -> None:
    """Append the SHA-256 of a file to it, for formats that have no checksum, and whose readers pass over what follows their end.

    Args:
        path: The file.
        context: What else the sum is of, which stands elsewhere.

    Raises:
        OSError: If the file cannot be written.
    """
    digest = _sum(path, context)
    with open(path, "ab") as file:
        file.write(digest.encode().join(_SEAL))


def seal_length() -> int:
    """How many bytes `seal` appends."""
    return sum(map(len, _SEAL)) + 64


def check_seal(path: str | Path, context: bytes = b"", required: bool = True) -> None:
    """Compare a file with the SHA-256 at its end.

    Args:
        path: The file.
        context: As in `seal`.
        required: Whether it must have one.

    Raises:
        FileFormatError: If the file, or the context, was changed since `seal`; or if there is no seal and must be one.
    """
    before, after = _SEAL
    length = seal_length()
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - length))
        end = file.read()
    if before in end or end.endswith(after):  # either is enough, so that damage does not pass for a file without
        if end != _sum(path, context, size - length).encode().join(_SEAL):
            raise FileFormatError(f"{path} is damaged: it is not as it was written (its SHA-256 differs)")
    elif required:
        raise FileFormatError(f"{path} has no checksum at its end: it is cut short, foreign, or of an earlier version")


def _sum(path: str | Path, context: bytes, size: int | None = None) -> str:
    """The SHA-256 of a file's first `size` bytes, and of `context`."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK if size is None else min(_BLOCK, size - file.tell())):
            digest.update(block)
    digest.update(context)
    return digest.hexdigest()


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
