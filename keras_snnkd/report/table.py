"""The final table, for the terminal and for Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report import formats

Rows = Sequence[Mapping[str, Any]]
"""The `models` of a run."""

Column = tuple[str, list[list[str]]]
"""Header and cells; a cell has one or more lines."""

_FILES = {"keras": ".keras file", "float32": "LiteRT float32", "dynamic": "LiteRT dynamic"}


def table(rows: Rows):
    """The final table for the terminal.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        A `rich.table.Table`.

    Example:
        >>> rich.print(kd.report.table(run["models"]))
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    columns = model_columns(rows)
    printed = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index, (header, _) in enumerate(columns):
        # numbers stay whole: a narrow terminal breaks the labels
        justify = "right" if index else "left"
        printed.add_column(Text(header.replace(" ", "\n", 1)), justify=justify, no_wrap=index > 0, overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        printed.add_row(*(Text("\n".join(cell)) for cell in cells))
    return printed


def markdown(rows: Rows) -> str:
    """The final table in Markdown.

    Args:
        rows: The `models` of a run; see `keras_snnkd.report`.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.markdown(run["models"]))
    """
    columns = model_columns(rows)
    lines = [[header for header, _ in columns], ["---", *["---:"] * (len(columns) - 1)]]
    lines += [[", ".join(cell) for cell in cells] for cells in zip(*(cells for _, cells in columns), strict=True)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


def model_columns(rows: Rows) -> list[Column]:
    """Header and cells of each column; a cell has one or more lines. Columns of files stand only where there are files."""
    labels = model_labels(rows)
    columns = [
        ("model", [[labels[row["name"]]] for row in rows]),
        ("accuracy", [[formats.percent(row.get("accuracy"))] for row in rows]),
        ("parameters", [[formats.count(row.get("parameters"))] for row in rows]),
        ("T", [[formats.count(row.get("timesteps"))] for row in rows]),
        ("spikes an image", [[formats.count(row.get("spikes_per_image"))] for row in rows]),
    ]
    for kind in dict.fromkeys(kind for row in rows for kind in row.get("bytes") or {}):
        cells = []
        for row in rows:
            accuracy = (row.get("exported_accuracy") or {}).get(kind)
            lines = [formats.size((row.get("bytes") or {}).get(kind))]
            cells.append(lines if formats.number(accuracy) is None else [*lines, formats.percent(accuracy)])
        columns.append((_FILES.get(kind, f"LiteRT {kind}"), cells))
    return columns


def model_labels(rows: Rows) -> dict[str, str]:
    """What to call each model: its label, with its name where two have the same label."""
    labels = {row["name"]: str(row.get("label") or row["name"]) for row in rows}
    said = list(labels.values())
    return {name: label if said.count(label) == 1 else f"{label} ({name})" for name, label in labels.items()}
