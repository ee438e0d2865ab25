"""What is kept while a stage trains: its history, the best weights, and where to go on after an interruption."""

import json
import math
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import keras

from keras_snnkd._types import Logs
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.staging import check_seal, check_space, read_json, remove_unfinished, seal, seal_length, write_json
from keras_snnkd.training import strategy
from keras_snnkd.weights.transfer import all_weights, restart_random_layers

SECONDS = "seconds.json"

AT_RISK = 3.0
"""How many seconds of training a kill may cost. Of epochs that are shorter not every one is saved."""

ALWAYS = 4
"""So many epochs are saved however short they are: a disk that cannot be written is told at the start."""


class Checkpoints(keras.callbacks.Callback):
    """Keeps the history, the best weights so far, and all that is needed to go on after an epoch.

    In `folder`: `history.json`, a list with one mapping of metrics per epoch; `best-NNNN.weights.h5`, the weights of the best epoch;
    `epoch-NNNN.weights.h5`, weights and optimizer after the last epoch that was saved; `seconds.json`, how long it took up to the end of
    each epoch. The best weights are written whenever there are new ones; the rest after the first epochs, and from then on after the
    first epoch that ends `AT_RISK` seconds or more after the last time. Several workers write after every epoch.

    Each file appears whole or not at all. The weights end in their SHA-256, those to go on from in one that covers the history too: what
    is damaged is told, not used. Of several workers the chief writes, and all read; the folder is one that all of them see.

    Args:
        folder: Where to keep them.
        monitor: The metric whose best value makes the best epoch.
            Of epochs with the same value the last one is: few validation images tell few
            values apart, and the later weights have learned longer, at a lower rate.
        mode: `"max"` if its highest value is the best, else `"min"`.
        judged_from: The first epoch, from 0 on, that may be the best.
    """

    def __init__(self, folder: str | Path, monitor: str = "val_accuracy", mode: str = "max", judged_from: int = 0) -> None:
        super().__init__()
        self.judged_from = judged_from
        self.folder = Path(folder)
        self.monitor, self._sign = monitor, 1.0 if mode == "max" else -1.0
        self.history: list[dict[str, float]] = []
        self.seconds_before = 0.0
        """That the epochs took which an interrupted run had finished."""
        self._seconds: list[float] = []
        self._started = time.monotonic()
        self._saved_at = self._started

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
            history = read_json(self.folder / "history.json")
            self.history = history[:epoch] if isinstance(history, list) else []
            self._seconds = self._seconds_of(epoch)
            self.seconds_before = self._seconds[-1]
            _load(model, newest, self._seen())
        return epoch

    def _seconds_of(self, epoch: int) -> list[float]:
        """How long each of the finished epochs took, with those before it; nothing where that was not kept."""
        try:
            found = [float(value) for value in read_json(self.folder / SECONDS)]
        except (FileFormatError, TypeError, ValueError):
            found = []
        return [*found, *[0.0] * epoch][:epoch]

    def load_best(self, model: keras.Model) -> int:
        """Load the best weights into `model`; returns their epoch, counted from 1."""
        strategy.barrier()  # the chief has written it
        best = self._newest("best")
        assert best is not None, "the first epoch is the best so far, and is saved"
        _load(model, best)
        return _epoch(best)

    def _tidy(self, epoch: int) -> None:
        """Remove what an interrupted run has not finished."""
        remove_unfinished(self.folder)
        for file in self._all("best"):
            if _epoch(file) > epoch:  # of an epoch that will run again
                file.unlink()

    def clear(self) -> None:
        """Remove what only an interrupted run needs."""
        for file in (*self._all("best"), *self._all("epoch"), self.folder / SECONDS):
            if file.exists():  # on a disk that is only read, removing what is not there is an error too
                file.unlink()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        for model in (self.model, getattr(self.model, "teacher", None)):
            if model is not None:
                restart_random_layers(model, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.history = [*self.history[:epoch], {name: float(value) for name, value in (logs or {}).items()}]
        earlier = [self._sign * row[self.monitor] for row in self.history[self.judged_from : -1] if self.monitor in row]
        self._seconds = [*self._seconds[:epoch], round(self.seconds_before + time.monotonic() - self._started, 1)]
        now = self._sign * self.history[-1].get(self.monitor, self._sign * math.inf)
        is_best = epoch >= self.judged_from and now >= max(earlier, default=-math.inf)
        is_due = epoch < ALWAYS or strategy.across_workers() or time.monotonic() - self._saved_at >= AT_RISK
        best, last = self._place("best", epoch), self._place("epoch", epoch)
        if is_due:
            self._write_history()
        if is_best:
            self._save(best)
        if is_due:
            self._save(last, self._seen(), same_as=best if is_best and not strategy.across_workers() else None)
            self._saved_at = time.monotonic()
            if strategy.is_chief():
                self._keep_newest()

    def on_train_end(self, logs: Logs = None) -> None:
        self._write_history()  # of the last epochs, which may not have been saved

    def _write_history(self) -> None:
        if strategy.is_chief():
            write_json(self.folder / "history.json", self.history)
            write_json(self.folder / SECONDS, self._seconds)

    def _place(self, kind: str, epoch: int) -> Path:
        return self.folder / f"{kind}-{epoch + 1:04d}.weights.h5"

    def _keep_newest(self) -> None:
        for kind in ("best", "epoch"):
            for old in sorted(self._all(kind), key=_epoch)[:-1]:
                old.unlink()

    def kept(self) -> str:
        """In words, what there is when training ends before its time."""
        best = self._newest("best")
        return f"The best weights so far are in {best}." if best else "No epoch had finished."

    def _seen(self) -> bytes:
        """The history as bytes, which the seal of a checkpoint covers too."""
        return json.dumps(self.history, sort_keys=True).encode()

    def _save(self, path: Path, context: bytes = b"", same_as: Path | None = None) -> None:
        """Save the weights; of the sealed file `same_as`, which has the same ones, a copy is enough."""
        with strategy.saved(path) as file:
            check_space(file.parent, 3 * sum(math.prod(weight.shape) * 4 for weight in self.model.weights))  # Adam keeps two more of each
            if same_as is None:
                self.model.save_weights(file)
            else:
                shutil.copyfile(same_as, file)
                os.truncate(file, file.stat().st_size - seal_length())
            seal(file, context)  # HDF5 has no checksum, and a damaged file can crash its reader

    def _newest(self, kind: str) -> Path | None:
        return max(self._all(kind), key=_epoch, default=None)

    def _all(self, kind: str) -> list[Path]:
        """The checkpoints of a kind; a person's own weights beside them are none."""
        return [file for file in self.folder.glob(f"{kind}-*.weights.h5") if re.fullmatch(rf"{kind}-\d{{4,}}\.weights\.h5", file.name)]


def _epoch(file: Path) -> int:
    return int(re.findall(r"\d+", file.name)[0])


def _load(model: keras.Model, path: Path, context: bytes = b"") -> Any:
    try:
        check_seal(path, context)
        with all_weights():
            model.load_weights(path)
    except Exception as error:  # whatever h5py and Keras raise on a file that is cut or belongs to another model
        raise FileFormatError(
            f"cannot go on from {path}: {str(error).splitlines()[0][:200]}. Delete its folder to train this stage anew"
        ) from error
