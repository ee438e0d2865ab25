"""Checkpoints: the best epoch stays, training that diverges ends, and a full disk is told."""

import errno
import os
import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from keras_snnkd.distill import checkpoints as checkpoints_module
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import FileFormatError, OutputError, TrainingDivergedError
from keras_snnkd.files.staging import read_json
from tests.distill import tiny
from tests.distill.chain_cases import DATA, Poisoned, network, run, three_stages


@pytest.mark.every(2)
@pytest.mark.parametrize(
    ("neuron", "message"),
    [("relu", r"the loss became nan in epoch 2, step 1\."), ("lif", r"kernel became NaN or infinite in epoch 2\.")],  # NaN does not fire
)
def test_training_that_becomes_nan_ends_and_keeps_the_best_weights(neuron, message, tmp_path):
    with pytest.raises(
        TrainingDivergedError, match=message + r" Try a lower learning rate .* The best weights .*best-0001\.weights\.h5\.$"
    ):
        Chain([Stage("student", network(6, neuron=neuron), epochs=3)], tmp_path).run(Poisoned())
    with h5py.File(tmp_path / "student" / "best-0001.weights.h5") as stored:
        kernel = stored["layers/functional/layers/dense/vars/0"][()]
    assert kernel.shape == (64, 6)
    assert np.all(np.isfinite(kernel))
    assert len(read_json(tmp_path / "student" / "history.json")) == 1
    assert not (tmp_path / "student" / "model.keras").exists()


def test_a_learning_rate_far_too_high_is_told_as_divergence(tmp_path):
    stage = Stage("student", lambda: tiny.plain(classes=10, shape=(8, 8, 1)), epochs=2, learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match=r"in epoch 1, step \d+\. Try a lower learning rate.* No epoch had finished\.$"):
        Chain([stage], tmp_path).run(DATA)


def test_a_folder_that_cannot_be_written_fails_before_training(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot write .*manifest\.json: Not a directory\. .* choose another folder"):
        run(three_stages(), tmp_path / "file" / "run")


def test_the_best_epoch_is_the_last_with_the_highest_value(tmp_path):
    model = tiny.compiled(tiny.plain())
    checkpoints = Checkpoints(tmp_path)
    checkpoints.set_model(model)
    for epoch, accuracy in enumerate([0.5, 0.8, 0.8, 0.6]):
        model.student.set_weights([np.full(weight.shape, epoch) for weight in model.student.weights])
        checkpoints.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert checkpoints.load_best(model) == 3
    assert all(np.all(value == 2) for value in tiny.values(model.student))
    assert [file.name for file in sorted(tmp_path.glob("*.h5"))] == ["best-0003.weights.h5", "epoch-0004.weights.h5"]
    checkpoints.clear()
    assert [file.name for file in tmp_path.iterdir()] == ["history.json"]


def test_the_best_weights_of_an_epoch_that_will_run_again_are_dropped(tmp_path):
    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(tmp_path)
    checkpoints.set_model(model)
    checkpoints.on_epoch_end(0, {"val_accuracy": 0.5})
    (tmp_path / "best-0002.weights.h5").write_bytes((tmp_path / "best-0001.weights.h5").read_bytes())  # killed before epoch-0002
    (tmp_path / ".unfinished-killed").mkdir()
    again = Checkpoints(tmp_path)
    assert again.resume(model) == 1
    assert again.load_best(model) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"history.json", "seconds.json", "best-0001.weights.h5", "epoch-0001.weights.h5"}


def test_of_short_epochs_not_all_are_saved_and_none_of_the_history_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints_module, "AT_RISK", 60.0)
    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(tmp_path)
    checkpoints.set_model(model)
    for epoch, accuracy in enumerate([0.1, 0.2, 0.3, 0.4, 0.3, 0.9, 0.5]):
        model.student.set_weights([np.full(weight.shape, epoch) for weight in model.student.weights])
        checkpoints.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert {file.name for file in tmp_path.glob("*.h5")} == {f"{name}.weights.h5" for name in ("best-0004", "best-0006", "epoch-0004")}
    after_a_kill = tmp_path.parent / "killed"
    shutil.copytree(tmp_path, after_a_kill)
    again = Checkpoints(after_a_kill)
    assert again.resume(model) == len(again.history) == 4
    assert all(np.all(value == 3) for value in tiny.values(model.student))
    assert again.load_best(model) == 4
    checkpoints.on_train_end()
    assert len(read_json(tmp_path / "history.json")) == 7
    assert checkpoints.load_best(model) == 6
    assert all(np.all(value == 5) for value in tiny.values(model.student))


def test_epochs_that_take_their_time_are_all_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints_module, "AT_RISK", 0.0)
    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(tmp_path)
    checkpoints.set_model(model)
    for epoch in range(6):
        checkpoints.on_epoch_end(epoch, {"val_accuracy": 0.5})
    assert {file.name for file in tmp_path.glob("*.h5")} == {"best-0006.weights.h5", "epoch-0006.weights.h5"}
    assert Checkpoints(tmp_path).resume(model) == 6


def test_a_disk_too_full_for_a_checkpoint_is_told_before_it_is_written(tmp_path, monkeypatch):
    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(tmp_path)
    checkpoints.set_model(model)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2**20))
    monkeypatch.setattr(model, "save_weights", lambda file: pytest.fail("HDF5 crashes the process on a full disk"))
    with pytest.raises(OutputError, match=r"best-0001\.weights\.h5: No space left on device"):
        checkpoints.on_epoch_end(0, {"val_accuracy": 0.5})


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.set_model(tiny.compiled(tiny.plain()))
    checkpoints.on_epoch_end(0, {"val_accuracy": 0.5})
    with pytest.raises(FileFormatError, match=r"cannot go on from .*epoch-0001"):
        Checkpoints(tmp_path).resume(tiny.compiled(tiny.plain(7)))


def test_a_disk_that_fills_up_is_told_and_the_epoch_before_stays(tmp_path, monkeypatch):
    def full(file):
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(tmp_path)
    checkpoints.set_model(model)
    checkpoints.on_epoch_end(0, {"val_accuracy": 0.5})
    before = tiny.values(model)
    monkeypatch.setattr(model, "save_weights", full)
    with pytest.raises(OutputError, match=r"epoch-0002\.weights\.h5: No space left on device"):
        checkpoints.on_epoch_end(1, {"val_accuracy": 0.4})
    assert {file.name for file in tmp_path.iterdir()} == {"history.json", "seconds.json", "best-0001.weights.h5", "epoch-0001.weights.h5"}
    model.student.set_weights([0 * weight for weight in model.student.get_weights()])
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.resume(model) == len(checkpoints.history) == 1
    tiny.assert_equal_weights(model, before)
