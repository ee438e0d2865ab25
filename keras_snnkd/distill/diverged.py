"""Training that computes nothing but NaN any more."""

import math

import keras
from keras import ops

from keras_snnkd._types import Logs
from keras_snnkd.errors import TrainingDivergedError

ADVICE = (
    "Try a lower learning rate (--learning-rate), smaller objective weights, float32 (--precision float32), and look for NaN in the data."
)


class Divergence(keras.callbacks.Callback):
    """Ends training as soon as the loss is NaN or infinite, or a weight is at the end of an epoch.

    A finite loss does not say that all is well: a neuron whose membrane is NaN is silent. Comes before the callbacks that save weights.

    Raises:
        TrainingDivergedError: During training.
    """

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self.stop(TrainingDivergedError(f"the loss became {loss} in epoch {self.epoch + 1}, step {batch + 1}. {ADVICE}"))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        for weight in self.model.weights:
            if not ops.all(ops.isfinite(weight)):
                self.stop(TrainingDivergedError(f"{weight.path} became NaN or infinite in epoch {epoch + 1}. {ADVICE}"))

    def stop(self, error: Exception) -> None:
        """Raise the error."""
        raise error
