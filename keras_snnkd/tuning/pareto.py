"""Which students are worth having: those that no other one beats in everything."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COSTS = ("parameters", "synaptic_operations")
"""What is weighed against accuracy."""


def front(rows: Iterable[Mapping[str, Any]], costs: Sequence[str] = COSTS, gain: str = "accuracy") -> list[Mapping[str, Any]]:
    """The Pareto front, the most accurate first.

    A row is on it if no other is at least as good in `gain` and in every cost, and better in one of them. Of equal rows the first stays.

    Args:
        rows: With the keys `gain` and `costs`.
        costs: Less is better.
        gain: More is better.

    Example:
        >>> front([{"accuracy": 0.9, "parameters": 10, "synaptic_operations": 5}])
    """
    rows = list(rows)
    kept = []
    for index, row in enumerate(rows):
        others = (other for place, other in enumerate(rows) if place != index and (not _equal(other, row, costs, gain) or place < index))
        if not any(other[gain] >= row[gain] and all(other[cost] <= row[cost] for cost in costs) for other in others):
            kept.append(row)
    return sorted(kept, key=lambda row: (-row[gain], *(row[cost] for cost in costs)))


def _equal(row: Mapping[str, Any], other: Mapping[str, Any], costs: Sequence[str], gain: str) -> bool:
    return all(row[key] == other[key] for key in (gain, *costs))
