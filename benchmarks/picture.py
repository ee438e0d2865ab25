"""The picture: a bar for each ratio, with a line where its target is. The colours are those of `keras_snnkd.report.plots`."""

import io
from typing import Any

INK, MUTED, LINE, MET, MISSED, OPEN = "#1f2933", "#616e7c", "#e4e7eb", "#0072B2", "#D55E00", "#999999"

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "keras_snnkd",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "xtick.color": MUTED,
}

PANELS = {"at most": "Cost, as a multiple of what it is compared with: less is better", "at least": "Speed against peers: more is better"}


def picture(result: dict[str, Any]) -> str:
    """Bars of all measures that are ratios, in two panels, by row; whiskers are quartiles.

    Returns:
        The SVG; empty if nothing was measured.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    measures = [(name, m) for name, row in result["rows"].items() for m in row["measures"].values() if m["unit"] == "x"]
    panels = {kind: [(name, m) for name, m in measures if m["comparison"] == kind] for kind in PANELS}
    panels = {kind: bars for kind, bars in panels.items() if bars}
    if not panels:
        return ""
    with matplotlib.rc_context(STYLE):
        heights = [len(bars) + 1.2 for bars in panels.values()]
        figure = Figure(figsize=(9.4, 0.36 * sum(heights) + 0.5), layout="constrained", facecolor="white")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights).ravel()
        for axis, (kind, bars) in zip(axes, panels.items(), strict=True):
            _draw(axis, bars)
            axis.set_title(PANELS[kind])
        page = io.StringIO()
        figure.savefig(page, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return page.getvalue()


def _draw(axis, bars):
    """One bar below the other, rows a little apart."""
    place, places, before = 0.0, [], None
    for name, _ in bars:
        place += 1.0 if name == before or before is None else 1.4
        places.append(place)
        before = name
    largest = max(max(m["q3"], m["limit"] or 0) for _, m in bars)
    for place, (_, m) in zip(places, bars, strict=True):
        median, limit = m["median"], m["limit"]
        color = {None: OPEN, True: MET, False: MISSED}[m["met"]]
        axis.barh(place, median, height=0.62, color=color)
        axis.plot([m["q1"], m["q3"]], [place, place], color=INK, linewidth=1.2)
        if limit is not None:
            axis.plot([limit, limit], [place - 0.45, place + 0.45], color=INK, linewidth=2)
        axis.annotate(
            f"{median:.2f}" + (f"  (target {m['comparison']} {limit:g})" if limit is not None else ""),
            (max(m["q3"], limit or 0), place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.set_yticks(places, [m["title"] for _, m in bars])
    axis.tick_params(axis="y", length=0)
    axis.set(ylim=(places[-1] + 0.7, places[0] - 0.7), xlim=(0, 1.4 * largest))
