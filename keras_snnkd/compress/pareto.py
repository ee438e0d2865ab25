"""The best trade-offs between accuracy and operations that a training passes, each kept as a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._types import Logs
from keras_snnkd.files.samples import of_each
from keras_snnkd.files.staging import read_json, staged, write_json
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers.pruned import Gated
from keras_snnkd.metrics.operations import synaptic_operations
from keras_snnkd.metrics.pareto import front

OPERATIONS = "val_operations"
"""What the callback adds to the history: effective operations an image."""

RECORD = "pareto.json"


class ParetoFront(keras.callbacks.Callback):
    """Keep the epochs that no other one beats in both accuracy and operations.

    Epochs in which masks of neurons and weights are soft (see `Pruning`) are left out: what would be saved computes something else.

    After each epoch the effective operations an image are counted (`keras_snnkd.metrics.synaptic_operations`) and stand as
    `val_operations` in the history. Of the epochs on the front, `folder` holds `epoch-NNNN.keras`, and `pareto.json`, a list of
    ``{"epoch", "accuracy", "synops", "file"}``, the most accurate first. What leaves the front is removed. A training that goes on in
    such a folder keeps what epochs before it left there.

    Args:
        folder: Where to; made if need be.
        images: Some validation images to count on, prepared as for the student.
        monitor: The metric that stands for accuracy; the higher the better.
        finish: What makes of the student the model that is counted and kept, such as `keras_snnkd.compress.plain`.

    Raises:
        ValueError: After the first epoch, if `monitor` is not among the metrics.

    Example:
        >>> distiller.fit(train, validation_data=validation, epochs=20, callbacks=[kd.compress.ParetoFront("runs/front", images)])

    Source: a front over epochs as in HGQ2's training; what is counted is NeuroBench's (arXiv:2304.04640).
    """

    def __init__(self, folder: str | Path, images: Any, monitor: str = "val_accuracy", finish: Any = None) -> None:
        super().__init__()
        self.folder, self.images, self.monitor = Path(folder), of_each(np.asarray, images), monitor
        self.finish = finish or (lambda student: student)
        self.front: list[Mapping[str, Any]] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        record = self.folder / RECORD
        self.front = read_json(record) if record.is_file() else []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is None or self.monitor not in logs:
            raise ValueError(
                f"the front needs the metric {self.monitor!r}; give fit validation data and compile an accuracy, or another name"
            )
        trained = getattr(self.model, "student", self.model)
        if any(isinstance(layer, Gated) and not float(layer.hard) for layer in all_layers(trained)):
            return
        student = self.finish(trained)
        operations = synaptic_operations(student, graphs.taken(graphs.flat(student), self.images))
        logs[OPERATIONS] = operations.effective_macs + operations.effective_acs
        row = {
            "epoch": epoch + 1,
            "accuracy": float(logs[self.monitor]),
            "synops": logs[OPERATIONS],
            "file": f"epoch-{epoch + 1:04d}.keras",
        }
        self._keep(row, student)

    def _keep(self, row: Mapping[str, Any], student: keras.Model) -> None:
        """Save the student, if its row is on the front, and remove those that no longer are."""
        before: Sequence[Mapping[str, Any]] = self.front
        earlier = [other for other in before if other["epoch"] < row["epoch"]]  # the others are of a training that was interrupted
        self.front = list(front([*earlier, row], costs=["synops"]))
        if row in self.front:
            with staged(self.folder / row["file"]) as (file,):
                student.save(file)
        for other in before:
            if other["file"] not in [kept["file"] for kept in self.front]:
                (self.folder / other["file"]).unlink(missing_ok=True)
        write_json(self.folder / RECORD, self.front)
