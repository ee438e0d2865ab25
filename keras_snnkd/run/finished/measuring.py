"""The models of a finished run: measured on test images, exported, and what there is to say of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import models
from keras_snnkd.data import Data
from keras_snnkd.distill import teachers
from keras_snnkd.distill.samples import Samples, commonest
from keras_snnkd.errors import ExportError, OutputError
from keras_snnkd.files.processes import prepare
from keras_snnkd.run.compressing import stages as compression
from keras_snnkd.run.compressing.ways import budget_told
from keras_snnkd.run.finished.evaluation import PARITY_SAMPLES, export_checked, measure, raster, test_images
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.run.watching.attempt import attempt, reason
from keras_snnkd.run.watching.progress import working
from keras_snnkd.training.ctrl_c import raise_if_heard

Trained = tuple[keras.Model, dict[str, Any], list[dict[str, Any]]]
"""A model, what is recorded of its stage, and its epochs."""

EXPORT_LATER = (
    "no files were exported, since TensorFlow writes them. Run the same command with KERAS_BACKEND=tensorflow and --resume: "
    "it keeps what is trained, and exports it"
)


class Measuring:
    """What a run's page and `results.json` say of its models.

    Args:
        recipe: Of the run.
        data: Its data set.
        folder: Of the run; files go to `export/` in it.
        console: Tells what is done.
        notes: What is to be noted already. What fails here is noted too, and the rest goes on.
    """

    def __init__(self, recipe: Recipe, data: Data, folder: Path, console: Any, notes: Sequence[str] = ()) -> None:
        self.data, self.folder, self.console = data, folder, console
        self.entries = list(recipe.compress or ())
        self.notes = list(notes)
        self.refused: dict[str, str] = {}  # by model, why not all of its files were written

    def all_of(self, trained: Mapping[str, Trained]) -> dict[str, Any]:
        """The models by the names of their stages, in order, as plain data: rows, epochs, activity, one image in spikes, files, notes."""
        if keras.backend.backend() == "tensorflow":
            prepare("tensorflow")  # which the converters need: it is imported while the first model is measured
        names = list(trained)
        stages = zip(compression.stage_names(self.entries), self.entries, strict=True)
        words = {name: entry[compression.COMPRESS] for name, entry in stages if name in trained}
        compressed = names[-1 - len(words) :] if words else []
        between = [name for name in compressed[1:-1] if words[name] not in compression.VARIANTS]
        rows, activity, exports = [], {}, []
        for number, (name, (model, record, _)) in enumerate(trained.items(), start=1):
            count = f"[{number}/{len(trained)}]"
            row, activity_here = self._measured(model, name, count, name in compressed)
            files: dict[str, Any] = {}
            found: list[Any] = []
            if name not in between:  # of what a student goes through, the ends and its variants are written as files
                with working(f"{count} exporting {name}, and running its files on the test images", self.console):
                    files, found = self.export(model, name)
            self.notes += [f"{name.replace('_', ' ')}, {note}" for note in row.get("notes", ())]
            self.notes += rounding_told(name, record)
            with attempt(f"whether {name.replace('_', ' ')} keeps its budget is not known", self.notes):
                self.notes += budget_told(name, model, record, self.data.sample(PARITY_SAMPLES)[0])
            rows.append({**_about(name, record), **row, **files, **_training(record)})
            activity.update(activity_here)
            exports += [{"model": name, **entry} for entry in found]
            if rows[-1]["role"] == "teacher" and row["accuracy"] is not None:
                self._note_ignorance(model, name, row["accuracy"])
        shown = None
        with attempt("no image is shown as spikes", self.notes):
            shown = raster(trained[names[-1]][0], self.data, names[-1])
        return {
            "models": rows,
            "compression": [row for row in rows if row["name"] in compressed],
            "histories": {name: _columns(history) for name, (_, _, history) in trained.items() if history},
            "activity": activity,
            "raster": shown,
            "exports": exports,
            "notes": self.notes,
        }

    def _measured(self, model: keras.Model, name: str, count: str, compressed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """A model's figures, and its activity by name if it could be measured."""
        row: dict[str, Any] = {"accuracy": None, "parameters": model.count_params(), "timesteps": None}
        activity = {}
        with working(f"{count} measuring {name}", self.console), attempt(f"{name.replace('_', ' ')} was not measured", self.notes):
            row, activity[name] = measure(model, self.data)
        if compressed:
            with attempt(f"what {name.replace('_', ' ')} costs was not measured", self.notes):
                row.update(compression.costs(model, row))
                row.update(compression.on_device(model, *test_images(self.data), self.entries))
        return row, activity

    def export(self, model: keras.Model, name: str) -> tuple[dict[str, Any], list[Any]]:
        """Export one model; without 8-bit weights, and with a note, where these change too many predictions. Nothing without TensorFlow."""
        if keras.backend.backend() != "tensorflow":
            if EXPORT_LATER not in self.notes:
                self.notes.append(EXPORT_LATER)
            return {}, []
        for quantizations in (("int8",),) if models.is_quantize_aware(model) else (("float32", "dynamic"), ("float32",)):
            try:
                return export_checked(model, self.data, self.folder, name, quantizations)
            except OutputError:
                raise
            except Exception as error:  # whatever converters and runtimes raise
                raise_if_heard(error)
                self.notes.append(f"{name.replace('_', ' ')}: {reason(error)}")
                self.refused.setdefault(name, self.notes[-1])
                if not isinstance(error, ExportError):
                    break
        return {}, []

    def _note_ignorance(self, teacher: keras.Model, name: str, accuracy: float) -> None:
        seen = Samples(*self.data.test_arrays)
        fit = teachers.Adapted(teacher, accuracy=accuracy, chance=commonest(seen.labels))
        self.notes += filter(None, [teachers.told_of_ignorance(name, fit, seen)])


COSTLY = 0.02
"""Accuracy on validation images that rounding weights may take without a word."""


def rounding_told(name: str, record: Mapping[str, Any]) -> list[str]:
    """A sentence where a stage's weights lost accuracy when they were rounded to 8 bits, and what to do."""
    before, after = record.get("before_rounding"), record.get("validation_accuracy")
    if before is None or after is None or before - after < COSTLY:
        return []
    return [
        f"{name.replace('_', ' ')}: weights of 8 bits cost {100 * (before - after):.1f} points on validation images, {after:.1%} for "
        f"{before:.1%}. --weight-bits 32 leaves them as they are; --compress int8 trains on with the rounding"
    ]


def _about(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Who a model is."""
    taught_by = record.get("teacher") or ("itself" if record.get("objectives") else None)
    return {"name": name, "role": name.split("_")[0].rstrip("0123456789"), "label": name.replace("_", " "), "taught_by": taught_by}


def _training(record: Mapping[str, Any]) -> dict[str, Any]:
    """How a model was trained."""
    return {name: record.get(name) for name in ("validation_accuracy", "seconds", "best_epoch")}


def _columns(history: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """`[{"loss": 1}, {"loss": 2}]` to `{"loss": [1, 2]}`."""
    names = dict.fromkeys(name for row in history for name in row)
    return {name: [row.get(name) for row in history] for name in names}
