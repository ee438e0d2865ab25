"""The logs of a stage for TensorBoard."""

import keras

from keras_snnkd._types import Logs


class EpochBoard(keras.callbacks.TensorBoard):
    """Keras' `TensorBoard` for epochs alone.

    Keras makes a summary of every metric in every batch too, although with `update_freq="epoch"` nothing writes it. That takes a
    millisecond a batch.

    Args:
        log_dir: Where to.
    """

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir, write_graph=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Nothing: there is neither a graph nor a profile to write."""
