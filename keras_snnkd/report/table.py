"""The final table, for the terminal and for Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from keras_snnkd.report import formats

Rows = Sequence[Mapping[str, Any]]
"""The `models` of a run."""

Column = tuple[str, list[list[str]]]
"""Header and cells; a cell has one or more lines."""

LABELS = 24
"""Letters of a table's first column in a terminal, beyond which it breaks where room is short."""

_FILES = {"keras": ".keras file", "float32": "LiteRT float32", "dynamic": "LiteRT dynamic"}


def table(rows: Rows) -> Any:
    """The final table for the terminal.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.table(run["models"]))
    """
    return printed(model_columns(rows))


def comparison_table(rows: Rows) -> Any:
    """The table of compared methods for the terminal.

    Args:
        rows: The `comparison` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.comparison_table(run["comparison"]))
    """
    return printed(ranked_columns(rows))


def printed(columns: list[Column]) -> "Fitting":
    """Columns for the terminal; the lines of a cell stand below each other."""
    return Fitting(columns)


class Fitting:
    """A table that no terminal clips: columns that do not fit go into a further table below, behind the first column again.

    Args:
        columns: Header and cells of each.
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        first, *rest = self.columns
        labels = min(_width(first), LABELS)
        shown: list[Column] = []
        for column in rest:
            if shown and labels + sum(map(_width, [*shown, column])) > options.max_width:
                yield _drawn([first, *shown])
                shown = []
            shown.append(column)
        yield _drawn([first, *shown])


def _width(column: Column) -> int:
    """Letters that a column takes in the terminal, with the space behind it."""
    header, cells = column
    lines = [*_broken(header).split("\n"), *(line for cell in cells for line in cell)]
    return max(map(len, lines)) + 1


def _broken(header: str) -> str:
    """A header in two lines."""
    return header.replace(" ", "\n", 1)


def _drawn(columns: list[Column]) -> Any:
    """Columns as a `rich.table.Table`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, (header, _) in enumerate(columns):
        # numbers stay whole: a narrow terminal breaks the labels
        justify: Literal["right", "left"] = "right" if index else "left"
        drawn.add_column(Text(_broken(header)), justify=justify, no_wrap=index > 0, overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        drawn.add_row(*(Text("\n".join(filter(None, cell))) for cell in cells))
    return drawn


def markdown(rows: Rows) -> str:
    """The final table in Markdown.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.markdown(run["models"]))
    """
    return in_markdown(model_columns(rows))


def comparison_markdown(rows: Rows) -> str:
    """The table of compared methods in Markdown.

    Args:
        rows: The `comparison` of a run; see `keras_snnkd.report`.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.comparison_markdown(run["comparison"]))
    """
    return in_markdown(comparison_columns(rows))


def in_markdown(columns: list[Column]) -> str:
    """Columns in Markdown; the lines of a cell are joined by commas."""
    lines = [[header for header, _ in columns], ["---", *["---:"] * (len(columns) - 1)]]
    for row in zip(*(cells for _, cells in columns), strict=True):
        lines.append([", ".join(cell) for cell in row])
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


def model_columns(rows: Rows) -> list[Column]:
    """Header and cells of each column; a cell has one or more lines. Columns of files stand only where there are files."""
    labels = model_labels(rows)
    columns = [
        ("model", [[labels[row["name"]]] for row in rows]),
        ("accuracy", [[formats.percent(row.get("accuracy"))] for row in rows]),
        ("parameters", [[formats.count(row.get("parameters"))] for row in rows]),
        ("T", [[formats.count(row.get("timesteps"))] for row in rows]),
        ("spikes per image", [[formats.count(row.get("spikes_per_image"))] for row in rows]),
    ]
    for kind in dict.fromkeys(kind for row in rows for kind in row.get("bytes") or {}):
        cells = []
        for row in rows:
            accuracy = (row.get("exported_accuracy") or {}).get(kind)
            lines = [formats.size((row.get("bytes") or {}).get(kind))]
            cells.append(lines if formats.number(accuracy) is None else [*lines, formats.percent(accuracy)])
        columns.append((_FILES.get(kind, f"LiteRT {kind}"), cells))
    return columns


def comparison_columns(rows: Rows) -> list[Column]:
    """Header and cells of the table of compared methods; what an arm has chosen for itself only where one has."""
    chosen = [
        ("rate", [[formats.small(row.get("learning_rate"))] for row in rows]),
        ("weight", [[formats.small(row.get("weight"))] for row in rows]),
    ]
    return [
        ("method", [[str(row.get("label") or row["name"])] for row in rows]),
        ("teacher", [[str(row.get("taught_by") or formats.NOTHING).replace("_", " ")] for row in rows]),
        ("seeds", [[formats.count(len(row.get("seeds") or []) or None)] for row in rows]),
        ("test accuracy", [[formats.percent(row.get("accuracy"))] for row in rows]),
        ("standard deviation", [[formats.points(row.get("accuracy_sd")).lstrip("+")] for row in rows]),
        ("difference (points)", [[formats.points(row.get("difference"))] for row in rows]),
        ("interval (95 %)", [[_interval(row.get("interval"))] for row in rows]),
        ("", [[verdict(row)] for row in rows]),
        ("spikes per image", [[formats.count(row.get("spikes_per_image"))] for row in rows]),
        ("seconds", [[formats.count(row.get("seconds"))] for row in rows]),
        *(column for column in chosen if any(cell != [formats.NOTHING] for cell in column[1])),
    ]


def ranked_columns(rows: Rows) -> list[Column]:
    """As `comparison_columns`, with what belongs together in one cell, so that nothing runs out of a page or a terminal."""
    return [
        (
            "method",
            [[str(row.get("label") or row["name"]), f"taught by {row['taught_by']}" if row.get("taught_by") else ""] for row in rows],
        ),
        ("seeds", [[formats.count(len(row.get("seeds") or []) or None)] for row in rows]),
        ("test accuracy", [[formats.percent(row.get("accuracy")), _deviation(row.get("accuracy_sd"))] for row in rows]),
        ("difference (points)", [[formats.points(row.get("difference")), _interval(row.get("interval"))] for row in rows]),
        ("", [[verdict(row)] for row in rows]),
        ("spikes per image", [[formats.count(row.get("spikes_per_image"))] for row in rows]),
        ("seconds", [[formats.count(row.get("seconds"))] for row in rows]),
    ]


def _deviation(deviation: Any) -> str:
    """0.0123 -> +/- 1.23."""
    return "" if formats.number(deviation) is None else f"\N{PLUS-MINUS SIGN} {100 * deviation:.2f}"


def rivals_table(rows: Rows) -> Any:
    """The table of a spiking student and its ANN twin for the terminal.

    Args:
        rows: The `rivals` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `Fitting`.

    Example:
        >>> rich.print(kd.report.rivals_table(run["rivals"]))
    """
    return printed(rivals_columns(rows))


def rivals_columns(rows: Rows) -> list[Column]:
    """Header and cells of the table of a spiking student and its ANN twin."""
    return [
        ("int8 file", [[str(row["label"])] for row in rows]),
        ("seeds", [[formats.count(len(row.get("seeds") or []) or None)] for row in rows]),
        ("test accuracy", [[formats.percent(row.get("accuracy"))] for row in rows]),
        (
            "interval (95 %)",
            [[" to ".join(map(formats.percent, row["interval"])) if row.get("interval") else formats.NOTHING] for row in rows],
        ),
        ("size", [[formats.size(row.get("bytes"))] for row in rows]),
        ("ms per image", [[formats.small(row.get("milliseconds"))] for row in rows]),
        ("energy, zeros skipped", [[formats.nanojoules(row.get("energy"))] for row in rows]),
        ("energy, nothing skipped", [[formats.nanojoules(row.get("energy_dense"))] for row in rows]),
    ]


def verdict(row: Mapping[str, Any]) -> str:
    """What the interval of a compared method says, in words."""
    if row.get("interval") is None:
        return ""
    low, high = row["interval"]
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference seen"


def _interval(interval: Any) -> str:
    return formats.NOTHING if interval is None else " to ".join(map(formats.points, interval))


def model_labels(rows: Rows) -> dict[str, str]:
    """What to call each model: its label, with its name where two have the same label."""
    labels = {row["name"]: str(row.get("label") or row["name"]) for row in rows}
    said = list(labels.values())
    return {name: label if said.count(label) == 1 else f"{label} ({name})" for name, label in labels.items()}
