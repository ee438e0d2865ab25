"""The table of what a student went through to become cheaper."""

from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.columns import Column, Rows
from keras_snnkd.report.fitting import Fitting, in_markdown


def compression_table(rows: Rows) -> Any:
    """The table of a student's ways to become cheaper, for the terminal.

    Args:
        rows: The `compression` of a run; see `keras_snnkd.report`.

    Returns:
        What `rich` prints; see `keras_snnkd.report.fitting.Fitting`.

    Example:
        >>> rich.print(kd.report.compression_table(run["compression"]))
    """
    return Fitting(compression_columns(rows))


def compression_markdown(rows: Rows) -> str:
    """The same table in Markdown, ending in a line break.

    Args:
        rows: The `compression` of a run.

    Example:
        >>> print(kd.report.compression_markdown(run["compression"]))
    """
    return in_markdown(compression_columns(rows))


def compression_columns(rows: Rows) -> list[Column]:
    """Header and cells of each column; a cost has its part of the first row's below it."""
    costs = {
        "packed size": [(row.get("compressed_bytes"), formats.size) for row in rows],
        "operations per image": [(_operations(row), formats.large) for row in rows],
        "energy per image": [((row.get("energy") or {}).get("effective"), formats.nanojoules) for row in rows],
    }
    first = rows[0].get("accuracy") if rows else None
    return [
        ("stage", [[str(row.get("label") or row["name"])] for row in rows]),
        ("accuracy", [[formats.percent(row.get("accuracy")), _step(row.get("accuracy"), first)] for row in rows]),
        *_on_device(rows),
        ("T", [[formats.count(row.get("timesteps"))] for row in rows]),
        ("weights that are 0", [[formats.percent(row.get("connection_sparsity"))] for row in rows]),
        *((header, [_cost(value, shown, cells[0][0]) for value, shown in cells]) for header, cells in costs.items() if cells),
    ]


def _on_device(rows: Rows) -> list[Column]:
    """The accuracy over draws of a device, where it was measured."""
    found = [row.get("on_device") or {} for row in rows]
    if not any(found):
        return []
    cells = [[formats.percent(one.get("mean")), f"sd {formats.points(one.get('sd')).lstrip('+')}" if one else ""] for one in found]
    return [("accuracy on the device", cells)]


def _operations(row: Any) -> float | None:
    """Effective ones, of both kinds."""
    found = row.get("synaptic_operations")
    return None if not found else found["effective_macs"] + found["effective_acs"]


def _cost(value: Any, shown: Any, first: Any) -> list[str]:
    """A cost and, where it is another than the first one, how many times less it is."""
    if not formats.number(value) or not formats.number(first) or value == first:
        return [shown(value)]
    return [shown(value), f"{first / value:.3g} times less" if value < first else f"{value / first:.3g} times more"]


def _step(accuracy: Any, first: Any) -> str:
    if formats.number(accuracy) is None or formats.number(first) is None or accuracy == first:
        return ""
    return f"{formats.points(accuracy - first)} points"
