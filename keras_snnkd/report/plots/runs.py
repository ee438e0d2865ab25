"""How a model was trained and what it does: curves, firing rates, a spike raster."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_snnkd.report.plots.figure import COLORS, bars, legend, new_figure, palette, short, side_by_side

_RASTERS_A_ROW = 4
_MODELS_A_ROW = 3


def learning_curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    colors: Mapping[str, str] | None = None,
    kept: Mapping[str, int | None] | None = None,
    narrow: bool = False,
) -> str:
    """Validation accuracy and validation loss by epoch, a line for each model.

    Args:
        histories: By model, what `keras.callbacks.History.history` holds; `val_accuracy` and `val_loss` are drawn where they are there.
        colors: By model; `palette` of the names by default.
        kept: By model, the epoch whose weights are used, from 1.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG; the epoch whose weights are used carries a dot, or where that is not known the best one of each curve.

    Example:
        >>> svg = kd.plots.learning_curves({"student": history.history})
    """
    colors = colors or palette(list(histories))
    panels = [("val_accuracy", "Validation accuracy (%)", 100), ("val_loss", "Validation loss", 1)]
    drawn = {key for history in histories.values() for key, values in history.items() if values}
    panels = [panel for panel in panels if panel[0] in drawn] or panels[:1]
    height = 2.4 * len(panels) + 0.2 * len(histories) if narrow else 3.3
    with new_figure(height, *side_by_side(len(panels), narrow), narrow=narrow) as (figure, axes, svg):
        for axis, (key, title, factor) in zip(axes, panels, strict=True):
            for name, history in histories.items():
                values = np.array([math.nan if v is None else v for v in history.get(key) or []], float) * factor
                if not np.isfinite(values).any():
                    continue
                epochs = np.arange(1, len(values) + 1)
                axis.plot(epochs, values, color=colors[name], linewidth=1.8, label=name)
                best = np.flatnonzero(values == np.nanmax(values))[-1] if key == "val_accuracy" else np.nanargmin(values)
                epoch = (kept or {}).get(name) or epochs[best]
                axis.plot(epoch, values[epoch - 1], "o", color=colors[name], markersize=5)
            axis.set(title=title, xlabel="epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
        legend(figure, axes[0], narrow)
    return svg()


def firing_rates(rates: Mapping[str, Mapping[str, float]], colors: Mapping[str, str] | None = None, narrow: bool = False) -> str:
    """Mean firing rate of each layer, a panel for each model.

    Args:
        rates: By model, what `Activity.rates` holds: by layer, spikes per neuron and time step.
        colors: By model; `palette` of the names by default.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

    Returns:
        The SVG. Each panel has its model's own layers, since a student has not the layers of its teacher.

    Example:
        >>> svg = kd.plots.firing_rates({"student": kd.metrics.activity(student, images).rates})
    """
    colors = colors or palette(list(rates))
    shown = {name: layers for name, layers in rates.items() if layers}
    columns = 1 if narrow else min(max(1, len(shown)), _MODELS_A_ROW)
    rows = max(1, math.ceil(len(shown) / columns))
    counts = [max(2, len(layers)) for layers in shown.values()] or [2]
    tall = [max(counts[row * columns : (row + 1) * columns]) for row in range(rows)]
    heights = [0.9 + 0.24 * count for count in tall]
    with new_figure(sum(heights), columns, rows, narrow=narrow, heights=heights) as (_, axes, svg):
        for number, (axis, (name, layers)) in enumerate(zip(axes, shown.items(), strict=False)):
            values = [(height, 100 * rate) for height, rate in enumerate(layers.values())]
            logarithmic = bars(axis, values, colors[name], "{:.1f}".format)
            axis.set_yticks(range(len(layers)), [short(layer) for layer in layers])
            axis.set(title=name, ylim=(tall[number // columns] - 0.4, -0.6))
            axis.set_xlabel("firing rate (% of neuron-steps)" + (", logarithmic" if logarithmic else ""))
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0)
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
    return svg()


def raster(image: Any, layers: Mapping[str, Any], caption: str = "", narrow: bool = False) -> str:
    """One image beside the spikes that it causes in each layer; time runs to the right, a row is a neuron.

    Args:
        image: `[H, W, C]` or `[H, W]`, values 0..1; C is 1 or 3, of others the first channel is shown.
        layers: By layer, 0 and 1 as `[T, N]`; see `kd.metrics.raster`.
        caption: Below the image.
        narrow: Whether to draw it for a page of some 400 pixels, in place of one of 1,000.

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
    columns = min(len(layers), 1 if narrow else _RASTERS_A_ROW)
    rows = max(1, math.ceil(len(layers) / max(1, columns)))
    height, first = (2.1, 0.6) if narrow else (3.0, 1.25)
    with new_figure(height * rows, 1 + columns, rows, first, narrow) as (_, grid, svg):
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
            axis.set(xlim=(0.4, len(train) + 0.6), ylim=(train.shape[1] + 0.6, 0.4), title=short(layer), xlabel="time step")
            axis.set_ylabel("" if index % columns else "neuron")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(visible=False)
        for axis in [*unused, *free[len(layers) :]]:
            axis.set_axis_off()
    return svg()
