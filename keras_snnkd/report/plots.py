"""Pictures of a run, each a function that returns one SVG as a string, to be put into a page or written to a file.

The colours are those of Okabe and Ito (2008), "Color Universal Design", which colour-blind readers tell apart. Text stays text: it can be
searched, and a page that embeds the picture chooses the font.
"""

import contextlib
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

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

_RASTERS_A_ROW = 4


def palette(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in order; give the same to all pictures of a run so that a model keeps its colour."""
    return {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}


def learning_curves(histories: Mapping[str, Mapping[str, Sequence[float]]], colors: Mapping[str, str] | None = None) -> str:
    """Validation accuracy and validation loss by epoch, a line for each model.

    Args:
        histories: By model, what `keras.callbacks.History.history` holds; `val_accuracy` and `val_loss` are drawn where they are there.
        colors: By model; `palette` of the names by default.

    Returns:
        The SVG; the best epoch by validation accuracy carries a dot.

    Example:
        >>> svg = kd.plots.learning_curves({"student": history.history})
    """
    colors = colors or palette(list(histories))
    panels = [("val_accuracy", "Validation accuracy (%)", 100), ("val_loss", "Validation loss", 1)]
    panels = [panel for panel in panels if any(history.get(panel[0]) for history in histories.values())] or panels[:1]
    with _figure(9.4, 3.3, columns=len(panels)) as (figure, axes, svg):
        for axis, (key, title, factor) in zip(axes, panels, strict=True):
            for name, history in histories.items():
                values = np.array([math.nan if v is None else v for v in history.get(key) or []], float) * factor
                if not np.isfinite(values).any():
                    continue
                epochs = np.arange(1, len(values) + 1)
                axis.plot(epochs, values, color=colors[name], linewidth=1.8, label=name)
                best = np.nanargmax(values) if key == "val_accuracy" else np.nanargmin(values)
                axis.plot(epochs[best], values[best], "o", color=colors[name], markersize=5)
            axis.set(title=title, xlabel="epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
        _legend(figure, axes[0])
    return svg()


def firing_rates(rates: Mapping[str, Mapping[str, float]], colors: Mapping[str, str] | None = None) -> str:
    """Mean firing rate of each layer, a group of bars for each model.

    Args:
        rates: By model, what `Activity.rates` holds: by layer, spikes per neuron and time step.
        colors: By model; `palette` of the names by default.

    Returns:
        The SVG. Layers stand side by side in each model's own order, since a student has not the layers of its teacher.

    Example:
        >>> svg = kd.plots.firing_rates({"student": kd.metrics.activity(student, images).rates})
    """
    colors = colors or palette(list(rates))
    with _figure(9.4, 3.2) as (_, (axis,), svg):
        position, ticks, labels, groups = 0.0, [], [], []
        for name, layers in rates.items():
            if not layers:
                continue
            first = position
            for layer, rate in layers.items():
                axis.bar(position, 100 * rate, width=0.78, color=colors[name])
                axis.annotate(f"{100 * rate:.1f}", (position, 100 * rate), (0, 2), textcoords="offset points", ha="center", fontsize=8)
                ticks.append(position)
                labels.append(_short(layer))
                position += 1
            groups.append(((first + position - 1) / 2, name))
            position += 0.8
        crowded = len(ticks) > 14
        axis.set_xticks(ticks, labels, rotation=90 if crowded else 0, fontsize=7 if crowded else 8)
        axis.set(title="Mean firing rate by layer (% of neuron-steps)")
        axis.grid(axis="x", visible=False)
        axis.tick_params(axis="x", length=0)
        axis.margins(x=0.02, y=0.25)
        for center, name in groups:
            where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "va": "top"}
            axis.annotate(name, (center, 1), (0, -2), color=colors[name], fontweight="bold", **where)
    return svg()


def raster(image: Any, layers: Mapping[str, Any], caption: str = "") -> str:
    """One image beside the spikes that it causes in each layer; time runs to the right, a row is a neuron.

    Args:
        image: `[H, W, C]` or `[H, W]`, values 0..1; C is 1 or 3, of others the first channel is shown.
        layers: By layer, 0 and 1 as `[T, N]`; see `kd.metrics.raster`.
        caption: Below the image.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.raster(images[0], kd.metrics.raster(student, images[0]))
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    image = np.clip(np.asarray(image, float), 0, 1)
    if image.ndim == 3 and image.shape[-1] != 3:
        image = image[..., 0]
    columns, rows = min(len(layers), _RASTERS_A_ROW), max(1, math.ceil(len(layers) / _RASTERS_A_ROW))
    with _figure(9.4, 3.0 * rows, 1 + columns, rows, first=1.25) as (_, grid, svg):
        left, *unused = grid[:: 1 + columns]
        left.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
        left.set(xticks=[], yticks=[], title="Image", xlabel=caption)
        left.spines[:].set_visible(False)
        free = [axis for index, axis in enumerate(grid) if index % (1 + columns)]
        for index, (layer, train) in enumerate(layers.items()):
            axis, train = free[index], np.asarray(train)
            steps, neurons = np.nonzero(train)
            corners = np.array([(-0.42, -0.4), (0.42, -0.4), (0.42, 0.4), (-0.42, 0.4)])
            boxes = np.stack([steps + 1, neurons + 1], axis=-1)[:, None] + corners
            if len(boxes):
                axis.add_patch(PathPatch(Path.make_compound_path_from_polys(boxes), facecolor=COLORS[0], linewidth=0))
            axis.set(xlim=(0.4, len(train) + 0.6), ylim=(train.shape[1] + 0.6, 0.4), title=_short(layer), xlabel="time step")
            axis.set_ylabel("" if index % columns else "neuron")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(visible=False)
        for axis in [*unused, *free[len(layers) :]]:
            axis.set_axis_off()
    return svg()


def accuracy_by_size(
    models: Sequence[Mapping[str, Any]], colors: Mapping[str, str] | None = None, xlabel: str = "parameters (logarithmic)"
) -> str:
    """Accuracy against size, one labelled point a model, and an arrow from each teacher to its pupil.

    Args:
        models: Mappings with `name`, `label`, `size` (above 0), `accuracy` (0..1) and, where it had one, `taught_by`.
        colors: By name; `palette` of the names by default.
        xlabel: What the sizes are.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.accuracy_by_size([{"name": "student", "label": "student", "size": 5034, "accuracy": 0.96}])
    """
    colors = colors or palette([model["name"] for model in models])
    points = {model["name"]: (model["size"], 100 * model["accuracy"]) for model in models}
    with _figure(9.4, 3.5) as (_, (axis,), svg):
        sizes = [size for size, _ in points.values()] or [1]
        accuracies = [accuracy for _, accuracy in points.values()] or [0.0]
        room = max(0.5, 0.18 * (max(accuracies) - min(accuracies)))
        axis.set_xscale("log")
        axis.set(xlim=(min(sizes) / 1.6, max(sizes) * 2.6), ylim=(min(accuracies) - room, max(accuracies) + room))
        axis.set(title="Test accuracy (%) against size", xlabel=xlabel)
        _decades(axis, sizes)
        heights = _spread([y for _, y in points.values()], gap=2 * room / 3.5)
        for model, height in zip(models, heights, strict=True):
            name, (x, y) = model["name"], points[model["name"]]
            teacher = points.get(model.get("taught_by"))
            if teacher:
                arrow = {"arrowstyle": "-|>", "color": "#9aa5b1", "linewidth": 1, "shrinkA": 7, "shrinkB": 7}
                axis.annotate("", (x, y), teacher, arrowprops={**arrow, "connectionstyle": "arc3,rad=0.2"})
            axis.plot(x, y, "o", color=colors[name], markersize=9, markeredgecolor="white", zorder=3)
            text = f"{model.get('label') or name} {y:.1f} %"
            axis.annotate(text, (x, height), (10, 0), textcoords="offset points", va="center", zorder=4)
    return svg()


def targets(rows: Sequence[Mapping[str, Any]], reference: float | None = None) -> str:
    """Size, accuracy, time and estimated energy of exported files, a row for each file and a panel for each figure.

    Args:
        rows: Mappings with `label` and, where it is known, `bytes`, `accuracy` (0..1), `milliseconds` an image, and of an image in nJ
            `energy` (zeros skipped), `energy_dense` (nothing skipped) and `energy_twin` (the ANN twin, nothing skipped).
        reference: Accuracy of the Keras model, 0..1, drawn as a line.

    Returns:
        The SVG; panels for which no row has a figure are left out.

    Example:
        >>> svg = kd.plots.targets([{"label": "LiteRT float32", "bytes": 32460, "accuracy": 0.964, "milliseconds": 0.03}])
    """
    panels = [
        ("bytes", "Size (kB)", 1e-3, _bars),
        ("accuracy", "Test accuracy (%)", 100, _dots),
        ("milliseconds", "Time an image (ms)", 1, _bars),
        ("energy", "Energy an image (nJ)", 1, _energy_bars),
    ]
    known = [panel for panel in panels if any(row.get(panel[0]) is not None for row in rows)] or panels[:1]
    heights = range(len(rows))
    with _figure(9.4, 1.0 + 0.34 * max(2, len(rows)), columns=len(known)) as (_, axes, svg):
        for axis, (key, title, factor, draw) in zip(axes, known, strict=True):
            found = [(height, row) for height, row in zip(heights, rows, strict=True) if row.get(key) is not None]
            draw(axis, found if key == "energy" else [(height, factor * row[key]) for height, row in found])
            if key == "accuracy" and reference is not None:
                axis.axvline(100 * reference, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            axis.set(title=title, ylim=(len(rows) - 0.4, -0.6))
            axis.set_yticks(heights, [str(row["label"]) for row in rows] if axis is axes[0] else [""] * len(rows))
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0, labelcolor=INK)
            axis.xaxis.get_major_locator().set_params(nbins=4)
    return svg()


def differences(rows: Sequence[Mapping[str, Any]]) -> str:
    """The difference of each method to the student alone, a dot with its interval, the best on top.

    Args:
        rows: What `keras_snnkd.comparison.ranked` gives; rows without a difference are left out.

    Returns:
        The SVG; the dot is filled where the interval leaves out zero.

    Example:
        >>> svg = kd.plots.differences(run["comparison"])
    """
    shown = sorted((row for row in rows if row.get("difference") is not None), key=lambda row: row["difference"])
    with _figure(9.4, 0.9 + 0.26 * len(shown)) as (_, (axis,), svg):
        axis.axvline(0, color=MUTED, linewidth=1)
        for height, row in enumerate(shown):
            low, high = row.get("interval") or (row["difference"], row["difference"])
            clear = row.get("interval") is not None and (low > 0 or high < 0)
            color = MUTED if not clear else COLORS[2] if low > 0 else COLORS[4]
            axis.plot([100 * low, 100 * high], [height, height], color=color, linewidth=1.8)
            axis.plot(100 * row["difference"], height, "o", color=color, markersize=6, markerfacecolor=color if clear else "white")
        axis.set_yticks(range(len(shown)), [str(row.get("label") or row["name"]) for row in shown])
        axis.set(title="Test accuracy minus that of the student alone (points), with 95 % intervals")
        axis.set_ylim(-0.7, len(shown) - 0.3)
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
    return svg()


def anytime(results: Mapping[str, Mapping[str, Any]], colors: Mapping[str, str] | None = None) -> str:
    """Accuracy against time steps, a line for each model, with a diamond where it stops at its confidence threshold.

    Args:
        results: By model, what `Anytime.to_dict` gives.
        colors: By model; `palette` of the names by default.

    Returns:
        The SVG; the diamond stands at the mean number of steps used.

    Example:
        >>> svg = kd.plots.anytime({"student": kd.metrics.anytime(student, images, labels, calibration).to_dict()})
    """
    colors = colors or palette(list(results))
    with _figure(9.4, 3.3) as (figure, (axis,), svg):
        for name, result in results.items():
            accuracy = 100 * np.asarray(result["accuracy"], float)
            axis.plot(np.arange(1, len(accuracy) + 1), accuracy, "o-", color=colors[name], linewidth=1.8, markersize=4, label=name)
            if result["threshold"] is not None:
                x, y = result["mean_steps"], 100 * result["accuracy_at_threshold"]
                text = f"stopping early: {y:.1f} % in {x:.2f} steps"
                axis.plot(x, y, "D", color=colors[name], markersize=9, markeredgecolor="white", linewidth=0, zorder=3, label=text)
        axis.set(title="Test accuracy (%) against time steps", xlabel="time steps")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.margins(x=0.04, y=0.1)
        _legend(figure, axis)
    return svg()


def trade_off(
    candidates: Sequence[Mapping[str, Any]], front: Sequence[str], chosen: str | None = None, limits: Mapping[str, float] | None = None
) -> str:
    """Validation accuracy of a search's candidates against parameters and against operations.

    Args:
        candidates: Mappings with `name`, `accuracy`, `parameters`, `synaptic_operations` and `exceeded`.
        front: Names of those on the Pareto front, which are full dots; the others are rings, grey where they cost too much.
        chosen: The name of the one that is labelled.
        limits: Of the costs, drawn as lines.

    Returns:
        The SVG.

    Example:
        >>> svg = kd.plots.trade_off(search["candidates"], search["front"], search["chosen"])
    """
    panels = [("parameters", "parameters (logarithmic)"), ("synaptic_operations", "synaptic operations an image (logarithmic)")]
    with _figure(9.4, 3.5, columns=2) as (_, axes, svg):
        for axis, (cost, label) in zip(axes, panels, strict=True):
            axis.set_xscale("log")
            for row in candidates:
                color = COLORS[0] if not row.get("exceeded") else COLORS[6]
                face = color if row["name"] in front else "white"
                axis.plot(row[cost], 100 * row["accuracy"], "o", color=color, markerfacecolor=face, markersize=6)
                if row["name"] == chosen:
                    axis.plot(row[cost], 100 * row["accuracy"], "o", color=COLORS[4], markersize=11, markerfacecolor="none", label="chosen")
                    axis.legend(loc="lower right")
            limit = (limits or {}).get(cost)
            if limit:
                axis.axvline(limit, color=MUTED, linewidth=1, linestyle="--")
            axis.set(title="Validation accuracy (%)", xlabel=label)
            _decades(axis, [row[cost] for row in candidates] or [1])
    return svg()


def _decades(axis: Any, sizes: Sequence[float]) -> None:
    """Readable numbers on a logarithmic axis of sizes."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(sizes) < 200 * min(sizes) else (1,)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda size, _: _compact(size)))


@contextlib.contextmanager
def _figure(width: float, height: float, columns: int = 1, rows: int = 1, first: float = 1.0) -> Iterator[Any]:
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


def _bars(axis: Any, values: Any) -> None:
    """Horizontal bars with their numbers, from (height, value)."""
    for height, value in values:
        axis.barh(height, value, height=0.62, color=COLORS[0])
        axis.annotate(f"{value:.3g}", (value, height), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axis.margins(x=0.28)


def _energy_bars(axis: Any, rows: Any) -> None:
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


def _dots(axis: Any, values: Any) -> None:
    """Dots with their numbers, from (height, value), on an axis that starts near the smallest."""
    for height, value in values:
        axis.plot(value, height, "o", color=COLORS[0], markersize=7)
        axis.annotate(f"{value:.2f}", (value, height), (7, 0), textcoords="offset points", va="center", fontsize=8)
    lowest, highest = (pick(value for _, value in values) for pick in (min, max))
    room = max(0.5, highest - lowest)
    axis.set_xlim(lowest - 0.3 * room, highest + 0.9 * room)


def _legend(figure: Any, axis: Any) -> None:
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))


def _compact(size: float) -> str:
    """10000 -> 10 k."""
    for factor, unit in [(1e9, " G"), (1e6, " M"), (1e3, " k")]:
        if size >= factor:
            return f"{size / factor:g}{unit}"
    return f"{size:g}"


def _short(layer: str) -> str:
    """`block1_neuron` -> `block1`: the layers of a spike picture are neurons all the same."""
    return layer.removesuffix("_neuron").replace("_neuron", " ")


def _spread(values: Sequence[float], gap: float) -> list[float]:
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
