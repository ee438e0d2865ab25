"""What a run writes: one JSON, the same as tables in Markdown, and one picture."""

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import vector_width

NOTHING = "\N{EN DASH}"


def write(result: dict[str, Any], folder: Path) -> str:
    """Write `results.json`, `results.md` and, if something was measured, `results.svg`.

    Returns:
        The Markdown.
    """
    from benchmarks.picture import picture

    folder.mkdir(parents=True, exist_ok=True)
    Path(folder, "results.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    text = markdown(result)
    Path(folder, "results.md").write_text(text, "utf-8")
    drawn = picture(result)
    if drawn:
        Path(folder, "results.svg").write_text(drawn, "utf-8")
    return text


def markdown(result: dict[str, Any]) -> str:
    """Targets, then the numbers behind them, then who did not take part."""
    machine, settings = result["machine"], result["settings"]
    lines = [
        f"{machine['processor']} with {vector_width(machine['instructions'])}, {machine['cores']} cores, {machine['memory GB']} GB; "
        f"{settings['threads']} threads for everyone, {settings['rounds']} rounds; {result['date']}.",
        ", ".join(f"{name} {version}" for name, version in result["versions"].items()) + ".",
        "",
        "| what | median | quartiles | target | met |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    for row in result["rows"].values():
        for measure in row["measures"].values():
            unit = measure["unit"]
            limit = NOTHING if measure["limit"] is None else f"{measure['comparison']} {measure['limit']:g} {unit}".rstrip()
            met = {None: NOTHING, True: "yes", False: "**no**"}[measure["met"]]
            quartiles = f"{number(measure['q1'])} to {number(measure['q3'])}"
            lines.append(f"| {measure['title']} | {number(measure['median'])} {unit} | {quartiles} | {limit} | {met} |")
    lines += ["", "| row | who | median | quartiles | remarks |", "| --- | --- | ---: | ---: | --- |"]
    for name, row in result["rows"].items():
        for who, values in row["values"].items():
            scale, unit = (1e6, "MB") if row["unit"] == "bytes" else (1e-3, "ms") if values["median"] < 1 else (1, "s")
            median, low, high = (number(values[key] / scale) for key in ("median", "q1", "q3"))
            lines.append(f"| {name} | {who} | {median} {unit} | {low} to {high} | {_remarks(row['facts'].get(who))} |")
        more = {who: facts for who, facts in row["facts"].items() if who not in row["values"]}
        lines += [f"| {name} | {who} | | | {_remarks(facts)} |" for who, facts in more.items()]
        lines += [f"| {name} | {who} | | | left out: {' '.join(why.split())[:300]} |" for who, why in row["skipped"].items()]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three digits that count: 0.00123, 1.23, 12.3, 1230."""
    return f"{float(f'{value:.3g}'):g}" if abs(value) < 1e5 else f"{value:.3g}"


def _remarks(facts):
    if isinstance(facts, dict):
        return ", ".join(f"{name} {_remarks(value)}" for name, value in facts.items())
    if isinstance(facts, list):
        return ", ".join(map(_remarks, facts))
    if isinstance(facts, int):
        return f"{facts:,}"
    return number(facts) if isinstance(facts, float) else str(facts or "")
