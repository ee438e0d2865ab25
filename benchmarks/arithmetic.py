"""Medians, quartiles, ratios and straight lines."""

import statistics
from collections.abc import Mapping, Sequence

Rounds = Sequence[Mapping[str, float]]
"""Of each round the seconds per step, by contender."""


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles."""
    if len(values) == 1:
        return dict.fromkeys(("q1", "median", "q3"), values[0])
    return dict(zip(("q1", "median", "q3"), statistics.quantiles(values, n=4, method="inclusive"), strict=True))


def ratios(rounds: Rounds, above: Sequence[str], below: Sequence[str]) -> list[float]:
    """Of each round, the time of all of `above` together divided by that of all of `below`."""
    return [sum(times[name] for name in above) / sum(times[name] for name in below) for times in rounds]


def fastest(rounds: Rounds, names: Sequence[str]) -> str:
    """Who of `names` has the lowest median."""
    return min(names, key=lambda name: statistics.median(times[name] for times in rounds))


def line(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """The straight line through points by least squares: `slope`, `intercept` and `r2`, the share of the variance that it explains."""
    slope, intercept = statistics.linear_regression(x, y)
    spread = sum((value - statistics.fmean(y)) ** 2 for value in y)
    missed = sum((value - slope * place - intercept) ** 2 for place, value in zip(x, y, strict=True))
    return {"slope": slope, "intercept": intercept, "r2": 1 - missed / spread if spread else 1.0}
