"""Files that are there whole or not at all."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_snnkd.errors import FileFormatError, OutputError


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder, which takes the final name when the block ends without an error.

    Args:
        path: The final name. Its suffix is kept, since writers look at it.

    Raises:
        OutputError: If the folder cannot be written or the disk is full; nothing is left under the final name then.

    Example:
        >>> with whole_file("model.keras") as temporary:
        ...     model.save(temporary)
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Free some space, or choose a folder that can be written"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        OutputError: As `whole_file`.
    """
    text = json.dumps(content, indent=2)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        FileFormatError: If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise FileFormatError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path} is not a JSON file: {error}") from error


def sha256(path: str | Path) -> str:
    """The sha256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
