"""Content that is not what pages and tables are drawn from: told in one line that names the value at fault."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from keras_snnkd.errors import FileFormatError

Content = TypeVar("Content")
Drawn = TypeVar("Drawn")

_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What values of other types than those that are expected raise."""


def of_plain_data(draw: Callable[[Content], Drawn]) -> Callable[[Content], Drawn]:
    """A function that draws plain data, such as what is read from a JSON file, and says what is wrong with them where it cannot.

    Args:
        draw: Of a mapping or of rows; without effects, since it is called again to find the value at fault.

    Raises:
        FileFormatError: If the data are not what `keras_snnkd.report` and `keras_snnkd.run.finished.card` describe.

    Example:
        >>> of_plain_data(table)([{"name": "student", "accuracy": 0.9}])
    """

    @functools.wraps(draw)
    def drawn(content: Content) -> Drawn:
        try:
            return draw(content)
        except _ODD as error:
            inner = error.__cause__ if isinstance(error, FileFormatError) else None  # of a part that was drawn by such a function too
            first = inner or error
            place, value = _fault(draw, content)
            found = f"{place or 'it'} is {_short(value)}"
            raise FileFormatError(
                f"this is not content as keras_snnkd.report describes it: {found} ({type(first).__name__}: {_line(first)})"
            ) from first

    return drawn


def _fault(draw: Callable[[Any], Any], content: Any) -> tuple[str, Any]:
    """The place of the value without which the rest can be drawn, as `targets[0].bytes`, and the value; no place where there is none."""

    def works(changed: Any) -> bool:
        try:
            draw(changed)
        except Exception:
            return False
        return True

    def search(part: Any, place: str, whole: Callable[[Any], Any]) -> tuple[str, Any]:
        """The innermost fault in a part; `whole` is all of the content with something in place of that part."""
        named = isinstance(part, Mapping)
        for key in part if named else range(len(part) if isinstance(part, list) else 0):
            put = _putting(part, key, whole)
            if works(put(None)) or (not named and len(part) > 1 and works(whole([*part[:key], *part[key + 1 :]]))):
                inner = f"{place}.{key}".lstrip(".") if named else f"{place}[{key}]"
                return search(part[key], inner, put)
        return place, part

    return search(content, "", lambda value: value)


def _putting(part: Any, key: Any, whole: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function from a value to all of the content with that value at one place of a part."""

    def put(value: Any) -> Any:
        if isinstance(part, Mapping):
            return whole({**part, key: value})
        return whole([*part[:key], value, *part[key + 1 :]])

    return put


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of many digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else ""
