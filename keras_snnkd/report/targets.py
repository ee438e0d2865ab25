"""The table of exported files, for the terminal, for Markdown and for the card."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report import formats, sections
from keras_snnkd.report.columns import Column
from keras_snnkd.report.faults import of_plain_data
from keras_snnkd.report.fitting import Fitting, in_markdown

Targets = Sequence[Mapping[str, Any]]
"""The `targets` of a card that are written; see `keras_snnkd.run.finished.card`."""


@of_plain_data
def target_table(targets: Targets) -> Any:
    """The table of exported files for the terminal, as a `rich.table.Table`.

    Args:
        targets: The `targets` of a card.

    Example:
        >>> rich.print(kd.report.target_table(card["targets"]))
    """
    columns = dict(target_columns(targets))
    columns["file"] = [cell[:1] for cell in columns["file"]]  # without the path
    return Fitting(list(columns.items()))


@of_plain_data
def target_markdown(targets: Targets) -> str:
    """The table of exported files in Markdown.

    Args:
        targets: The `targets` of a card.

    Example:
        >>> print(kd.report.target_markdown(card["targets"]))
    """
    return in_markdown(target_columns(targets))


def target_columns(targets: Targets) -> list[Column]:
    """Header and cells of each column; what was measured of no file is left out."""
    targets = written(targets)
    columns: list[Column] = [
        ("file", [[label(target), str(target.get("path") or "")] for target in targets]),
        ("size", [[formats.size(target.get("bytes"))] for target in targets]),
        ("accuracy", [[formats.percent(target.get("test_accuracy"))] for target in targets]),
        ("RMSE", [[formats.figures((target.get("test_errors") or {}).get("rmse"))] for target in targets]),
        ("as Keras", [sections.agreement(target)[:1] for target in targets]),
        ("spikes differ", [sections.spike_differences(target.get("spike_differences"))[:1] for target in targets]),
        *[(f"{n} thread{'s' if n > 1 else ''}", [_time(target, n) for target in targets]) for n in _threads(targets)],
        ("memory", [_memory(target) for target in targets]),
        ("energy", [_energy(target.get("energy")) for target in targets]),
    ]
    return columns[:1] + [column for column in columns[1:] if any(cell != [formats.NOTHING] for cell in column[1])]


def written(targets: Targets) -> list[Mapping[str, Any]]:
    """Those of which there is a file."""
    return [target for target in targets if target and target.get("state", "written") == "written"]


def milliseconds(target: Mapping[str, Any], threads: int = 1) -> float | None:
    """Median time for an image: of a streaming file, that of all its steps."""
    time = formats.number(_timed(target, threads).get("p50_ms"))
    return None if time is None else time * (target.get("runs_per_image") or 1)


def label(target: Mapping[str, Any]) -> str:
    """What to call a target."""
    return str(target.get("label") or target.get("target") or formats.NOTHING)


def _threads(targets: Targets) -> list[int]:
    found: set[int] = set()
    for target in targets:
        rows = filter(None, target.get("latency") or [])
        found.update(row["threads"] for row in rows if formats.number(row.get("threads")))
    return sorted(found)


def _timed(target: Mapping[str, Any], threads: int) -> Mapping[str, Any]:
    """The times with so many threads; empty if there are none."""
    return next((row for row in target.get("latency") or [] if row and row.get("threads") == threads), {})


def _time(target: Mapping[str, Any], threads: int) -> list[str]:
    row = _timed(target, threads)
    if not row:
        return [formats.NOTHING]
    streaming = (target.get("runs_per_image") or 1) > 1
    p95 = f"p95 {formats.small(row.get('p95_ms'))}"
    more = f"{formats.small(row.get('p50_ms'))} per step, {p95}" if streaming else p95
    return [f"{formats.small(milliseconds(target, threads))} ms", more]


def _memory(target: Mapping[str, Any]) -> list[str]:
    held = next((row.get("memory_bytes") for row in target.get("latency") or [] if row), None)
    arena = (target.get("micro") or {}).get("arena_bytes")
    return [formats.size(held), *([f"arena {formats.size(arena)}"] if arena else [])]


def _energy(estimate: Mapping[str, Any] | None) -> list[str]:
    if not estimate:
        return [formats.NOTHING]
    return [formats.nanojoules(estimate.get("effective")), f"dense {formats.nanojoules(estimate.get('dense'))}"]
