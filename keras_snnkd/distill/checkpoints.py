"""What is kept while a stage trains: its history, the best weights, and where to go on after an interruption."""

import math
import re
from pathlib import Path

import keras
from keras import ops

from keras_snnkd.errors import FileFormatError, TrainingDivergedError
from keras_snnkd.files import read_json, staged, write_json


class Checkpoints(keras.callbacks.Callback):
    """After each epoch keeps the history, the best weights so far, and all that is needed to go on from there.

    In `folder`: `history.json`, a list with one mapping of metrics an epoch; `best.weights.h5`; `epoch-NNNN.weights.h5`, the weights and
    the optimizer's state after epoch NNNN. Each file appears whole or not at all, the last one last.

    Args:
        folder: Where to keep them.
        monitor: The metric whose highest value is the best.

    Raises:
        TrainingDivergedError: During training, as soon as the loss is NaN or infinite, or a weight at the end of an epoch.
    """

    def __init__(self, folder: str | Path, monitor: str = "val_accuracy"):
        super().__init__()
        self.folder = Path(folder)
        self.monitor = monitor
        self.history: list[dict[str, float]] = []

    @property
    def best_file(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "best.weights.h5"

    def resume(self, model: keras.Model) -> int:
        """Load what an interrupted run left, if anything, into the compiled `model`.

        Returns:
            The epoch to go on with.

        Raises:
            FileFormatError: If a file is damaged or belongs to another model.
        """
        files = sorted(self.folder.glob("epoch-*.weights.h5"))
        if not files:
            return 0
        epoch = int(re.search(r"\d+", files[-1].name)[0])
        self.history = read_json(self.folder / "history.json")[:epoch]
        _load(model, files[-1])
        return epoch

    def load_best(self, model: keras.Model) -> int:
        """Load the best weights into `model`; returns their epoch, counted from 1."""
        _load(model, self.best_file)
        return 1 + max(range(len(self.history)), key=lambda epoch: self.history[epoch].get(self.monitor, epoch))

    def clear(self) -> None:
        """Remove what only an interrupted run needs."""
        for file in self.folder.glob("*.weights.h5"):
            file.unlink()

    def on_epoch_begin(self, epoch, logs=None):
        # Keras stores the state of random layers nowhere, so that each epoch starts from its own, whether resumed or not
        teacher = getattr(self.model, "teacher", None)
        for variable in [*self.model.variables, *(teacher.variables if teacher else [])]:
            if variable.path.endswith("seed_generator_state"):
                seed, _ = ops.convert_to_numpy(variable)
                variable.assign([seed, epoch << 20])

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss} in epoch {len(self.history) + 1}, step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        for weight in self.model.weights:
            if not ops.all(ops.isfinite(weight)):  # with a finite loss: a neuron whose membrane is NaN is silent
                raise self._diverged(f"{weight.path} became NaN or infinite in epoch {epoch + 1}")
        self.history = [*self.history[:epoch], {name: float(value) for name, value in (logs or {}).items()}]
        earlier = [row[self.monitor] for row in self.history[:-1] if self.monitor in row]
        write_json(self.folder / "history.json", self.history)
        if self.history[-1].get(self.monitor, math.inf) > max(earlier, default=-math.inf):
            self._save(self.best_file)
        self._save(self.folder / f"epoch-{epoch + 1:04d}.weights.h5")
        for old in sorted(self.folder.glob("epoch-*.weights.h5"))[:-1]:
            old.unlink()

    def _diverged(self, what):
        kept = f"The best weights so far are in {self.best_file}." if self.best_file.exists() else "No epoch had finished."
        return TrainingDivergedError(
            f"{what}. {kept} Try a lower learning rate (--learning-rate), smaller objective weights, float32 (--precision float32), "
            "and look for NaN in the data."
        )

    def _save(self, path):
        with staged(path) as (file,):
            self.model.save_weights(file)


def _load(model, path):
    try:
        model.load_weights(path)
    except Exception as error:  # whatever h5py and Keras raise on a file that is cut or belongs to another model
        raise FileFormatError(
            f"cannot go on from {path}: {str(error).splitlines()[0][:200]}. Delete its folder to train this stage anew"
        ) from error
