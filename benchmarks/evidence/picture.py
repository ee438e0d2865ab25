"""Accuracy against energy: a panel for each data set, a point for each arm."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_snnkd.report.plots.figure import COLORS, INK, new_figure
from keras_snnkd.run.intervals import paired


def accuracy_against_energy(panels: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The SVG.

    Args:
        panels: By title, the arms of `docs/results/data`; those without an energy are left out. The bar at a point is the interval of 95 %
            of the mean over seeds.
    """
    with new_figure(3.6, columns=len(panels)) as (_, axes, svg):
        for axis, (title, arms) in zip(axes, panels.items(), strict=True):
            shown = [arm for arm in arms if arm["energy"]]
            dearest = max((arm["energy"] for arm in shown), default=0)
            for number, arm in enumerate(shown):
                _point(axis, arm, COLORS[number % len(COLORS)], "right" if arm["energy"] == dearest else "left")
            axis.set(title=title, xlabel="estimated energy of an image (nJ, 8-bit arithmetic)", ylabel="test accuracy (%)")
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.margins(x=0.35, y=0.18)
    return svg()


def _point(axis: Any, arm: Mapping[str, Any], color: str, side: str) -> None:
    mean = statistics.fmean(arm["accuracy"])
    if len(arm["accuracy"]) > 1:
        _, interval = paired(arm["accuracy"], [0.0] * len(arm["accuracy"]))
        axis.plot([arm["energy"]] * 2, interval, color=color, linewidth=1.8)
    axis.plot(arm["energy"], mean, "o", color=color, markersize=8, markeredgecolor="white", zorder=3)
    text = f"{arm['arm']} {mean:.1f} %"
    axis.annotate(
        text,
        (arm["energy"], mean),
        (9 if side == "left" else -9, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        color=INK,
        fontsize=8,
        zorder=4,
    )
