"""Tables and pictures of the pages of results, made of the files in `docs/results/data`.

A page has `<!-- arms: NAME -->` above a table that is made of `docs/results/data/NAME.json`; the table ends at the first empty line. After
a further `:` there may be the names of some arms, with `;` between them, in the order in which they are to stand; `*words` are all whose
name ends with `, words`, the best first, and are called what is before that. Of each
`<!-- energy: NAME: ... -->` in the README a panel is made in the picture of accuracy against energy.

Of files with ways to compress (see `ways`), `<!-- ways: NAME -->` stands above the table of all, and `<!-- steps: NAME -->` above that of
what each time step costs; each has a picture, `compression_NAME.svg`.
"""

import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evidence import cells, ways
from benchmarks.evidence.picture import accuracy_against_energy
from benchmarks.evidence.runs import FEW_IMAGES
from keras_snnkd.files.staging import read_json
from keras_snnkd.report import formats, plots
from keras_snnkd.report.columns import Column
from keras_snnkd.report.fitting import in_markdown

TABLE = re.compile(r"(<!-- arms: ([\w.-]+)(?:: ([^\n]+))? -->\n)(?:[^\n]+\n)*")

WAYS = re.compile(r"(<!-- (ways|steps): ([\w.-]+) -->\n)(?:[^\n]+\n)*")

PANEL = re.compile(r"<!-- energy: ([\w.-]+): ([^\n]+) -->")

OF_WAYS = {"ways": ways.columns, "steps": ways.by_step}

Arm = dict[str, Any]


def rebuild(root: Path) -> list[Path]:
    """Write the tables of all pages and all pictures anew; the paths of what has changed."""
    changed = []
    for path, content in [*pages(root), *pictures(root)]:
        if not path.is_file() or path.read_text("utf-8") != content:
            path.write_text(content, "utf-8")
            changed.append(path)
    return changed


def pages(root: Path) -> Iterator[tuple[Path, str]]:
    """Each page that has such tables, as it should be."""
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = path.read_text("utf-8")
        if TABLE.search(text) or WAYS.search(text):
            text = TABLE.sub(lambda match: match[1] + _table(root, match[2], match[3]), text)
            yield path, WAYS.sub(lambda match: match[1] + in_markdown(OF_WAYS[match[2]](load_ways(root, match[3]))), text)


def pictures(root: Path) -> Iterator[tuple[Path, str]]:
    """Each picture: of every file the differences to the student alone, and of some arms accuracy against energy."""
    images = root / "docs" / "images"
    for path in sorted((root / "docs" / "results" / "data").glob("*.json")):
        arms = load(root, path.stem)
        others = [arm for arm in arms if FEW_IMAGES not in arm["arm"]]
        for name, shown in ((path.stem, others), (f"{path.stem}_small", _ending(arms, FEW_IMAGES))):
            if rows := _differences(shown):
                yield images / f"differences_{name}.svg", plots.differences(rows) + "\n"
        if found := load_ways(root, path.stem):
            yield images / f"compression_{path.stem}.svg", ways.picture(found) + "\n"
    panels = {name: _some(load(root, name), wanted) for name, wanted in PANEL.findall((root / "README.md").read_text("utf-8"))}
    if panels:
        yield images / "accuracy_energy.svg", accuracy_against_energy(panels) + "\n"


def load(root: Path, name: str) -> list[Arm]:
    """The arms of a file; none of one with ways to compress."""
    return read_json(root / "docs" / "results" / "data" / f"{name}.json").get("arms", [])


def load_ways(root: Path, name: str) -> list[Arm]:
    """The ways to compress of a file; none of one with arms."""
    return read_json(root / "docs" / "results" / "data" / f"{name}.json").get("ways", [])


def _table(root: Path, name: str, wanted: str | None) -> str:
    arms = load(root, name)
    return in_markdown(columns(_some(arms, wanted) if wanted else arms))


def _some(arms: Sequence[Arm], wanted: str) -> list[Arm]:
    """The arms of these names, with `;` between them, or those of `*words`."""
    if wanted.startswith("*"):
        return _ending(arms, wanted[1:])
    by_name = {arm["arm"]: arm for arm in arms}
    return [by_name[name.strip()] for name in wanted.split(";")]


def _ending(arms: Sequence[Arm], words: str) -> list[Arm]:
    """The arms whose name ends with some words, without these, the best first."""
    found = [{**arm, "arm": arm["arm"].removesuffix(f", {words}")} for arm in arms if arm["arm"].endswith(f", {words}")]
    return sorted(found, key=lambda arm: -statistics.fmean(arm["accuracy"]))


def columns(arms: Sequence[Arm]) -> list[Column]:
    """Header and cells of the table of arms; steps until an answer is sure where some arm has them."""
    early = [[cells.steps(arm.get("steps_used"), arm.get("accuracy_early"))] for arm in arms]
    return [
        ("arm", [[arm["arm"]] for arm in arms]),
        ("seeds", [[formats.count(len(arm["seeds"]))] for arm in arms]),
        ("test accuracy", [[cells.accuracy(arm["accuracy"])] for arm in arms]),
        ("points above the student alone (95 %)", [[cells.difference(arm["difference"])] for arm in arms]),
        ("parameters", [[formats.count(arm["parameters"])] for arm in arms]),
        ("T", [[formats.count(arm["timesteps"])] for arm in arms]),
        *([("steps until sure", early)] if any(arm.get("steps_used") for arm in arms) else []),
        ("spikes", [[formats.count(arm["spikes"])] for arm in arms]),
        ("operations", [[formats.large(arm["operations"])] for arm in arms]),
        ("energy", [[formats.nanojoules(arm["energy"])] for arm in arms]),
        ("file", [[formats.size(arm["bytes"])] for arm in arms]),
        ("training", [[formats.duration(arm["seconds"])] for arm in arms]),
    ]


def _differences(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """The rows of the picture of differences."""
    rows = []
    for arm in arms:
        if (found := arm["difference"]) and found["low"] is not None:
            interval = [found["low"] / 100, found["high"] / 100]
            rows.append({"name": arm["arm"], "difference": found["mean"] / 100, "interval": interval})
    return rows
