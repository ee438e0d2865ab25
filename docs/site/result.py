"""Draw the picture of the README, accuracy against energy: `python docs/site/result.py`.

`result.json` has the accuracy of each model's file of 8-bit weights and the operations for an image, with the command that made them, as
they stand in docs/results/digits.md. Energy is that of 8-bit arithmetic (docs/cost.md): where zeros are skipped for the spiking networks,
and for the ANN twin where nothing is.
"""

import json
import pathlib
from typing import Any

from keras_snnkd.report.plots.figure import COLORS, INK, MUTED, new_figure, spread

HERE = pathlib.Path(__file__).parent
MAC, AC = 0.3e-3, 0.1e-3
"""nJ."""

MARKS = "circle: spiking, where zeros are skipped; square: ANN, where nothing is"


def energy(row: dict[str, Any]) -> float:
    """nJ for an image."""
    return MAC * row["macs"] + AC * row["acs"]


def draw(rows: list[dict[str, Any]]) -> str:
    """The SVG."""
    energies, accuracies = [energy(row) for row in rows], [100 * row["accuracy"] for row in rows]
    room = max(0.6, 0.25 * (max(accuracies) - min(accuracies)))
    with new_figure(3.3) as (_, (axis,), svg):
        axis.set_xscale("log")
        for row, x, y, height, color in zip(rows, energies, accuracies, spread(accuracies, gap=room / 2), COLORS, strict=False):
            axis.plot(x, y, "s" if row["acs"] == 0 else "o", color=color, markersize=10, markeredgecolor="white")
            text = f"{row['name']}: {y:.1f} %, {x:.3g} nJ"
            axis.annotate(text, (x, height), (11, 0), textcoords="offset points", va="center", color=INK)
        axis.set(xlim=(min(energies) / 1.5, max(energies) * 5), ylim=(min(accuracies) - room, max(accuracies) + room))
        axis.set(title="Digits: test accuracy (%)", xlabel="estimated energy of an image's arithmetic in 8 bits (nJ, logarithmic)")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        if not all(row["acs"] for row in rows):
            axis.text(1, 1.02, MARKS, transform=axis.transAxes, ha="right", color=MUTED)
    return svg()


if __name__ == "__main__":
    found = json.loads((HERE / "result.json").read_text("utf-8"))
    (HERE.parent / "images" / "result.svg").write_text(draw(found) + "\n", encoding="utf-8")
