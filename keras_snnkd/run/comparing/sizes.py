"""What teaching gains by the student's size: one comparison for each of several widths, with the same teachers."""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import models
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.stage import Stage
from keras_snnkd.models.build import naming_widths
from keras_snnkd.report.quoted import write_quoted
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.comparing.teachers import ComparedTeachers
from keras_snnkd.run.plan import STUDENTS_TWIN


def with_widths(spec: Any, factor: float) -> dict[str, Any]:
    """A model's specification with so many times its widths, at least 1 each; that of a transformer stays a multiple of its heads.

    Example:
        >>> with_widths("convnet:8,pool,16", 0.5)["widths"]  # [4, "pool", 8]
    """
    spec = models.specification(spec)
    if spec["builder"] == "SpikingTransformer":
        heads = spec.get("heads", 2)
        return {**spec, "width": heads * max(1, round(factor * spec.get("width", 64) / heads))}
    widths = naming_widths(spec)["widths"]
    return {**spec, "widths": [width if width == "pool" else max(1, round(factor * width)) for width in widths]}


class Sizes(Comparison):
    """A `Comparison` for each of several sizes of the student: the recipe's widths times the factors in `sizes`.

    Teachers are trained once, but for the student's ANN twin, of which every size has its own. The folder gets their stages, and for each
    factor a folder `size<f>` that is one of a comparison, in which every arm chooses for itself if the recipe says so. `results.json` has
    the arms of all sizes in `comparison`, with their parameters in the label, and in `sizes` the rows for each; `report.html` draws the
    difference to the student alone against the number of parameters.

    Args:
        recipe: With mode `"compare"` and `sizes`.
        folder, console, command: See `Experiment`.

    Example:
        >>> Sizes(kd.Recipe(mode="compare", objectives=["hinton"], sizes=[0.5, 1, 2]), "runs/sizes").run()["sizes"]
    """

    may_change = (*Comparison.may_change, "sizes")

    def check(self) -> dict[str, Distiller]:
        """Build everything, train nothing; the distillers by stage, those of students with their size before the name."""
        teachers = super().check()
        found = {stage.name: teachers[stage.name] for stage in self.stages()}
        given = {name: distiller.student for name, distiller in found.items() if name != STUDENTS_TWIN} | self._from_file
        for factor in self.recipe.sizes or ():
            one = self._of_size(factor, given)
            found.update({f"{one.folder.name}/{name}": distiller for name, distiller in one.check().items()})
            self.epochs.update({f"{one.folder.name}/{name}": epochs for name, epochs in one.epochs.items()})
        return found

    def run(self, resume: bool = False) -> dict[str, Any]:
        """Train the teachers, then compare at every size, and report.

        Args:
            resume: Whether to go on with what the folder holds. There may be other methods, more seeds and more sizes than before.

        Returns:
            What `report.html` shows, as plain data; also in `results.json`.

        Raises:
            KDError: See `Comparison.run`.
        """
        self._prepare()
        self._refuse(resume)
        self.check()
        factors = self.recipe.sizes or ()
        names = [_folder(factor) for factor in factors]
        with self._at_work(resume, True, "results.json", "report.html", "comparison.csv", "comparison.tex", "logs", *names):
            self.recipe.save(self.folder / "recipe.json")
            with contextlib.ExitStack() as closing:
                teachers = self._train_teachers(resume, closing)
            found = {factor: self._of_size(factor, teachers).run(resume=True) for factor in factors}
            content = {**self._about(f"{self._title} at {len(found)} sizes"), **_together(found)}
            trained = sum(result.record["seconds"] for result in self.results.values())
            content["seconds"] = round(trained + sum(one["seconds"] for one in found.values()), 1)
            self._write(content)
            write_quoted(self.folder, content["comparison"])
        return content

    def _stages_trained_once(self) -> list[Stage]:
        return [stage for stage in self.stages() if stage.name != STUDENTS_TWIN]

    def _of_size(self, factor: float, teachers: dict[str, keras.Model]) -> "_OfSize":
        """The comparison at one size."""
        student = with_widths(self.recipe.student, factor)
        recipe = dataclasses.replace(self.recipe, student=student, sizes=None)
        one = _OfSize(recipe, self.folder / _folder(factor), self.console, self.command)
        one.taught_by = teachers, {name: self.folder / name / "model.keras" for name in teachers} | self.teachers.files
        vars(one)["data"] = self.data
        return one


class _OfSize(Comparison):
    """A comparison whose teachers are there already, all but the student's ANN twin.

    Args:
        recipe, folder, console, command: See `Experiment`.
    """

    taught_by: tuple[dict[str, keras.Model], dict[str, Path]] = ({}, {})
    """The teachers and their files, by name."""

    @functools.cached_property
    def _from_file(self) -> dict[str, keras.Model]:
        return self.taught_by[0]

    @functools.cached_property
    def teachers(self) -> ComparedTeachers:
        """Those that have been trained for all sizes."""
        return ComparedTeachers(self.recipe, self.arms.values(), files=self.taught_by[1])


def _folder(factor: float) -> str:
    return f"size{factor:g}"


def _together(found: dict[float, dict[str, Any]]) -> dict[str, Any]:
    """The results of all sizes in one: teachers once, and rows that say their size."""
    first = next(iter(found.values()))
    sizes = [{"factor": factor, "parameters": _parameters(one["comparison"]), "rows": one["comparison"]} for factor, one in found.items()]
    rows, teachers = [], [row for row in first["models"] if row["name"] != STUDENTS_TWIN]
    for size in sizes:
        words = f"{size['parameters']:,} parameters"
        rows += [{**row, "name": f"{row['name']}_{_folder(size['factor'])}", "label": f"{row['label']}, {words}"} for row in size["rows"]]
        twins = (row for row in found[size["factor"]]["models"] if row["name"] == STUDENTS_TWIN)
        teachers += [{**row, "name": f"{row['name']}_{_folder(size['factor'])}", "label": f"{row['label']}, {words}"} for row in twins]
    notes = [f"{_folder(factor)}: {note}" for factor, one in found.items() for note in one["notes"]]
    return {"models": teachers, "comparison": rows, "sizes": sizes, "notes": notes}


def _parameters(rows: Sequence[dict[str, Any]]) -> int:
    return round(next(row["parameters"] for row in rows if row["parameters"]))
