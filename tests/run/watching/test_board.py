"""The logs for TensorBoard are those that Keras writes."""

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from keras_snnkd.run.watching.board import EpochBoard


def written(folder):
    """Every scalar in a folder's logs, by part and name: the steps and the values."""
    found = {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(folder / part), size_guidance={"tensors": 0})
        events.Reload()
        for name in events.Tags()["tensors"]:
            found[part, name] = [(event.step, float(tensor_util.make_ndarray(event.tensor_proto))) for event in events.Tensors(name)]
    return found


def test_it_writes_what_keras_does_without_a_summary_of_every_batch(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    boards = [keras.callbacks.TensorBoard(str(tmp_path / "keras"), write_graph=False), EpochBoard(str(tmp_path / "ours"))]
    data = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    model.fit(*data, epochs=2, batch_size=2, validation_data=data, callbacks=boards, verbose=0)
    ours = written(tmp_path / "ours")
    assert {("train", "epoch_loss"), ("validation", "epoch_loss")} <= set(ours)
    assert ours == written(tmp_path / "keras")


def test_no_batch_makes_a_summary(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.callbacks.TensorBoard, "on_train_batch_end", lambda *arguments: pytest.fail("a summary nobody reads"))
    EpochBoard(str(tmp_path)).on_train_batch_end(0, {"loss": 1.0})
