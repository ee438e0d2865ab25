"""From a trained model to the files of all targets, each checked and measured, and their card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import export, metrics, report
from keras_snnkd._types import Array
from keras_snnkd.data import Data
from keras_snnkd.errors import ExportError, FileFormatError, UnsupportedError
from keras_snnkd.export.litert import UNROLLED_STEPS
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.targets import TARGETS, Order, select
from keras_snnkd.files.extras import MissingPackageError
from keras_snnkd.run import evaluation
from keras_snnkd.run.card import save_card
from keras_snnkd.run.finetuning import calibration_images
from keras_snnkd.run.twin import check_twin

MICRO_SAMPLES = 20
"""Test images on which LiteRT for Microcontrollers is compared with LiteRT."""

THREADS = (1, 2)
"""Numbers of threads with which files are timed."""


class EdgeExport:
    """Writes a model's files, measures each, and writes `card.json` and `card.html` beside them.

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
        aware: The model made ready for integers (`keras_snnkd.run.finetuning.finetune_int8`), of which the int8 files are then made.
        twin: The trained ANN twin, whose accuracy and effective operations then stand beside the model's.
        label: What the model is called.
        facts: More of the card's content, such as `command` and `training`; see `keras_snnkd.run.card`.
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
        from rich.console import Console

        self.names, self.everything = select(targets), "all" in targets
        if twin is not None:
            check_twin(model, twin)
        self.model, self.data, self.folder, self.io, self.aware, self.twin = model, data, Path(folder), io, aware, twin
        self.label, self.facts = label or model.name.replace("_", " "), dict(facts or {})
        self.console = console or Console()
        self.notes: list[str] = []

    def run(self) -> dict[str, Any]:
        """Write, measure and check.

        Returns:
            The card's content.

        Raises:
            ExportError: If a file failed its check, or a target asked for by name cannot be had; the rest is written before.
            ShapeError: If the model does not fit the data.
            OutputError: If the folder cannot be written.
        """
        images, labels = evaluation.test_images(self.data)
        with self.console.status(f"measuring {self.label}"):
            row, activity = evaluation.measure(self.model, self.data)
            logits = evaluation.predict(self.model, images)
            cost = self._cost(images, labels, row)
        self.timesteps = row["timesteps"]
        samples = images[: evaluation.PARITY_SAMPLES]
        aware = None if self.aware is None else Reference(self.aware, samples)
        self.order = Order(Reference(self.model, samples), calibration_images(self.data), self.io, aware)
        entries = []
        for name in self.names:
            with self.console.status(f"writing and measuring {TARGETS[name].label}"):
                entries.append(self._target(name, images, labels, logits, cost))
        card = {
            "title": f"{self.data.name}: {self.label}",
            "dataset": {**evaluation.describe_data(self.data), **self.facts.pop("dataset", {})},
            "machine": evaluation.machine(),
            "versions": evaluation.versions(),
            **self.facts,
            "model": {"name": self.model.name, "label": self.label, **row},
            "targets": entries,
            "cost": cost,
            "anytime": self._anytime(images, labels),
            "activity": activity,
            "raster": evaluation.raster(self.model, self.data, self.label),
            "notes": self.notes,
        }
        page = save_card(card, self.folder)
        self._tell(entries, page)
        self._complain(entries, page)
        return card

    def _target(self, name: str, images: Array, labels: Array, logits: Array, cost: dict[str, Any]) -> dict[str, Any]:
        """One entry of the card's `targets`."""
        target = TARGETS[name]
        entry: dict[str, Any] = {"target": name, "label": target.label, "path": target.file, "state": "left out"}
        if target.unrolled and (self.timesteps or 0) > UNROLLED_STEPS:
            reason = f"it would hold all T = {self.timesteps} steps, and the limit is {UNROLLED_STEPS}; the streaming files hold one"
            return {**entry, "reason": f"{reason}."}
        path = self.folder / target.file
        try:
            report = target.write(self.order, path)
        except (UnsupportedError, MissingPackageError) as error:
            return {**entry, "reason": str(error)}
        except ExportError as error:
            self.order.refused[name] = error
            return {**entry, "state": "refused", "reason": str(error)}
        self.order.written[name] = report
        entry |= {**report.to_dict(), "target": name, "path": target.file, "state": "written", "arithmetic": target.arithmetic}
        entry["energy"] = _energy(cost, target.arithmetic)
        entry["runs_per_image"] = self.timesteps if target.one_step else 1
        with target.runnable(path) as file:
            theirs = target.open(file)(images)
            entry["test_accuracy"], entry["test_agreement"] = metrics.accuracy(theirs, labels), metrics.agreement(theirs, logits)
            entry["test_images"] = len(labels)
            if target.timed:
                entry["latency"] = self._latency(target, file)
            if target.micro:
                entry["micro"] = self._micro(target, file, images[:MICRO_SAMPLES])
        return entry

    def _latency(self, target: Any, path: Path) -> list[dict[str, Any]]:
        """The times of a file; a note where it cannot be timed."""
        try:
            return [found.to_dict() for found in export.latency(path, THREADS)]
        except FileFormatError as error:
            self.notes.append(f"{target.label} was not timed: {str(error).replace(str(path), target.file)}")
            return []

    def _micro(self, target: Any, path: Path, samples: Array) -> dict[str, Any] | None:
        """The arena on a microcontroller; a note where it cannot be had."""
        try:
            return export.micro(path, samples).to_dict() | {"path": target.file}
        except MissingPackageError as error:
            note = f"The arena on microcontrollers was not measured: {error}."
        except (ExportError, FileFormatError) as error:
            note = f"{target.label} was not measured as on a microcontroller: {str(error).replace(str(path), target.file)}"
        if note not in self.notes:
            self.notes.append(note)
        return None

    def _cost(self, images: Array, labels: Array, row: dict[str, Any]) -> dict[str, Any]:
        """The card's `cost`; operations and sparsity on the first of the test images."""
        few, twin = images[: evaluation.MEASURED_IMAGES], None
        if self.twin is not None:
            theirs, _ = evaluation.attempt(metrics.synaptic_operations, self.twin, few)
            right = metrics.accuracy(evaluation.predict(self.twin, images), labels)
            twin = {"name": self.twin.name, "accuracy": right, "synaptic_operations": theirs and theirs.to_dict()}
        if "not_counted" in row:
            self.notes.append(f"Operations and energy are not counted: {row['not_counted']}")
        cost = {
            "footprint": metrics.footprint(self.model),
            "connection_sparsity": evaluation.attempt(metrics.connection_sparsity, self.model)[0],
            "activation_sparsity": evaluation.attempt(metrics.activation_sparsity, self.model, few)[0],
            "synaptic_operations": row["synaptic_operations"],
            "twin_dense": evaluation.attempt(metrics.twin_operations, self.model)[0],
            "twin": twin,
        }
        return {**cost, "energy": _energy(cost)}

    def _anytime(self, images: Array, labels: Array) -> Any:
        if not self.timesteps:
            return None
        try:
            return metrics.anytime(self.model, images, labels, calibration=self._validation()).to_dict()
        except ValueError as error:
            self.notes.append(f"Answers before the last step were not measured: {error}")
            return None

    def _validation(self) -> tuple[Array, Array]:
        """Validation images as float32 and labels."""
        batches = list(self.data.validation)
        images, labels = (np.concatenate([np.asarray(batch[place]) for batch in batches]) for place in (0, 1))
        return images, labels

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


def _energy(cost, arithmetic="float32"):
    """The estimate from what was counted, or `None` where nothing was."""
    if cost["synaptic_operations"] is None or cost["twin_dense"] is None:
        return None
    theirs = (cost["twin"] or {}).get("synaptic_operations")
    twin = metrics.Operations(**theirs) if theirs else None
    return metrics.energy(metrics.Operations(**cost["synaptic_operations"]), cost["twin_dense"], twin, arithmetic).to_dict()
