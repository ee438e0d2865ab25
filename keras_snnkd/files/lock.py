"""A folder to which one process at a time writes."""

import contextlib
import contextvars
import datetime
import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_snnkd.errors import BusyError, ForeignFolderError

LOCK = ".keras_snnkd.lock"
"""In a folder that is being written to: by whom. The lock on it ends with its process, however that ends; then the file means nothing."""

_BEYOND = 1 << 30
"""The byte that Windows locks, behind all that is in the file, so that others can read it."""

_AT_WORK: contextvars.ContextVar[tuple[Path, ...]] = contextvars.ContextVar("_AT_WORK", default=())
"""The folders that the running code may write to already."""


@contextlib.contextmanager
def locked(folder: str | Path, command: str = "") -> Iterator[None]:
    """Keep a folder, and all below it, from other processes and threads while the block runs.

    A block inside that asks for the folder again, or for one below it, gets it. The operating system ends the lock with its process, so
    that one that was killed keeps nothing. On a file system that cannot lock, or cannot be written, there is no lock.

    Args:
        folder: It has to be there.
        command: What is going on, for whoever asks meanwhile; the command line of the process by default.

    Raises:
        BusyError: If another one is at work there; it says which, and nothing is changed.
        ForeignFolderError: If a file of somebody else's has the name of the lock.

    Example:
        >>> with locked("runs/mine"):
        ...     train()
    """
    place = Path(folder).resolve()
    if at_work_above(place) or place in _AT_WORK.get():
        yield
        return
    number = _acquire(place / LOCK, folder)
    if number is None:
        with taking_part(place):
            yield
        return
    try:
        _sign(number, command)
        with taking_part(place):
            yield
    finally:
        with contextlib.suppress(OSError):  # an open file cannot be removed on Windows
            if _is(place / LOCK, number):
                os.unlink(place / LOCK)
        os.close(number)  # which ends the lock


def at_work_above(folder: str | Path) -> bool:
    """Whether the running code holds a folder above this one, or takes part there."""
    return not set(Path(folder).resolve().parents).isdisjoint(_AT_WORK.get())


@contextlib.contextmanager
def taking_part(folder: str | Path) -> Iterator[None]:
    """The block writes to a folder for which another process, the chief of several, holds the lock.

    Args:
        folder: All below it counts too.
    """
    token = _AT_WORK.set((*_AT_WORK.get(), Path(folder).resolve()))
    try:
        yield
    finally:
        _AT_WORK.reset(token)


def _acquire(path: Path, folder: str | Path) -> int | None:
    """The locked file; `None` where it can neither be made nor opened, so that nothing else can be written either."""
    while True:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError:
            if path.is_symlink():
                raise ForeignFolderError(f"{path} is a link that this package did not make; remove it, or choose another folder") from None
            return None
        if not _lock(number):
            who = _said(number)
            os.close(number)
            raise BusyError(f"{folder} is in use: {who}. Wait until that has ended, or choose another folder (--out); nothing was changed")
        if os.fstat(number).st_size and _holder(number) is None:
            os.close(number)
            raise ForeignFolderError(f"{path} is no lock of this package; move it away, or choose another folder")
        with contextlib.suppress(OSError):
            if _is(path, number):
                return number
        os.close(number)  # whoever had it has removed it meanwhile


def _is(path: Path, number: int) -> bool:
    """Whether a path leads to an open file: another one may have taken its place."""
    return os.path.samestat(os.stat(path), os.fstat(number))


def _lock(number: int) -> bool:
    """Whether the file is ours now; also where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(number, _BEYOND, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def _sign(number: int, command: str) -> None:
    """Write down who holds the lock; a full disk keeps nobody from working."""
    mine = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        "command": command or " ".join(sys.argv),
    }
    with contextlib.suppress(OSError):
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
        os.write(number, json.dumps(mine).encode())


def _said(number: int) -> str:
    """In words, who holds the lock."""
    found = _holder(number)
    if found is None:
        return "another process is at work there"
    return f"process {found['pid']} on {found['host']} is at work there since {found['since']} ({found['command']})"


def _holder(number: int) -> dict[str, Any] | None:
    """What `_sign` wrote; `None` if that is not what the file holds."""
    try:
        os.lseek(number, 0, os.SEEK_SET)
        found = json.loads(os.read(number, 1 << 16))
        return {name: found[name] for name in ("pid", "host", "since", "command")}
    except (OSError, ValueError, LookupError, TypeError):
        return None
