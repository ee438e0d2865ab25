"""Tables as text: for a terminal of any width, and in Markdown."""

from collections.abc import Iterator
from typing import Any, Literal

from keras_snnkd.report.columns import Column

LABELS = 24
"""Letters of a table's first column in a terminal, beyond which it breaks where room is short."""


class Fitting:
    """A table that no terminal clips: columns that do not fit go into a further table below, behind the first column again.

    Args:
        columns: Header and cells of each.
        text: So many of them, on the left, hold text, the others numbers.
    """

    def __init__(self, columns: list[Column], text: int = 1) -> None:
        self.columns = columns
        self.text = text

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        first, *rest = self.columns
        labels = min(_width(first), LABELS)
        shown: list[Column] = []
        for column in rest:
            if shown and labels + sum(map(_width, [*shown, column])) > options.max_width:
                yield _drawn([first, *shown], self.text)
                shown = []
            shown.append(column)
        yield _drawn([first, *shown], self.text)


def _width(column: Column) -> int:
    """Letters that a column takes in the terminal, with the space behind it."""
    header, cells = column
    lines = [*_broken(header).split("\n"), *(line for cell in cells for line in cell)]
    return max(map(len, lines)) + 1


def _broken(header: str) -> str:
    """A header in two lines."""
    return header.replace(" ", "\n", 1)


def _drawn(columns: list[Column], text: int) -> Any:
    """Columns as a `rich.table.Table`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, (header, _) in enumerate(columns):
        # numbers stay whole: a narrow terminal breaks the labels
        justify: Literal["right", "left"] = "left" if index < text else "right"
        drawn.add_column(Text(_broken(header)), justify=justify, no_wrap=index > 0, overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        drawn.add_row(*(Text("\n".join(filter(None, cell))) for cell in cells))
    return drawn


def in_markdown(columns: list[Column]) -> str:
    """Columns in Markdown; the lines of a cell are joined by commas."""
    lines = [[header for header, _ in columns], ["---", *["---:"] * (len(columns) - 1)]]
    for row in zip(*(cells for _, cells in columns), strict=True):
        lines.append([", ".join(cell) for cell in row])
    return "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)


def _escaped(cell: str) -> str:
    """A cell that stays one cell on one line."""
    return cell.replace("|", "\\|").replace("\n", " ")
