"""From a trained model to the files of all targets, each checked and measured, and their card."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import export, graphs, metrics, report
from keras_snnkd._types import Array
from keras_snnkd.data import Data
from keras_snnkd.errors import ExportError, OutputError, UnsupportedError
from keras_snnkd.export.litert import UNROLLED_STEPS
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.targets import TARGETS, Order, select
from keras_snnkd.files.extras import MissingPackageError
from keras_snnkd.files.manifest import FILES, MANIFEST, STUDENT, claimed, renewed
from keras_snnkd.files.samples import Samples, of_each, rows
from keras_snnkd.files.staging import UNFINISHED, clear_up, remove
from keras_snnkd.run.compressing.finetuning import calibration_images
from keras_snnkd.run.finished import evaluation
from keras_snnkd.run.finished.card import CARD, PAGE, energy_of, save_card
from keras_snnkd.run.finished.twin import check_twin
from keras_snnkd.run.watching.attempt import attempt, reason
from keras_snnkd.run.watching.progress import working
from keras_snnkd.run.watching.terminal import make_console
from keras_snnkd.training.ctrl_c import raise_if_heard

MICRO_SAMPLES = 20
"""Test images on which LiteRT for Microcontrollers is compared with LiteRT."""

THREADS = (1, 2)
"""Numbers of threads with which files are timed."""


class EdgeExport:
    """Writes a model's files, measures each, and writes `card.json` and `card.html` beside them.

    The folder is replaced as a whole once all is written: no file of before stays that the card does not tell of. It has to be new, empty,
    or one of exported files (see its `manifest.json`), or that of a finished student, whose model and training stay in it.

    A target that the model or this installation cannot have (NIR of a soft reset, a package that is missing) is listed with the reason
    where it came with `all`, and an error where it was asked for by name. A file that fails its check is never there; the others are
    written all the same, and then an error is raised.

    Args:
        model: A functional model, spiking or not.
        data: Its data set. The test set measures; training images show the ranges of integers, validation images the confidence at which
            to stop.
        folder: Where to.
        targets: Names in `keras_snnkd.export.targets.TARGETS`, or `"all"`.
        io: `"float32"`, or `"int8"` for int8 files that take and give integers.
        aware: The model made ready for integers (`keras_snnkd.run.compressing.finetuning.finetune_int8`), of which the int8 files are then
            made.
        twin: The trained ANN twin, whose accuracy and effective operations then stand beside the model's.
        label: What the model is called.
        facts: More of the card's content, such as `command` and `training`; see `keras_snnkd.run.finished.card`.
        console: A `rich.console.Console` for progress.

    Raises:
        UnknownNameError: For an unknown target.
        ShapeError: If `twin` is another network than the model's ANN twin.

    Example:
        >>> card = EdgeExport(student, kd.data.load("digits"), "edge", ["dynamic"]).run()
    """

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        folder: str | Path,
        targets: Sequence[str] = ("all",),
        *,
        io: str = "float32",
        aware: keras.Model | None = None,
        twin: keras.Model | None = None,
        label: str = "",
        facts: Mapping[str, Any] | None = None,
        console: Any = None,
    ) -> None:
        self.names, self.everything = select(targets), "all" in targets
        if twin is not None:
            check_twin(model, twin)
        self.model, self.data, self.folder, self.io, self.aware, self.twin = model, data, Path(folder), io, aware, twin
        self.label, self.facts = label or model.name.replace("_", " "), dict(facts or {})
        self.console = console or make_console()
        self.notes: list[str] = []

    def run(self) -> dict[str, Any]:
        """Write, measure and check.

        Returns:
            The card's content.

        Raises:
            ExportError: If a file failed its check, or a target asked for by name cannot be had; the rest is written before.
            ShapeError: If the model does not fit the data.
            OutputError: If the folder cannot be written, holds anything else, or another process is at work there.
        """
        with claimed(self.folder, FILES, kinds=(STUDENT,)) as manifest:
            tag = f"{self.folder.resolve().name}-"
            clear_up(self.folder.resolve().parent, tag)
            others = manifest.entries - {target.file for target in TARGETS.values()} - {CARD, PAGE, MANIFEST}
            with renewed(manifest, tag, keep=tuple(sorted(others))) as folder:
                card = self._write(folder)
        page = self.folder / PAGE
        self._tell(card["targets"], page)
        self._complain(card["targets"], page)
        return card

    def _write(self, folder: Path) -> dict[str, Any]:
        """Write all files and the card into a folder."""
        images, labels = evaluation.shown_to(self.model, self.data)
        with working(f"measuring {self.label}", self.console):
            row, activity = evaluation.measure(self.model, self.data)
            self.notes += row.pop("notes", [])
            logits = evaluation.predict(self.model, images)
            cost = self._cost(images, labels, row)
        self.timesteps = row["timesteps"]
        samples = rows(images, slice(evaluation.PARITY_SAMPLES))
        aware = None if self.aware is None else Reference(self.aware, samples)
        self.order = Order(Reference(self.model, samples), graphs.taken(self.model, calibration_images(self.data)), self.io, aware)
        entries = []
        for number, name in enumerate(self.names, start=1):
            with working(f"[{number}/{len(self.names)}] writing and measuring {TARGETS[name].label}", self.console):
                entries.append(self._target(name, folder, images, labels, logits, cost))
        with working("measuring answers before the last step", self.console):
            anytime = self._anytime(images, labels)
        raster = None
        with attempt("no image is shown as spikes", self.notes):
            raster = evaluation.raster(self.model, self.data, self.label)
        card = {
            "title": f"{self.data.name}: {self.label}",
            "dataset": {**evaluation.describe_data(self.data), **self.facts.pop("dataset", {})},
            "machine": evaluation.machine(),
            "versions": evaluation.versions(),
            **self.facts,
            "model": {"name": self.model.name, "label": self.label, **row},
            "targets": entries,
            "cost": cost,
            "anytime": anytime,
            "activity": activity,
            "raster": raster,
            "notes": self.notes,
        }
        save_card(card, folder)
        return card

    def _target(self, name: str, folder: Path, images: Samples, labels: Array, logits: Array, cost: dict[str, Any]) -> dict[str, Any]:
        """One entry of the card's `targets`; a file that cannot be run is refused, whatever its runtime raises."""
        target = TARGETS[name]
        entry: dict[str, Any] = {"target": name, "label": target.label, "path": target.file, "state": "left out"}
        refused = {**entry, "state": "refused"}
        if target.unrolled and (self.timesteps or 0) > UNROLLED_STEPS:
            why = f"it would hold all T = {self.timesteps} steps, and the limit is {UNROLLED_STEPS}; the streaming files hold one"
            return {**entry, "reason": f"{why}."}
        path = folder / target.file
        try:
            report = target.write(self.order, path)
            self.order.written[name] = report
            entry |= {**report.to_dict(), "target": name, "path": target.file, "state": "written", "arithmetic": target.arithmetic}
            entry["energy"] = energy_of(cost, target.arithmetic)
            entry["runs_per_image"] = self.timesteps if target.one_step else 1
            return self._measured(entry, target, path, images, labels, logits)
        except (UnsupportedError, MissingPackageError) as error:
            return {**entry, "reason": self._said(error, path)}
        except OutputError:
            raise
        except Exception as error:  # whatever converters and runtimes raise
            raise_if_heard(error)
            self.order.written.pop(name, None)
            self.order.refused[name] = error if isinstance(error, ExportError) else ExportError(reason(error))
            remove(path)
            return {**refused, "reason": self._said(error, path)}

    def _said(self, error: Exception, path: Path) -> str:
        """An error, with the final name of a file in place of the hidden one that it has while it is written."""
        said = reason(error).replace(str(path), str(self.folder / path.name)).replace(str(path.parent), str(self.folder))
        return re.sub(rf"/{re.escape(UNFINISHED)}[^/\s]+", "", said)

    def _measured(self, entry: dict[str, Any], target: Any, path: Path, images: Samples, labels: Array, logits: Array) -> dict[str, Any]:
        """An entry with what was measured of its file."""
        with target.runnable(path) as file:
            entry |= evaluation.quality_of_file(target.open(file)(images), labels, logits)
            if target.timed:
                entry["latency"] = self._latency(target, file)
            if target.micro:
                entry["micro"] = self._micro(target, file, rows(images, slice(MICRO_SAMPLES)))
        return entry

    def _latency(self, target: Any, path: Path) -> list[dict[str, Any]]:
        """The times of a file; a note where it cannot be timed."""
        try:
            return [found.to_dict() for found in export.latency(path, THREADS)]
        except Exception as error:  # a file that cannot be timed may be good all the same
            raise_if_heard(error)
            self.notes.append(f"{target.label} was not timed: {reason(error).replace(str(path), target.file)}")
            return []

    def _micro(self, target: Any, path: Path, samples: Samples) -> dict[str, Any] | None:
        """The arena on a microcontroller; a note where it cannot be had."""
        try:
            return export.micro(path, samples).to_dict() | {"path": target.file}
        except MissingPackageError as error:
            note = f"The arena on microcontrollers was not measured: {error}."
        except Exception as error:  # likewise
            raise_if_heard(error)
            note = f"{target.label} was not measured as on a microcontroller: {reason(error).replace(str(path), target.file)}"
        if note not in self.notes:
            self.notes.append(note)
        return None

    def _cost(self, images: Samples, labels: Array, row: Mapping[str, Any]) -> dict[str, Any]:
        """The card's `cost`; operations and sparsity on the first of the test images. What is not known is `None`, and a note says why."""
        few = rows(images, slice(evaluation.MEASURED_IMAGES))
        cost: dict[str, Any] = {
            "footprint": metrics.footprint(self.model),
            "connection_sparsity": None,
            "activation_sparsity": None,
            "synaptic_operations": row["synaptic_operations"],
            "twin_dense": row["twin_dense"],
            "twin": None,
        }
        with attempt("connection sparsity was not measured", self.notes):
            cost["connection_sparsity"] = metrics.connection_sparsity(self.model)
        with attempt("activation sparsity was not measured", self.notes):
            cost["activation_sparsity"] = metrics.activation_sparsity(self.model, few)
        if self.twin is not None:
            right = evaluation.quality(evaluation.predict(self.twin, images), labels)
            cost["twin"] = {"name": self.twin.name, **right, "synaptic_operations": None}
            with attempt(f"the operations of {self.twin.name} were not counted", self.notes):
                cost["twin"]["synaptic_operations"] = metrics.synaptic_operations(self.twin, few).to_dict()
        return {**cost, "energy": energy_of(cost)}

    def _anytime(self, images: Samples, labels: Array) -> Any:
        if not self.timesteps or self.data.gives_numbers:  # an answer is early where it is sure, of classes
            return None
        with attempt("Answers before the last step were not measured", self.notes):
            return metrics.anytime(self.model, images, labels, calibration=self._validation()).to_dict()
        return None

    def _validation(self) -> tuple[Samples, Array]:
        """Validation images as float32 and labels."""
        batches = list(self.data.validation)
        labels = [np.asarray(batch[1]) for batch in batches]
        images = [graphs.taken(self.model, batch[0]) for batch in batches]
        return of_each(lambda *parts: np.concatenate([np.asarray(part) for part in parts]), *images), np.concatenate(labels)

    def _tell(self, entries: list[dict[str, Any]], page: Path) -> None:
        """Print what was written and what was not."""
        self.console.print(report.target_table(entries))
        for entry in entries:
            if entry["state"] != "written":
                self.console.print(f"{entry['state']}: {entry['label']}: {entry['reason']}", highlight=False, markup=False, soft_wrap=True)
        sizes = {entry["label"]: entry.get("bytes") for entry in entries if entry["state"] == "written"}
        for note in [*self.notes, *report.larger_sentences(sizes)]:
            self.console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
        self.console.print(f"card: {page}", highlight=False, soft_wrap=True)

    def _complain(self, entries: list[dict[str, Any]], page: Path) -> None:
        """Raise what has to be raised, once everything else is written."""
        bad = [entry for entry in entries if entry["state"] == "refused" or (entry["state"] == "left out" and not self.everything)]
        if bad:
            raise ExportError(f"{bad[0]['label']}: {bad[0]['reason']} Everything else is in {page}")
