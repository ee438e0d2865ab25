"""The look of all pictures, and what they share: axes, bars, legends, labels."""

import contextlib
import io
import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from keras_snnkd.report.formats import nanojoules

INK, MUTED, LINE = "#1f2933", "#616e7c", "#e4e7eb"
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
COLOR_NAMES = dict(zip(COLORS, ("blue", "orange", "green", "pink", "vermilion", "light blue", "grey"), strict=True))
"""What the words below a picture call a colour."""

OURS, BETTER, WORSE, TWIN, CHOSEN = COLORS[0], COLORS[2], COLORS[4], COLORS[4], COLORS[4]

WIDE, NARROW = 9.4, 3.9
"""Inches: of a picture in a page on a desk, and of the same picture drawn for a telephone."""

FLAT = 10
"""One bar flattens the others where it is so many times as long as their median."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "keras_snnkd",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in order; give the same to all pictures of a run so that a model keeps its colour."""
    return {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}


def decades(axis: Any, sizes: Sequence[float]) -> None:
    """Readable numbers on a logarithmic axis of sizes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(sizes) < 200 * min(sizes) else (1,)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda size, _: compact(size)))


@contextlib.contextmanager
def new_figure(
    height: float, columns: int = 1, rows: int = 1, first: float = 1.0, narrow: bool = False, heights: Sequence[float] | None = None
) -> Iterator[Any]:
    """A figure in the house style, its axes, and a function that writes it once it is drawn. Keeps away from pyplot's global state.

    Args:
        height: In inches.
        columns: Of axes.
        rows: Of axes.
        first: Width of the first column, where that of the others is 1.
        narrow: Whether it is drawn for a telephone.
        heights: Of the rows, in proportion; alike by default.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(NARROW if narrow else WIDE, height), layout="constrained", facecolor="white")
        FigureCanvasSVG(figure)
        layout: Any = figure.get_layout_engine()
        layout.set(wspace=0.06, hspace=0.08)
        axes = figure.subplots(rows, columns, squeeze=False, width_ratios=[first] + [1] * (columns - 1), height_ratios=heights).ravel()

        def svg() -> str:
            with matplotlib.rc_context(_STYLE):
                page = io.StringIO()
                figure.savefig(page, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
            text = page.getvalue()
            return text[text.index("<svg") :].strip()

        yield figure, list(axes), svg


def side_by_side(panels: int, narrow: bool) -> tuple[int, int]:
    """Columns and rows for so many panels: beside each other on a desk, below each other on a telephone."""
    return (1, panels) if narrow else (panels, 1)


def flattened(values: Iterable[float]) -> bool:
    """Whether one bar is so long that the others could not be told apart beside it, and all can stand on a logarithmic axis."""
    ordered = sorted(values)
    return len(ordered) > 1 and ordered[0] > 0 and ordered[-1] > FLAT * statistics.median(ordered[:-1])


def figures(value: float) -> str:
    """12.34 -> 12.3, and 1234.5 -> 1,234: three figures, and all of a whole number."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def bars(axis: Any, values: Sequence[tuple[float, float]], color: str = OURS, text: Callable[[float], str] = figures) -> bool:
    """Horizontal bars with their numbers, from (height, value); dots on a logarithmic axis where one bar flattens the others.

    Returns:
        Whether the axis is logarithmic.
    """
    logarithmic = flattened(value for _, value in values)
    for height, value in values:
        if logarithmic:
            axis.plot(value, height, "o", color=color, markersize=7)
        else:
            axis.barh(height, value, height=0.62, color=color)
        _number(axis, value, height, text(value))
    _room(axis, [value for _, value in values], logarithmic)
    return logarithmic


def energy_bars(axis: Any, rows: Sequence[tuple[float, Any]]) -> bool:
    """Full bars where zeros are skipped, outlined ones where nothing is, and a mark for the ANN twin, from (height, row).

    Full dots and rings where one of them flattens the others.

    Returns:
        Whether the axis is logarithmic.
    """
    shown = [value for _, row in rows for name in ENERGIES if (value := row.get(name))]
    logarithmic = flattened(shown)
    for height, row in rows:
        ours, dense, twin = row["energy"], row.get("energy_dense") or 0, row.get("energy_twin")
        if logarithmic:
            axis.plot([ours, dense or ours], [height, height], color=OURS, linewidth=1)
            axis.plot(dense or ours, height, "o", color=OURS, markersize=7, markerfacecolor="white")
            axis.plot(ours, height, "o", color=OURS, markersize=7)
        else:
            axis.barh(height, dense, height=0.62, color="white", edgecolor=OURS, linewidth=1)
            axis.barh(height, ours, height=0.62, color=OURS)
        if twin is not None:
            axis.plot([twin, twin], [height - 0.42, height + 0.42], color=TWIN, linewidth=2, zorder=3)
        _number(axis, max(ours, dense, twin or 0), height, nanojoules(ours))
    _room(axis, shown, logarithmic)
    return logarithmic


ENERGIES = ("energy", "energy_dense", "energy_twin")


def _number(axis: Any, x: float, height: float, text: str) -> None:
    axis.annotate(text, (x, height), (6, 0), textcoords="offset points", va="center", fontsize=8)


def _room(axis: Any, values: Sequence[float], logarithmic: bool) -> None:
    """Room on the right for the numbers."""
    if not logarithmic:
        axis.margins(x=0.28)
        return
    lowest, highest = min(values), max(values)
    axis.set_xscale("log")
    axis.set_xlim(lowest / 2, highest * (highest / lowest) ** 0.35)
    decades(axis, [lowest, highest * 200])


def dots(axis: Any, values: Sequence[tuple[float, float]]) -> bool:
    """Dots with their numbers, from (height, value), on an axis that starts near the smallest.

    Returns:
        False: the axis is not logarithmic.
    """
    for height, value in values:
        axis.plot(value, height, "o", color=OURS, markersize=7)
        _number(axis, value, height, f"{value:.2f}")
    shown = [value for _, value in values]
    lowest, highest = min(shown), max(shown)
    room = max(0.5, highest - lowest)
    axis.set_xlim(lowest - 0.3 * room, highest + 0.9 * room)
    return False


def legend(figure: Any, axis: Any, narrow: bool = False) -> None:
    """One legend below the axes of a figure, if there is more than one line to name."""
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 1 if narrow else 5))


def compact(size: float) -> str:
    """10000 -> 10 k."""
    for factor, unit in [(1e9, " G"), (1e6, " M"), (1e3, " k")]:
        if size >= factor:
            return f"{size / factor:g}{unit}"
    return f"{size:g}"


def short(layer: str) -> str:
    """`block1_neuron` -> `block1`: the layers of a spike picture are neurons all the same."""
    return layer.removesuffix("_neuron").replace("_neuron", " ")


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Heights as near to `values` as keeps them `gap` apart, so that labels do not overlap."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    heights = list(values)
    for _ in range(50):
        for below, above in itertools.pairwise(order):
            push = (gap - (heights[above] - heights[below])) / 2
            if push > 1e-9:
                heights[below] -= push
                heights[above] += push
    return heights
