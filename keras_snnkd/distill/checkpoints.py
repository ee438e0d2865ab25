"""What is kept while a stage trains: its history, the best weights, and where to go on after an interruption."""

import math
import re
import shutil
from pathlib import Path

import keras
from keras import ops

from keras_snnkd import strategy
from keras_snnkd.errors import FileFormatError, TrainingDivergedError
from keras_snnkd.files import UNFINISHED, check_space, read_json, write_json
from keras_snnkd.weights import restart_random_layers


class Checkpoints(keras.callbacks.Callback):
    """After each epoch keeps the history, the best weights so far, and all that is needed to go on from there.

    In `folder`: `history.json`, a list with one mapping of metrics an epoch; `best-NNNN.weights.h5`, the weights of the best epoch;
    `epoch-NNNN.weights.h5`, weights and optimizer after the last one. Each file appears whole or not at all, in this order. Of several
    workers the chief writes, and all read; the folder is one that all of them see.

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

    def resume(self, model: keras.Model) -> int:
        """Load what an interrupted run left, if anything, into the compiled `model`.

        Returns:
            The epoch to go on with.

        Raises:
            FileFormatError: If a file is damaged or belongs to another model.
        """
        with strategy.chief_first():
            newest = self._newest("epoch")
            epoch = _epoch(newest) if newest else 0
            if strategy.is_chief():
                self._tidy(epoch)
        if newest:
            self.history = read_json(self.folder / "history.json")[:epoch]
            _load(model, newest)
        return epoch

    def load_best(self, model: keras.Model) -> int:
        """Load the best weights into `model`; returns their epoch, counted from 1."""
        strategy.barrier()  # the chief has written it
        best = self._newest("best")
        _load(model, best)
        return _epoch(best)

    def _tidy(self, epoch):
        """Remove what an interrupted run has not finished."""
        for leftover in self.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover)
        for file in self.folder.glob("best-*.weights.h5"):
            if _epoch(file) > epoch:  # of an epoch that will run again
                file.unlink()

    def clear(self) -> None:
        """Remove what only an interrupted run needs."""
        for file in self.folder.glob("*.weights.h5"):
            file.unlink()

    def on_epoch_begin(self, epoch, logs=None):
        for model in (self.model, getattr(self.model, "teacher", None)):
            if model is not None:
                restart_random_layers(model, epoch)

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
        if strategy.is_chief():
            write_json(self.folder / "history.json", self.history)
        if self.history[-1].get(self.monitor, math.inf) > max(earlier, default=-math.inf):
            self._save(f"best-{epoch + 1:04d}")
        self._save(f"epoch-{epoch + 1:04d}")
        if strategy.is_chief():
            self._keep_newest()

    def _keep_newest(self):
        for kind in ("best", "epoch"):
            for old in sorted(self.folder.glob(f"{kind}-*.weights.h5"))[:-1]:
                old.unlink()

    def _diverged(self, what):
        best = self._newest("best")
        kept = f"The best weights so far are in {best}." if best else "No epoch had finished."
        return TrainingDivergedError(
            f"{what}. {kept} Try a lower learning rate (--learning-rate), smaller objective weights, float32 (--precision float32), "
            "and look for NaN in the data."
        )

    def _save(self, name):
        path = self.folder / f"{name}.weights.h5"
        with strategy.saved(path) as file:
            check_space(file.parent, 3 * sum(math.prod(weight.shape) * 4 for weight in self.model.weights))  # Adam keeps two more of each
            self.model.save_weights(file)

    def _newest(self, kind):
        return max(self.folder.glob(f"{kind}-*.weights.h5"), default=None)


def _epoch(file):
    return int(re.search(r"\d+", file.name)[0])


def _load(model, path):
    try:
        model.load_weights(path)
    except Exception as error:  # whatever h5py and Keras raise on a file that is cut or belongs to another model
        raise FileFormatError(
            f"cannot go on from {path}: {str(error).splitlines()[0][:200]}. Delete its folder to train this stage anew"
        ) from error
