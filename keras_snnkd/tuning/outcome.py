"""What a search has found: the candidates, the Pareto front with its files, and the choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import models, report
from keras_snnkd._types import Array
from keras_snnkd.distill.chain import StageResult
from keras_snnkd.errors import OutputError
from keras_snnkd.files.staging import read_json, staged
from keras_snnkd.metrics.pareto import front
from keras_snnkd.report import plots
from keras_snnkd.run.finished.measuring import EXPORT_LATER
from keras_snnkd.run.recipes.recipe import Recipe, ResolvedRecipe
from keras_snnkd.run.watching.attempt import attempt, reason
from keras_snnkd.run.watching.progress import working
from keras_snnkd.training.ctrl_c import raise_if_heard
from keras_snnkd.tuning.budget import Budget, file_costs

TRIALS = "trials"
"""Folder of the candidates, each a stage of its own."""

CANDIDATE = "candidate.json"
"""In each candidate's folder: its recipe and what was measured."""

CHOSEN = "chosen.json"
"""The recipe of the chosen student."""

FRONT = "front.svg"
"""A picture of the candidates."""


class Outcome:
    """The candidates in the folder of a search.

    Args:
        folder: Of the search.
        trials: Names of the candidates, in order.
        budget: What the chosen one may cost.
    """

    def __init__(self, folder: Path, trials: Sequence[str], budget: Budget) -> None:
        self.folder, self.budget = folder, budget
        paths = [folder / TRIALS / f"trial_{name}" / CANDIDATE for name in trials]
        rows = [read_json(path) for path in paths if path.exists()]
        self.trained = [row for row in rows if "failed" not in row]
        self.failed = [row for row in rows if "failed" in row]

    def measured(self, images: np.ndarray, console: Any) -> tuple[dict[str, Any], list[str]]:
        """Export the front, choose, write `chosen.json` and `front.svg`.

        The chosen student is the most accurate that keeps the budget, of equal ones that with the fewest parameters.

        Args:
            images: On which files are compared with Keras.
            console: A `rich.console.Console`.

        Returns:
            More of the `search` of a run (see `keras_snnkd.report`), and notes.
        """
        notes = [f"trial {row['name']} failed: {row['failed']}" for row in self.failed]
        best: list[Any] = list(front([row for row in self.trained if not row["exceeded"]]))
        for row in best:
            with working(f"exporting trial {row['name']}", console):
                self._export(row, images, notes)
            row["exceeded"] = self.budget.exceeded(row)
        chosen = next((row for row in best if not row["exceeded"]), None)
        place = self.folder / CHOSEN
        if chosen:
            Recipe.from_dict(chosen["recipe"]).save(place)
        else:
            place.unlink(missing_ok=True)
        found: dict[str, Any] = {
            "candidates": self.trained,
            "front": [row["name"] for row in best],
            "chosen": chosen and chosen["name"],
            "chosen_recipe": chosen and place.as_posix(),
        }
        with attempt(f"{FRONT} was not drawn", notes), staged(self.folder / FRONT) as (file,):
            file.write_text(plots.trade_off(found["candidates"], found["front"], found["chosen"], self.budget.limits), encoding="utf-8")
        return found, notes

    def seconds_before(self, results: Sequence[StageResult]) -> float:
        """How long the candidates trained that earlier processes, or other machines, have finished."""
        known = {result.name for result in results}
        return sum(row.get("seconds") or 0.0 for row in self.trained if f"trial_{row['name']}" not in known)

    def closest(self) -> str:
        """In words, the candidate that costs least too much."""
        if not self.trained:
            return "none could be trained"
        row = min(self.trained, key=self.budget.excess)
        return f"the closest, {row['name']}, has {'; '.join(row['exceeded'])}"

    def _export(self, row: dict[str, Any], images: Array, notes: list[str]) -> None:
        """Add bytes and latency of the trained student's own file."""
        if keras.backend.backend() != "tensorflow":
            if EXPORT_LATER not in notes:
                notes.append(EXPORT_LATER)
            return
        stage = row.get("stage", f"trial_{row['name']}")  # earlier versions made no candidate cheaper
        model = models.load(self.folder / TRIALS / stage / "model.keras")
        path = self.folder / "export" / f"trial_{row['name']}_float32.tflite"
        try:
            row.update(file_costs(model, path, images), file=path.relative_to(self.folder).as_posix())
        except OutputError:
            raise
        except Exception as error:  # whatever converters and runtimes raise
            raise_if_heard(error)
            notes.append(f"trial {row['name']}: {reason(error)}")


def widths(recipe: ResolvedRecipe) -> str:
    """The student's widths, as in a short form."""
    return ",".join(map(str, models.specification(recipe.student)["widths"]))


def line(row: dict[str, Any], recipe: ResolvedRecipe, trials: int) -> str:
    """What a person reads of a finished candidate."""
    taught = "+".join(entry["objective"] for entry in recipe.objectives) or "labels alone"
    over = f"; over the budget: {'; '.join(row['exceeded'])}" if row["exceeded"] else ""
    return (
        f"[trial {int(row['name']) + 1}/{trials}] {widths(recipe)} T={recipe.timesteps} {taught}, {row['epochs']} epochs: "
        f"{row['accuracy']:.2%} on validation images, {row['parameters']:,} parameters, "
        f"{report.formats.large(row['synaptic_operations'])} operations, {row['seconds']:.0f} s{over}"
    )
