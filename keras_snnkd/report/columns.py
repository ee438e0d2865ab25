"""The columns of the tables: which figures they show, and in which form."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report import formats

Rows = Sequence[Mapping[str, Any]]
"""The `models` of a run."""

Column = tuple[str, list[list[str]]]
"""Header and cells; a cell has one or more lines."""

_FILES = {"keras": ".keras file", "float32": "LiteRT float32", "dynamic": "LiteRT dynamic"}


def model_columns(rows: Rows) -> list[Column]:
    """Header and cells of each column; a cell has one or more lines. Columns of files stand only where there are files."""
    labels = model_labels(rows)
    columns = [
        ("model", [[labels[row["name"]]] for row in rows]),
        *quality_columns(rows),
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


def quality_columns(rows: Rows) -> list[Column]:
    """How good answers are: the accuracy, or the errors where they are numbers."""
    errors = [row.get("errors") or {} for row in rows]
    if not any(errors):
        return [("accuracy", [[formats.percent(row.get("accuracy"))] for row in rows])]
    headers = {"rmse": "RMSE", "mae": "mean absolute error", "r2": "R²"}
    return [(header, [[formats.figures(found.get(key))] for found in errors]) for key, header in headers.items()]


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
            [
                [str(row.get("label") or row["name"]), f"taught by {row['taught_by']}" if row.get("taught_by") else "", *_chosen(row)]
                for row in rows
            ],
        ),
        ("seeds", [[formats.count(len(row.get("seeds") or []) or None)] for row in rows]),
        ("test accuracy", [[formats.percent(row.get("accuracy")), _deviation(row.get("accuracy_sd"))] for row in rows]),
        ("difference (points)", [[formats.points(row.get("difference")), _interval(row.get("interval"))] for row in rows]),
        ("", [[verdict(row)] for row in rows]),
        ("spikes per image", [[formats.count(row.get("spikes_per_image"))] for row in rows]),
        ("seconds", [[formats.count(row.get("seconds"))] for row in rows]),
    ]


def _chosen(row: Mapping[str, Any]) -> list[str]:
    """What an arm has chosen for itself, as a line."""
    if formats.number(row.get("learning_rate")) is None:
        return []
    weight = "" if formats.number(row.get("weight")) in (None, 1) else f", weights x {formats.small(row['weight'])}"
    return [f"rate {formats.small(row['learning_rate'])}{weight}"]


def _deviation(deviation: Any) -> str:
    """0.0123 -> +/- 1.23."""
    return "" if formats.number(deviation) is None else f"\N{PLUS-MINUS SIGN} {100 * deviation:.2f}"


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
