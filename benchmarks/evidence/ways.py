"""What each way to compress costs, from the rows of `python -m benchmarks.compression` to `docs/results/data/<name>.json`.

    {"command", "about", "ways": [{"way", "taught", "seeds": [...], "accuracy": [...], "difference": {"mean", "low", "high"}, "zeros",
                                   "bytes", "operations", "energy", "on_device": [...], "by_step": [...]}]}

`taught` is true for students that the student before taught, false for labels alone, null for the student itself. `accuracy`, in percent,
is one a seed, and so is `on_device`, the mean over draws of a device. `difference`, in points, is that of the taught to labels alone of the
same seeds, with its interval of 95 %. `zeros` (in percent), `bytes` (packed), `operations` and `energy` (nJ) are of the first seed;
`by_step` is the accuracy after each step, of the first seed. What is not known is null.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence import cells
from keras_snnkd.files.staging import write_json
from keras_snnkd.report import formats
from keras_snnkd.report.columns import Column
from keras_snnkd.report.plots.figure import COLORS, INK, MUTED, decades, new_figure
from keras_snnkd.run.intervals import paired

Way = dict[str, Any]

TAUGHT, ALONE = COLORS[0], COLORS[1]

PANELS = {"operations": "operations an image", "bytes": "packed size (bytes)", "energy": "energy of an image (nJ)"}


def collect(name: str, rows: Sequence[Mapping[str, Any]], command: str, about: str, root: Path) -> Path:
    """Write the figures of measured ways.

    Args:
        name: Of the file.
        rows: As `benchmarks.compression` appends them.
        command: That made them.
        about: The images and the machine, in a sentence.
        root: Of the repository.

    Returns:
        The file.
    """
    arms: dict[tuple[str, bool | None], list[Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault((row["words"], row["taught"]), []).append(row)
    ways = [_way(*arm, found, arms.get((arm[0], False), [])) for arm, found in arms.items()]
    path = root / "docs" / "results" / "data" / f"{name}.json"
    write_json(path, {"command": command, "about": about, "ways": ways})
    return path


def _way(words: str, taught: bool | None, rows: Sequence[Mapping[str, Any]], alone: Sequence[Mapping[str, Any]]) -> Way:
    first = next((row for row in rows if row.get("synaptic_operations")), {})
    operations = first.get("synaptic_operations")
    return {
        "way": words,
        "taught": taught,
        "seeds": [row.get("seed", 0) for row in rows],
        "accuracy": [_percent(row["accuracy"]) for row in rows],
        "difference": _difference(rows, alone) if taught else None,
        "zeros": _percent(first.get("connection_sparsity")),
        "bytes": first.get("compressed_bytes"),
        "operations": round(operations["effective_macs"] + operations["effective_acs"]) if operations else None,
        "energy": round(first["energy"]["effective"], 2) if first else None,
        "on_device": [_percent(row["on_device"]["mean"]) for row in rows if "on_device" in row] or None,
        "by_step": [_percent(value) for value in first["by_step"]] if "by_step" in first else None,
    }


def _difference(rows: Sequence[Mapping[str, Any]], alone: Sequence[Mapping[str, Any]]) -> dict[str, float | None] | None:
    """Of the taught to labels alone, where both have a seed; on the device, where that is what counts."""
    of = {row.get("seed"): _counted(row) for row in alone}
    pairs = [(_counted(row), of[row.get("seed")]) for row in rows if row.get("seed") in of]
    if not pairs:
        return None
    mean, interval = paired(*zip(*pairs, strict=True))
    low, high = interval or (None, None)
    return {"mean": round(mean, 4), "low": low and round(low, 4), "high": high and round(high, 4)}


def _counted(row: Mapping[str, Any]) -> float:
    return 100 * (row["on_device"]["mean"] if "on_device" in row else row["accuracy"])


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def columns(ways: Sequence[Way]) -> list[Column]:
    """Header and cells of the table."""
    who = {True: "the student before", False: "labels alone", None: formats.NOTHING}
    return [
        ("way", [[f"`{way['way']}`" if way["taught"] is not None else way["way"]] for way in ways]),
        ("taught by", [[who[way["taught"]]] for way in ways]),
        ("seeds", [[formats.count(len(way["seeds"]))] for way in ways]),
        ("test accuracy", [[cells.accuracy(way["accuracy"])] for way in ways]),
        ("on the device", [[cells.accuracy(way["on_device"]) if way["on_device"] else formats.NOTHING] for way in ways]),
        ("points by the teacher (95 %)", [[cells.difference(way["difference"])] for way in ways]),
        ("weights that are 0", [[formats.NOTHING if way["zeros"] is None else f"{way['zeros']:.1f} %"] for way in ways]),
        ("packed size", [[formats.size(way["bytes"])] for way in ways]),
        ("operations", [[formats.large(way["operations"])] for way in ways]),
        ("energy", [[formats.nanojoules(way["energy"])] for way in ways]),
    ]


def by_step(ways: Sequence[Way]) -> list[Column]:
    """Header and cells of what each step cost: students of fewer steps, and those that answer after each of their steps."""
    shown = [way for way in ways if way["by_step"] or way["way"].split(":")[0] == "steps"]
    most = max((len(way["by_step"] or ()) for way in shown), default=0)
    who = {True: ", taught", False: ", labels alone", None: ""}
    cells = [_after_steps(way, most) for way in shown]
    return [
        ("student", [[f"{way['way']}{who[way['taught']]}"] for way in shown]),
        *((f"T = {step + 1}", [[row[step]] for row in cells]) for step in range(most)),
    ]


def _after_steps(way: Way, most: int) -> list[str]:
    if way["by_step"]:
        return [f"{value:.2f} %" for value in way["by_step"]]
    steps = int(way["way"].split("timesteps=")[-1])
    return [cells.accuracy(way["accuracy"]) if step == steps else "" for step in range(1, most + 1)]


def picture(ways: Sequence[Way]) -> str:
    """Accuracy against operations, packed size and energy, as SVG: a number for each way, blue where it was taught."""
    shown = [way for way in ways if way["operations"]]
    numbers = {way: number for number, way in enumerate(dict.fromkeys(way["way"] for way in shown if way["taught"] is not None), start=1)}
    with new_figure(4.2, columns=len(PANELS)) as (figure, axes, svg):
        for axis, (cost, label) in zip(axes, PANELS.items(), strict=True):
            for way in shown:
                _point(axis, way, cost, numbers)
            axis.set_xscale("log")
            decades(axis, [way[cost] for way in shown])
            axis.set(xlabel=label)
            axis.margins(x=0.12, y=0.12)
        axes[0].set(ylabel="test accuracy (%)")
        names = [f"{number} {way}" for way, number in numbers.items()]
        figure.supxlabel("   ".join(names), fontsize=6, wrap=True, color=MUTED)
    return svg()


def _point(axis: Any, way: Way, cost: str, numbers: Mapping[str, int]) -> None:
    color = {True: TAUGHT, False: ALONE, None: INK}[way["taught"]]
    place = way[cost], statistics.fmean(way["accuracy"])
    axis.plot(*place, "o", color=color, markersize=5, zorder=3)
    text = str(numbers.get(way["way"], way["way"]))
    axis.annotate(text, place, (4, 3), textcoords="offset points", color=color, fontsize=7, zorder=4)
