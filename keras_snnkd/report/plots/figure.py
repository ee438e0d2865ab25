"""The look of all pictures, and what they share: axes, bars, legends, labels."""

import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

INK, MUTED, LINE = "#1f2933", "#616e7c", "#e4e7eb"
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")

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
def new_figure(width: float, height: float, columns: int = 1, rows: int = 1, first: float = 1.0) -> Iterator[Any]:
    """A figure in the house style, its axes, and a function that writes it once it is drawn. Keeps away from pyplot's global state."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasSVG(figure)
        layout: Any = figure.get_layout_engine()
        layout.set(wspace=0.06)
        axes = figure.subplots(rows, columns, squeeze=False, width_ratios=[first] + [1] * (columns - 1)).ravel()

        def svg() -> str:
            with matplotlib.rc_context(_STYLE):
                page = io.StringIO()
                figure.savefig(page, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
            text = page.getvalue()
            return text[text.index("<svg") :].strip()

        yield figure, list(axes), svg


def bars(axis: Any, values: Any) -> None:
    """Horizontal bars with their numbers, from (height, value)."""
    for height, value in values:
        axis.barh(height, value, height=0.62, color=COLORS[0])
        axis.annotate(f"{value:.3g}", (value, height), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axis.margins(x=0.28)


def energy_bars(axis: Any, rows: Any) -> None:
    """Full bars where zeros are skipped, outlined ones where nothing is, and a mark for the ANN twin, from (height, row)."""
    for height, row in rows:
        ours, dense, twin = row["energy"], row.get("energy_dense") or 0, row.get("energy_twin")
        axis.barh(height, dense, height=0.62, color="white", edgecolor=COLORS[0], linewidth=1)
        axis.barh(height, ours, height=0.62, color=COLORS[0])
        if twin is not None:
            axis.plot([twin, twin], [height - 0.42, height + 0.42], color=COLORS[4], linewidth=2, zorder=3)
        end = max(ours, dense, twin or 0)
        axis.annotate(f"{ours:.3g}", (end, height), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axis.margins(x=0.28)


def dots(axis: Any, values: Any) -> None:
    """Dots with their numbers, from (height, value), on an axis that starts near the smallest."""
    for height, value in values:
        axis.plot(value, height, "o", color=COLORS[0], markersize=7)
        axis.annotate(f"{value:.2f}", (value, height), (7, 0), textcoords="offset points", va="center", fontsize=8)
    lowest, highest = (pick(value for _, value in values) for pick in (min, max))
    room = max(0.5, highest - lowest)
    axis.set_xlim(lowest - 0.3 * room, highest + 0.9 * room)


def legend(figure: Any, axis: Any) -> None:
    """One legend below the axes of a figure, if there is more than one line to name."""
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))


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
