"""Standard output and standard error that nobody reads any more."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


class _Unread:
    """A stream whose writing goes on into the void once its reader is gone."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._into_the_void():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._into_the_void():
            self._stream.flush()

    @contextlib.contextmanager
    def _into_the_void(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            with open(os.devnull, "w") as void:
                os.dup2(void.fileno(), self._stream.fileno())  # what is left in the buffer goes there too, also at the end of the process


@contextlib.contextmanager
def unread_output() -> Iterator[None]:
    """In the block, standard output and error may be closed (`>&-`), or their reader may leave (`| head`): work goes on all the same.

    Any other error of theirs, such as a full disk, is raised as ever.

    Example:
        >>> with unread_output():
        ...     print("what nobody may read")
    """
    before = sys.stdout, sys.stderr
    with contextlib.ExitStack() as closing:
        closed = [stream is None or stream.closed for stream in before]
        void = closing.enter_context(open(os.devnull, "w")) if any(closed) else None
        sys.stdout, sys.stderr = (void if gone else _Unread(stream) for gone, stream in zip(closed, before, strict=True))
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):  # closed meanwhile
                streams: list[Any] = [sys.stdout, sys.stderr]
                for stream in streams:
                    stream.flush()
            sys.stdout, sys.stderr = before


@contextlib.contextmanager
def without_lines(start: str) -> Iterator[None]:
    """In the block, lines that begin so do not reach standard error, those of C++ neither; all others do once the block is over.

    Example:
        >>> with without_lines("INFO:"):
        ...     interpreter.allocate_tensors()
    """
    try:
        before = os.dup(2)
    except OSError:  # closed: nobody reads it
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            said.seek(0)
            with contextlib.suppress(OSError):  # its reader left
                os.write(2, b"".join(line for line in said if not line.startswith(start.encode())))
