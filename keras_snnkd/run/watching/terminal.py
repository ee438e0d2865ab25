"""Where a run is told to a person."""

import codecs
import contextlib
import io
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = {"\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{MIDDLE DOT}": "|", "\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"}

_ERRORS = "keras_snnkd.plain"


def make_console(**options: Any) -> "Console":
    """A `rich.console.Console` for which brackets are no markup and `:names:` no pictures, and which prints on any terminal.

    What the encoding of standard output or standard error has no letter for is written with the letters of ASCII.

    Args:
        **options: Of the console.

    Example:
        >>> make_console(width=100).print("runs/a[b]/report.html")
    """
    from rich.console import Console

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            with contextlib.suppress(ValueError):  # it is closed
                stream.reconfigure(errors=_ERRORS)
    return Console(markup=False, emoji=False, **options)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """For `codecs`: the letters that could not be encoded, in those of ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_letter, error.object[error.start : error.end])), error.end


def _letter(letter: str) -> str:
    return _PLAIN.get(letter) or unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


codecs.register_error(_ERRORS, _plain)
