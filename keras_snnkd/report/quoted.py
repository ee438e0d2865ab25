"""A comparison in files that other programs read: CSV for tables and plots, LaTeX for papers."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_snnkd.files.staging import staged
from keras_snnkd.report.columns import comparison_columns

FIELDS = ("name", "taught_by", "trust", "seeds", "accuracies", "accuracy", "accuracy_sd", "difference", "low", "high")
MORE = ("validation_accuracy", "spikes_per_image", "parameters", "seconds", "learning_rate", "weight", "loss")

SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def comparison_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of a comparison, one arm a line, as plain numbers; several in one cell have spaces between them.

    Accuracies and differences are shares from 0 to 1; `low` and `high` are the ends of the difference's interval.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIELDS, *MORE])
    for row in rows:
        low, high = row.get("interval") or (None, None)
        values = {**row, "low": low, "high": high}
        writer.writerow([_cell(values.get(name)) for name in (*FIELDS, *MORE)])
    return text.getvalue()


def comparison_latex(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of a comparison as a LaTeX `tabular` of the package booktabs."""
    columns = comparison_columns(rows)
    first_lines = [[cell[0] for cell in cells] for _, cells in columns]
    lines = [[header for header, _ in columns], *map(list, zip(*first_lines, strict=True))]
    head, *body = [" & ".join(map(_escaped, line)) + r" \\" for line in lines]
    alignment = "l" * 2 + "r" * (len(columns) - 2)
    return "\n".join([rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", ""])


def write_quoted(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `comparison.csv` and `comparison.tex`.

    Args:
        folder: Of the run.
        rows: The `comparison` of its results; see `keras_snnkd.report`.

    Raises:
        OutputError: If they cannot be written.
    """
    with staged(folder / "comparison.csv", folder / "comparison.tex") as (table, latex):
        table.write_text(comparison_csv(rows), "utf-8")
        latex.write_text(comparison_latex(rows), "utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else value


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(character, character) for character in str(text))
