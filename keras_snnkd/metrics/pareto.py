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
    distinct: list[Mapping[str, Any]] = []
    for row in rows:
        if not any(_equal(row, other, costs, gain) for other in distinct):
            distinct.append(row)
    kept = [row for row in distinct if not any(_beats(other, row, costs, gain) for other in distinct if other is not row)]
    return sorted(kept, key=lambda row: (-row[gain], *(row[cost] for cost in costs)))


def _beats(row: Mapping[str, Any], other: Mapping[str, Any], costs: Sequence[str], gain: str) -> bool:
    """Whether a row is at least as good as another one in everything."""
    return row[gain] >= other[gain] and all(row[cost] <= other[cost] for cost in costs)


def _equal(row: Mapping[str, Any], other: Mapping[str, Any], costs: Sequence[str], gain: str) -> bool:
    return all(row[key] == other[key] for key in (gain, *costs))
