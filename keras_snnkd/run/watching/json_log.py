"""A run told to a program: one JSON object a line, in place of words for a person."""

import contextlib
import json
import math
import sys
import time
from typing import Any, TextIO


class Lines:
    """Stands in for a `rich.console.Console`; what is printed becomes a line of JSON.

    Each line has `event` and `time`, in seconds since 1970. `message` has a `text`, `table` has `columns` and `rows`, and those of
    `tell` have what they are told with; the command line ends with `end`, which has the `status`.

    Args:
        file: Where to; standard output by default.

    Example:
        >>> Lines().emit("epoch", stage="student", epoch=3, val_accuracy=0.9)
    """

    is_terminal = False
    width = 140

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def emit(self, event: str, **values: Any) -> None:
        """Write one line; numbers that JSON has no words for become null."""
        line = {"event": event, "time": round(time.time(), 3), **values}
        print(json.dumps(_plain(line), ensure_ascii=False, default=str), file=self._file or sys.stdout, flush=True)

    def emit_text(self, event: str, text: str) -> None:
        """A line with nothing but a text, such as a warning."""
        self.emit(event, text=text)

    def print(self, *shown: Any, **_: Any) -> None:
        """A message for each text, a table for each table."""
        for one in shown:
            columns = getattr(one, "columns", None)
            if columns is not None:
                self.emit(
                    "table", columns=[header for header, _ in columns], rows=[list(row) for row in zip(*_cells(columns), strict=True)]
                )
            elif str(one).strip():
                self.emit("message", text=str(one).strip())

    def status(self, text: str) -> "Silent":
        """What is being done, which moves on no line."""
        return Silent()


class Silent(contextlib.AbstractContextManager["Silent"]):
    """Stands in for a `rich.status.Status`."""

    def __exit__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        """Shows nothing."""

    def stop(self) -> None:
        """Has nothing to take away."""

    def update(self, text: str) -> None:
        """Changes nothing."""


def tell(console: Any, event: str, text: str, **values: Any) -> None:
    """Something that a program may want to know: a line of words on a console, an event with its values in `Lines`.

    Args:
        console: A `rich.console.Console`, or `Lines`.
        event: What happened, in one word.
        text: For a person.
        **values: For a program.
    """
    if isinstance(console, Lines):
        console.emit(event, text=text, **values)
    else:
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _cells(columns: Any) -> list[list[str]]:
    return [[", ".join(filter(None, cell)) for cell in cells] for _, cells in columns]


def _plain(value: Any) -> Any:
    """Without NaN and infinity."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
