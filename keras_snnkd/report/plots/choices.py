"""What one thing is beside others: sizes, files, methods, time steps, candidates of a search."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_snnkd.report.plots.figure import (
    BETTER,
    CHOSEN,
    COLORS,
    INK,
    MUTED,
    WORSE,
    bars,
    decades,
    dots,
    energy_bars,
    legend,
    new_figure,
    palette,
    side_by_side,
    spread,
)


def accuracy_by_size(
    models: Sequence[Mapping[str, Any]],
    colors: Mapping[str, str] | None = None,
    xlabel: str = "parameters (logarithmic)",
    narrow: bool = False,
) -> str:
    """Accuracy against size, one labelled point a model, and an arrow from each teacher to its pupil.

    Args:
        models: Mappings with `name`, `label`, `size` (above 0), `accuracy` (0..1) and, where it had one, `taught_by`.
        colors: By name; `palette` of the names by default.
        xlabel: What the sizes are.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.accuracy_by_size([{"name": "student", "label": "student", "size": 5034, "accuracy": 0.96}])
    """
    colors = colors or palette([model["name"] for model in models])
    points = {model["name"]: (model["size"], 100 * model["accuracy"]) for model in models}
    with new_figure(3.5, narrow=narrow) as (_, (axis,), svg):
        sizes = [size for size, _ in points.values()] or [1]
        accuracies = [accuracy for _, accuracy in points.values()] or [0.0]
        room = max(0.5, 0.18 * (max(accuracies) - min(accuracies)))
        axis.set_xscale("log")
        left, right = (3.0, 3.0) if narrow else (1.6, 2.6)
        axis.set(xlim=(min(sizes) / left, max(sizes) * right), ylim=(min(accuracies) - room, max(accuracies) + room))
        axis.set(title="Test accuracy (%) against size", xlabel=xlabel)
        decades(axis, sizes)
        heights = spread([y for _, y in points.values()], gap=2 * room / 3.5)
        for model, height in zip(models, heights, strict=True):
            name, (x, y) = model["name"], points[model["name"]]
            teacher = points.get(model.get("taught_by"))
            if teacher:
                arrow = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1, "shrinkA": 7, "shrinkB": 7}
                axis.annotate("", (x, y), teacher, arrowprops={**arrow, "connectionstyle": "arc3,rad=0.2"})
            axis.plot(x, y, "o", color=colors[name], markersize=9, markeredgecolor="white", zorder=3)
            text = f"{model.get('label') or name} {y:.2f} %"
            beside = {"textcoords": "offset points", "va": "center", "zorder": 4}
            if narrow and x * x > min(sizes) * max(sizes):  # the right half: its words would run out of the picture
                axis.annotate(text, (x, height), (-10, 0), ha="right", **beside)
            else:
                axis.annotate(text, (x, height), (10, 0), **beside)
    return svg()


def targets(rows: Sequence[Mapping[str, Any]], reference: float | None = None, narrow: bool = False) -> str:
    """Size, accuracy, time and estimated energy of exported files, a row for each file and a panel for each figure.

    Args:
        rows: Mappings with `label` and, where it is known, `bytes`, `accuracy` (0..1), `milliseconds` an image, and of an image in nJ
            `energy` (zeros skipped), `energy_dense` (nothing skipped) and `energy_twin` (the ANN twin, nothing skipped).
        reference: Accuracy of the Keras model, 0..1, drawn as a line.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG; panels for which no row has a figure are left out.

    Example:
        >>> svg = kd.plots.targets([{"label": "LiteRT float32", "bytes": 32460, "accuracy": 0.964, "milliseconds": 0.03}])
    """
    panels = [
        ("bytes", "Size (kB)", 1e-3, bars),
        ("accuracy", "Test accuracy (%)", 100, dots),
        ("milliseconds", "Time per image (ms)", 1, bars),
        ("energy", "Energy per image", 1, energy_bars),
    ]
    known = [panel for panel in panels if any(row.get(panel[0]) is not None for row in rows)] or panels[:1]
    heights = range(len(rows))
    tall = 1.0 + 0.34 * max(2, len(rows))
    columns, lines = side_by_side(len(known), narrow)
    with new_figure(tall * lines, columns, lines, narrow=narrow) as (_, axes, svg):
        for axis, (key, title, factor, draw) in zip(axes, known, strict=True):
            found: list[Any] = [(height, row) for height, row in zip(heights, rows, strict=True) if row.get(key) is not None]
            logarithmic = draw(axis, found if key == "energy" else [(height, factor * row[key]) for height, row in found])
            if key == "accuracy" and reference is not None:
                axis.axvline(100 * reference, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            said = [*(["nJ"] if key == "energy" else []), *(["logarithmic"] if logarithmic else [])]
            axis.set(title=title, xlabel=", ".join(said), ylim=(len(rows) - 0.4, -0.6))
            named = narrow or axis is axes[0]
            axis.set_yticks(heights, [str(row["label"]) for row in rows] if named else [""] * len(rows))
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0, labelcolor=INK)
            if not logarithmic:
                axis.xaxis.get_major_locator().set_params(nbins=4)
    return svg()


def differences(rows: Sequence[Mapping[str, Any]], narrow: bool = False) -> str:
    """The difference of each method to the student alone, a dot with its interval, the best on top.

    Args:
        rows: What `keras_snnkd.run.comparing.ranking.ranked` gives; rows without a difference are left out.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG; the dot is filled where the interval leaves out zero.

    Example:
        >>> svg = kd.plots.differences(run["comparison"])
    """
    shown = sorted((row for row in rows if row.get("difference") is not None), key=lambda row: row["difference"])
    with new_figure(0.9 + 0.26 * len(shown), narrow=narrow) as (_, (axis,), svg):
        axis.axvline(0, color=MUTED, linewidth=1)
        for height, row in enumerate(shown):
            low, high = row.get("interval") or (row["difference"], row["difference"])
            clear = row.get("interval") is not None and (low > 0 or high < 0)
            color = MUTED
            if clear:
                color = BETTER if low > 0 else WORSE
            axis.plot([100 * low, 100 * high], [height, height], color=color, linewidth=1.8)
            axis.plot(100 * row["difference"], height, "o", color=color, markersize=6, markerfacecolor=color if clear else "white")
        axis.set_yticks(range(len(shown)), [str(row.get("label") or row["name"]) for row in shown])
        axis.set(title="Points above the student alone" if narrow else "Test accuracy minus that of the student alone (points)")
        axis.set_ylim(-0.7, len(shown) - 0.3)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
    return svg()


def gain_by_size(sizes: Sequence[Mapping[str, Any]], narrow: bool = False) -> str:
    """The difference to the student alone against the student's size, a line for each method, with intervals.

    Args:
        sizes: What `keras_snnkd.run.comparing.sizes.Sizes` gives: `parameters`, and `rows` with a name, `difference` (0..1) and `interval`.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.gain_by_size(run["sizes"])
    """
    lines: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for size in sorted(sizes, key=lambda size: size["parameters"]):
        for row in size["rows"]:
            if row.get("difference") is not None:
                lines.setdefault(str(row.get("label") or row["name"]), []).append((size["parameters"], row))
    colors = palette(sorted(lines))
    with new_figure(3.6, narrow=narrow) as (figure, (axis,), svg):
        axis.axhline(0, color=MUTED, linewidth=1)
        for name in sorted(lines):
            parameters = [count for count, _ in lines[name]]
            axis.plot(parameters, [100 * row["difference"] for _, row in lines[name]], "o-", color=colors[name], label=name)
            for count, row in lines[name]:
                if row.get("interval"):
                    axis.plot([count, count], [100 * end for end in row["interval"]], color=colors[name], linewidth=1.2)
        axis.set(title="Points above the student alone", xlabel="parameters of the student", xscale="log")
        decades(axis, [size["parameters"] for size in sizes])
        legend(figure, axis, narrow)
    return svg()


def anytime(results: Mapping[str, Mapping[str, Any]], colors: Mapping[str, str] | None = None, narrow: bool = False) -> str:
    """Accuracy against time steps, a line for each model, with a diamond where it stops at its confidence threshold.

    Args:
        results: By model, what `Anytime.to_dict` gives.
        colors: By model; `palette` of the names by default.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG; the diamond stands at the mean number of steps used.

    Example:
        >>> svg = kd.plots.anytime({"student": kd.metrics.anytime(student, images, labels, calibration).to_dict()})
    """
    colors = colors or palette(list(results))
    with new_figure(3.3, narrow=narrow) as (figure, (axis,), svg):
        for name, result in results.items():
            accuracy = 100 * np.asarray(result["accuracy"], float)
            axis.plot(np.arange(1, len(accuracy) + 1), accuracy, "o-", color=colors[name], linewidth=1.8, markersize=4, label=name)
            if result["threshold"] is not None:
                x, y = result["mean_steps"], 100 * result["accuracy_at_threshold"]
                text = f"stopping early: {y:.2f} % in {x:.2f} steps"
                axis.plot(x, y, "D", color=colors[name], markersize=9, markeredgecolor="white", linewidth=0, zorder=3, label=text)
        axis.set(title="Test accuracy (%) against time steps", xlabel="time steps")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.margins(x=0.04, y=0.1)
        legend(figure, axis, narrow)
    return svg()


def trade_off(
    candidates: Sequence[Mapping[str, Any]],
    front: Sequence[str],
    chosen: str | None = None,
    limits: Mapping[str, float] | None = None,
    narrow: bool = False,
) -> str:
    """Validation accuracy of a search's candidates against parameters and against operations.

    Args:
        candidates: Mappings with `name`, `accuracy`, `parameters`, `synaptic_operations` and `exceeded`.
        front: Names of those on the Pareto front, which are full dots; the others are rings, grey where they cost too much.
        chosen: The name of the one that is labelled.
        limits: Of the costs, drawn as lines.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.trade_off(search["candidates"], search["front"], search["chosen"])
    """
    panels = [("parameters", "parameters (logarithmic)"), ("synaptic_operations", "synaptic operations per image (logarithmic)")]
    with new_figure(6.0 if narrow else 3.5, *side_by_side(2, narrow), narrow=narrow) as (_, axes, svg):
        for axis, (cost, label) in zip(axes, panels, strict=True):
            axis.set_xscale("log")
            for row in candidates:
                color = COLORS[0] if not row.get("exceeded") else COLORS[6]
                face = color if row["name"] in front else "white"
                axis.plot(row[cost], 100 * row["accuracy"], "o", color=color, markerfacecolor=face, markersize=6)
                if row["name"] == chosen:
                    axis.plot(row[cost], 100 * row["accuracy"], "o", color=CHOSEN, markersize=11, markerfacecolor="none", label="chosen")
                    axis.legend(loc="lower right")
            limit = (limits or {}).get(cost)
            if limit:
                axis.axvline(limit, color=MUTED, linewidth=1, linestyle="--")
            axis.set(title="Validation accuracy (%)", xlabel=label)
            decades(axis, [row[cost] for row in candidates] or [1])
    return svg()
