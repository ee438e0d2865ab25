"""The front over epochs: what is kept and what is removed."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress, metrics
from keras_snnkd.files.staging import read_json
from tests.distill import tiny


def test_the_epochs_that_no_other_beats_are_kept_as_files(tmp_path):
    student = tiny.snn()
    distiller = tiny.compiled(student, metrics=["accuracy"])
    callback = compress.ParetoFront(tmp_path / "front", tiny.IMAGES)
    callback.set_model(distiller)
    callback.on_train_begin()
    counted = []
    scales = [1.0, 0.9, 0.0, 1.0]  # of the kernel, so that other neurons fire
    kernel = student.get_layer("block1_dense").kernel
    start = kernel.numpy()
    for epoch, (scale, accuracy) in enumerate(zip(scales, [0.8, 0.9, 0.3, 0.2], strict=True)):
        kernel.assign(scale * start)
        logs = {"val_accuracy": accuracy}
        callback.on_epoch_end(epoch, logs)
        counted.append(logs["val_operations"])
        operations = metrics.synaptic_operations(student, tiny.IMAGES)
        assert logs["val_operations"] == operations.effective_macs + operations.effective_acs
    best = [row["epoch"] for row in read_json(tmp_path / "front" / "pareto.json")]
    assert 4 not in best
    assert 2 in best
    assert counted[2] < counted[1]
    assert best[-1] == 3
    kept = sorted(file.name for file in (tmp_path / "front").glob("*.keras"))
    assert kept == sorted(f"epoch-{epoch:04d}.keras" for epoch in best)
    np.testing.assert_allclose(kd.models.load(tmp_path / "front" / "epoch-0002.keras").get_layer("block1_dense").kernel, 0.9 * start)


def test_a_training_that_goes_on_keeps_the_front_and_not_what_it_does_again(tmp_path, monkeypatch):
    student = tiny.snn()
    counted = iter([90.0, 50.0, 70.0, 60.0])
    operations = metrics.Operations(100.0, 0.0, 0.0, {})
    monkeypatch.setattr(compress.pareto, "synaptic_operations", lambda *_: dataclasses.replace(operations, effective_acs=next(counted)))

    def went_on(epoch, *accuracies):
        callback = compress.ParetoFront(tmp_path, tiny.IMAGES)
        callback.set_model(tiny.compiled(student, metrics=["accuracy"]))
        callback.on_train_begin()
        for number, accuracy in enumerate(accuracies, start=epoch):
            callback.on_epoch_end(number, {"val_accuracy": accuracy})
        return [(row["epoch"], row["synops"]) for row in read_json(tmp_path / "pareto.json")]

    assert went_on(0, 0.9, 0.7) == [(1, 90.0), (2, 50.0)]
    assert went_on(1, 0.8) == [(1, 90.0), (2, 70.0)]  # the second epoch again
    assert went_on(0, 0.6) == [(1, 60.0)]
    assert [file.name for file in tmp_path.glob("*.keras")] == ["epoch-0001.keras"]


def test_it_says_which_metric_is_missing(tmp_path):
    distiller = tiny.compiled(tiny.snn(), optimizer=keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="needs the metric 'val_accuracy'"):
        tiny.fit(distiller, callbacks=[compress.ParetoFront(tmp_path, tiny.IMAGES)])


def test_epochs_with_soft_masks_are_left_out(tmp_path):
    student = compress.prunable(tiny.snn(), "unstructured")
    callback = compress.ParetoFront(tmp_path, tiny.IMAGES, finish=compress.plain)
    callback.set_model(tiny.compiled(student, metrics=["accuracy"]))
    callback.on_train_begin()
    logs = {"val_accuracy": 0.9}
    callback.on_epoch_end(0, logs)
    assert "val_operations" not in logs
    pruning = compress.Pruning(sparsity=0.5)
    pruning.set_model(student)
    pruning.on_train_begin()
    pruning.move(1, 1)  # the last step, after which masks are hard
    callback.on_epoch_end(1, logs)
    assert [row["epoch"] for row in callback.front] == [2]
