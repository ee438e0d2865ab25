"""Accuracy against energy: a panel for each data set, a point for each arm."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report.plots.figure import COLORS, INK, new_figure
from keras_snnkd.run.intervals import paired

COLUMNS = 2
"""Panels beside each other."""


def accuracy_against_energy(panels: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The SVG.

    Args:
        panels: By title, the arms of `docs/results/data`; those without an energy are left out. The bar at a point is the interval of 95 %
            of the mean over seeds.
    """
    columns = min(len(panels), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    with new_figure(3.6 * rows, columns, rows) as (_, axes, svg):
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        for axis, (title, arms) in zip(axes, panels.items(), strict=False):
            title, shown = _shortened(title, [arm for arm in arms if arm["energy"]])
            dearest = max((arm["energy"] for arm in shown), default=0)
            for number, arm in enumerate(shown):
                _point(axis, arm, COLORS[number % len(COLORS)], "right" if arm["energy"] == dearest else "left", _aside(arm, shown))
            axis.set(title=title, xlabel="estimated energy of an image (nJ, 8-bit arithmetic)", ylabel="test accuracy (%)")
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.margins(x=0.35, y=0.18)
    return svg()


def _shortened(title: str, arms: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The title with the words that all names end with behind a comma, and the arms without them."""
    _, comma, words = str(arms[0]["arm"] if arms else "").partition(", ")
    ending = comma + words
    if not ending or not all(arm["arm"].endswith(ending) for arm in arms):
        return title, [dict(arm) for arm in arms]
    return title + ending, [{**arm, "arm": arm["arm"].removesuffix(ending)} for arm in arms]


def _aside(arm: Mapping[str, Any], arms: Sequence[Mapping[str, Any]]) -> int:
    """How far, in points, a name has to go up or down so that it does not cover that of a neighbour."""
    means = [statistics.fmean(one["accuracy"]) for one in arms]
    mine, near = statistics.fmean(arm["accuracy"]), 0.07 * (max(means) - min(means))
    return 5 * (any(mine - near < mean < mine for mean in means) - any(mine < mean < mine + near for mean in means))


def _point(axis: Any, arm: Mapping[str, Any], color: str, side: str, aside: int) -> None:
    mean = statistics.fmean(arm["accuracy"])
    if len(arm["accuracy"]) > 1:
        _, interval = paired(arm["accuracy"], [0.0] * len(arm["accuracy"]))
        axis.plot([arm["energy"]] * 2, interval, color=color, linewidth=1.8)
    axis.plot(arm["energy"], mean, "o", color=color, markersize=8, markeredgecolor="white", zorder=3)
    text = f"{arm['arm']} {mean:.1f} %"
    axis.annotate(
        text,
        (arm["energy"], mean),
        (9 if side == "left" else -9, aside),
        textcoords="offset points",
        ha=side,
        va="center",
        color=INK,
        fontsize=8,
        zorder=4,
    )
