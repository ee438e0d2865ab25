"""Files and folders that appear under their name only when they are complete and checked."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_snnkd.errors import KDError, OutputError


@contextlib.contextmanager
def staged(*finals: str | Path) -> Iterator[list[Path]]:
    """Paths to write to; on leaving the block without an error they replace `finals`, else nothing of them stays.

    Args:
        *finals: Files or folders, all in the same folder, which is made if need be.

    Yields:
        As many paths in a hidden folder beside them, so that the last step is a rename.

    Raises:
        OutputError: If the folder cannot be written or the disk is full.

    Example:
        >>> with staged("student.tflite") as (path,):
        ...     path.write_bytes(content)
    """
    finals = [Path(final) for final in finals]
    folder = finals[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as work:
            paths = [Path(work, final.name) for final in finals]
            yield paths
            for path, final in zip(paths, finals, strict=True):
                if final.is_dir():
                    if not path.is_dir():
                        raise OutputError(f"cannot write {final}: it is a folder; remove it or choose another name.")
                    os.rename(final, Path(work, f"old-{final.name}"))
                os.replace(path, final)
    except OSError as error:
        if isinstance(error, KDError):
            raise
        names = ", ".join(map(str, finals))
        raise OutputError(
            f"cannot write {names}: {error.strerror or error}. Check free space and permissions, or choose another folder."
        ) from error
