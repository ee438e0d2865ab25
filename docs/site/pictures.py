"""Draw the pictures of `docs/concepts.md`: `python docs/site/pictures.py`, from the root of the repository.

Plain NumPy: the traces are those of the equations that stand beside the pictures.
"""

import pathlib
from typing import Any

import numpy as np

from keras_snnkd.report.plots.figure import COLORS, INK, MUTED, new_figure

FOLDER = pathlib.Path(__file__).parents[1] / "images"


def lif(current: Any, tau: float = 2.0, threshold: float = 1.0) -> tuple[Any, Any]:
    """Membrane potentials before the reset, and spikes, of one LIF neuron with a hard reset."""
    v, potentials, spikes = 0.0, [], []
    for x in current:
        h = v + (x - v) / tau
        s = float(h >= threshold)
        potentials.append(h)
        spikes.append(s)
        v = 0.0 if s else h
    return np.array(potentials), np.array(spikes)


def neuron() -> str:
    """Current, potential and spikes of a neuron."""
    steps = np.arange(1, 31)
    current = np.where((steps > 4) & (steps < 14), 1.4, np.where(steps > 19, 2.4, 0.3))
    potential, spikes = lif(current, tau=4.0)
    with new_figure(3.6, 1, 3) as (_, (top, middle, bottom), svg):
        top.step(steps, current, where="mid", color=COLORS[0])
        top.set(title="current x[t]", ylim=(0, 2.8))
        middle.plot(steps, potential, "o-", color=COLORS[2], markersize=3, linewidth=1.2)
        middle.axhline(1.0, color=MUTED, linestyle="--", linewidth=1)
        middle.set(title="membrane potential h[t], with the threshold", ylim=(0, 1.5))
        bottom.vlines(steps[spikes > 0], 0, 1, color=COLORS[4], linewidth=3)
        bottom.set(title="spikes s[t]", ylim=(0, 1.2), yticks=[], xlabel="time step")
        for axis in (top, middle, bottom):
            axis.set_xlim(0.5, 30.5)
    return svg()


def surrogate() -> str:
    """The step, and three derivatives in place of its own."""
    u = np.linspace(-2, 2, 401)
    shown = {
        "atan": 1 / (1 + (np.pi * u) ** 2),
        "triangle": np.maximum(1 - np.abs(u), 0),
        "sigmoid": 4 * (q := 1 / (1 + np.exp(-4 * u))) * (1 - q),
    }
    with new_figure(2.8, 2, 1) as (_, (left, right), svg):
        left.plot(u, u >= 0, color=INK)
        left.set(title="forward: a step", xlabel="u = h - threshold", yticks=[0, 1])
        for (name, values), color in zip(shown.items(), COLORS, strict=False):
            right.plot(u, values, color=color, label=name)
        right.set(title="backward: a surrogate's derivative", xlabel="u = h - threshold")
        right.legend(loc="upper right")
    return svg()


def _box(axis: Any, x: float, y: float, width: float, height: float, text: str, color: str = COLORS[0]) -> None:
    from matplotlib.patches import FancyBboxPatch

    axis.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08", facecolor="white", edgecolor=color))
    axis.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=8.5)


def _arrow(axis: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1})


def _blank(axis: Any, width: float, height: float) -> None:
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()


def folding() -> str:
    """Time folded into the batch for a layer, and unfolded for a neuron."""
    with new_figure(2.4) as (_, (axis,), svg):
        _blank(axis, 12, 3)
        for x, title, rows, columns in ((0.2, "[B, T, ...]", 2, 4), (9.2, "[B, T, ...]", 2, 4)):
            for row in range(rows):
                for column in range(columns):
                    _box(axis, x + 0.6 * column, 1.5 - 0.7 * row, 0.5, 0.55, f"{'ab'[row]}{column + 1}", COLORS[row])
            axis.text(x + 1.15, 2.4, title, ha="center", color=MUTED)
        for number in range(8):
            _box(axis, 3.6 + 0.55 * number, 1.15, 0.46, 0.55, f"{'ab'[number // 4]}{number % 4 + 1}", COLORS[number // 4])
        axis.text(5.8, 2.4, "[B T, ...]: one convolution for all steps", ha="center", color=MUTED)
        _arrow(axis, (2.7, 1.4), (3.5, 1.4))
        _arrow(axis, (8.1, 1.4), (9.0, 1.4))
        axis.text(10.3, 0.2, "the neuron goes along T", ha="center", color=MUTED)
    return svg()


def gate() -> str:
    """What a file passes before it gets its name."""
    steps = ["Keras model", "converter,\nin its own process", "file without\na name", "runs on\nreal images", "same classes?\nsame spikes?"]
    with new_figure(2.2) as (_, (axis,), svg):
        _blank(axis, 14.2, 2.6)
        for number, text in enumerate(steps):
            _box(axis, 0.1 + 2.35 * number, 1.0, 1.9, 1.0, text, COLORS[4] if number == 4 else COLORS[0])
            if number:
                _arrow(axis, (2.35 * number - 0.32, 1.5), (2.35 * number + 0.06, 1.5))
        _box(axis, 12.1, 1.5, 1.9, 0.8, "yes: it gets\nits name", COLORS[2])
        _box(axis, 12.1, 0.3, 1.9, 0.8, "no: an error, and\nno file", COLORS[6])
        _arrow(axis, (11.45, 1.6), (12.05, 1.9))
        _arrow(axis, (11.45, 1.4), (12.05, 0.7))
    return svg()


def tap() -> str:
    """Objectives between taps of teacher and student."""
    with new_figure(2.6) as (_, (axis,), svg):
        _blank(axis, 12, 4)
        for y, who, color, widths in ((2.7, "teacher, stays as it is", COLORS[0], 1.9), (0.5, "student, learns", COLORS[2], 1.5)):
            axis.text(0.1, y + 1.05, who, color=MUTED)
            for number, text in enumerate(("block 1", "block 2", "neurons", "logits", "output")):
                _box(axis, 0.1 + 2.4 * number, y, widths, 0.8, text, color)
                if number:
                    _arrow(axis, (2.4 * number - 2.3 + widths, y + 0.4), (2.4 * number + 0.06, y + 0.4))
        for number, text in ((2, "spike_train"), (3, "soft_targets")):
            x = 0.85 + 2.4 * number
            axis.annotate("", (x, 1.35), (x, 2.65), arrowprops={"arrowstyle": "<|-|>", "color": COLORS[4], "linewidth": 1.2})
            axis.text(x + 0.12, 2.0, text, color=COLORS[4], va="center", fontsize=8.5)
        axis.text(10.6, 1.6, "labels", color=COLORS[4], fontsize=8.5, ha="center")
    return svg()


def main() -> None:
    """Write all of them."""
    for draw in (neuron, surrogate, folding, tap, gate):
        (FOLDER / f"{draw.__name__}.svg").write_text(draw() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
