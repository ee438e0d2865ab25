"""The table of a search: its Pareto front, or all candidates."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report import formats
from keras_snnkd.report.columns import Column
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.fitting import Fitting, in_markdown

Search = Mapping[str, Any]
"""The `search` of a run; see `keras_snnkd.report`."""


@of_plain_data
def search_table(search: Search) -> Any:
    """The Pareto front of a search for the terminal, as a `rich.table.Table`.

    Args:
        search: See `keras_snnkd.report`.

    Example:
        >>> rich.print(kd.report.search_table(run["search"]))
    """
    return Fitting(search_columns(front_rows(search), search.get("chosen")))


def search_markdown(search: Search, everything: bool = False) -> str:
    """The Pareto front of a search, or every candidate, in Markdown.

    Args:
        search: See `keras_snnkd.report`.
        everything: Whether to show all candidates.

    Returns:
        The table, ending in a line break.

    Example:
        >>> print(kd.report.search_markdown(run["search"]))
    """
    return in_markdown(search_columns(search["candidates"] if everything else front_rows(search), search.get("chosen"), everything))


def front_rows(search: Search) -> list[Mapping[str, Any]]:
    """The candidates on the Pareto front, the most accurate first."""
    by_name = {row["name"]: row for row in search["candidates"]}
    return [by_name[name] for name in search["front"]]


def search_columns(rows: Sequence[Mapping[str, Any]], chosen: str | None = None, settings: bool = False) -> list[Column]:
    """Header and cells of each column, with every setting where asked. Columns of files stand only where there are files."""
    recipes = [row["recipe"] for row in rows]
    columns: list[Column] = [
        ("trial", [[f"{row['name']} (chosen)" if row["name"] == chosen else row["name"]] for row in rows]),
        ("widths", [[_widths(recipe)] for recipe in recipes]),
        ("T", [[formats.count(recipe["timesteps"])] for recipe in recipes]),
    ]
    if settings:
        columns += [
            ("tau", [[formats.small(recipe["student"].get("tau"))] for recipe in recipes]),
            ("loss", [[_loss(recipe)] for recipe in recipes]),
            ("learning rate", [[formats.small(recipe["learning_rate"])] for recipe in recipes]),
            ("epochs", [[formats.count(row.get("epochs"))] for row in rows]),
        ]
    else:
        columns.append(("taught by", [_taught_by(recipe) for recipe in recipes]))
    columns += [
        ("validation accuracy", [[formats.percent(row.get("accuracy"))] for row in rows]),
        ("parameters", [[formats.count(row.get("parameters"))] for row in rows]),
        ("operations per image", [[formats.large(row.get("synaptic_operations"))] for row in rows]),
    ]
    if any(row.get("bytes") is not None for row in rows):
        columns.append(("float32 file", [[formats.size(row.get("bytes"))] for row in rows]))
        columns.append(("ms per image", [[formats.small(row.get("latency_ms"))] for row in rows]))
    if any(row.get("exceeded") for row in rows):
        columns.append(("over the budget", [["yes" if row.get("exceeded") else ""] for row in rows]))
    return columns


def _widths(recipe: dict[str, Any]) -> str:
    return "-".join(str(width) for width in recipe["student"]["widths"] if width != "pool")


def _taught_by(recipe: dict[str, Any]) -> list[str]:
    """The names of the objectives, one a line; labels where there are none."""
    return [entry["objective"] for entry in recipe["objectives"]] or ["labels"]


def _loss(recipe: dict[str, Any]) -> str:
    """Every term with its weight."""
    parts = [f"{formats.weight(entry.get('weight', 1.0))} {_named(entry)}" for entry in recipe["objectives"]]
    return " + ".join([f"{formats.weight(recipe['label_weight'])} label", *parts]) if parts else "label"


def _named(entry: Any) -> str:
    temperature = entry.get("temperature")
    return f"{entry['objective']}(temperature {formats.small(temperature)})" if temperature is not None else entry["objective"]
