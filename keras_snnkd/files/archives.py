"""Zip archives: those from elsewhere are checked before anything in them is used, and one of ours is made small."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.staging import staged

LARGE = 1 << 28
"""Bytes of content from which an archive must not hold more than `EXPANSION` times its own size."""

EXPANSION = 100


def check_archive(path: str | Path, names: Collection[str] | None = None) -> None:
    """Refuse a zip archive that is damaged, or made to do harm when it is read.

    All of it is read once, so that the CRC-32 of every member is compared: readers that seek in a member leave that out.

    Args:
        path: The file.
        names: The members it may have; by default any whose name stays inside the archive.

    Raises:
        FileFormatError: For what is no archive, or is cut; members that are encrypted, occur twice, have other names, or names that lead
            out (`../`, `/`); content far larger than the file (a zip bomb); a wrong CRC-32.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_names([member.filename for member in members], names)
            content = sum(member.file_size for member in members)
            if content > max(LARGE, EXPANSION * Path(path).stat().st_size):
                raise FileFormatError(f"it unpacks to {content:,} bytes, more than {EXPANSION} times its size")
            if any(member.flag_bits & 1 for member in members):
                raise FileFormatError("it is encrypted")
            if damaged := archive.testzip():
                raise FileFormatError(f"Bad CRC-32 for file {damaged!r}")
    except Exception as error:  # zipfile raises what its parts raise, such as zlib.error and UnicodeDecodeError
        raise FileFormatError(f"not a readable archive: {_told(error)}") from error


def pack(path: str | Path) -> None:
    """Compress what an archive holds. Keras stores its members as they are; weights that were rounded to 8 bits pack to about a third.

    The file stays one that `keras.models.load_model` reads, as Python's `zipfile` knows LZMA. Deflate would leave a third more.

    Args:
        path: The file, which is replaced.
    """
    with staged(path) as (smaller,), zipfile.ZipFile(path) as archive, zipfile.ZipFile(smaller, "w") as packed:
        for member in archive.infolist():
            packed.writestr(member, archive.read(member), zipfile.ZIP_LZMA)


def _check_names(found: Any, allowed: Any) -> None:
    for name in found:
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
            raise FileFormatError(f"the path {name!r} in it leads out of it")
        if found.count(name) > 1:
            raise FileFormatError(f"{name!r} is in it more than once")
        if allowed is not None and name not in allowed:
            raise FileFormatError(f"{name!r} does not belong in it; expected {', '.join(allowed)}")


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, FileFormatError) else f"{type(error).__name__}: {str(error)[:200]}"
