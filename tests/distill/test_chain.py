"""Chains: everything is checked first, what is finished stays, and an interrupted run ends as an uninterrupted one."""

import dataclasses
import errno
import os
import re
import shutil
import warnings
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain, Stage
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.distill.objectives import FeatureMap, SoftTargets
from keras_snnkd.errors import FileFormatError, KDError, OutputError, ShapeError, TrainingDivergedError, UnknownNameError
from keras_snnkd.files.staging import read_json, sha256
from tests.distill import tiny

DATA = kd.data.load("digits", limit=200, batch_size=32, augment="shift")


def network(width, **arguments):
    return lambda: kd.models.MLP((8, 8, 1), 10, widths=(width,), **{"timesteps": 2, "name": f"width{width}", **arguments})


def three_stages(**student):
    return [
        Stage("teacher", network(12, neuron="relu"), epochs=2, learning_rate=0.05),
        Stage("assistant", network(8), teacher="teacher", objectives=["soft_targets"], epochs=1),
        Stage(
            **{
                "name": "student",
                "student": network(6),
                "teacher": "assistant",
                "objectives": [FeatureMap(), "soft_targets"],
                "epochs": 1,
                **student,
            }
        ),
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the results of a finished chain."""
    folder = tmp_path_factory.mktemp("chain") / "run"
    return folder, Chain(three_stages(), folder).run(DATA)


class NoTraining(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        pytest.fail("training started")


def run(stages, folder, **arguments):
    """Runs a chain that must not train."""
    return Chain(stages, folder).run(DATA, callbacks=lambda stage: [NoTraining()], **arguments)


def test_each_stage_leaves_its_model_history_and_record(finished):
    folder, results = finished
    assert list(results) == ["teacher", "assistant", "student"]
    for name, result in results.items():
        assert {file.name for file in (folder / name).iterdir()} == {"model.keras", "history.json", "settings.json", "stage.json"}
        model = kd.models.load(folder / name / "model.keras")
        tiny.assert_equal_weights(model, tiny.values(result.model))
        history = read_json(folder / name / "history.json")
        assert history == result.history
        assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history[0])
        model.compile(loss=tiny.crossentropy(), metrics=["accuracy"])
        accuracy = model.evaluate(DATA.validation, verbose=0)[1]
        assert result.record["validation_accuracy"] == pytest.approx(accuracy) == max(row["val_accuracy"] for row in history)
        assert history[result.record["best_epoch"] - 1]["val_accuracy"] == result.record["validation_accuracy"]
    record = read_json(folder / "student" / "stage.json")
    assert record["teacher_sha256"] == sha256(folder / "assistant" / "model.keras")
    assert record["loss"] == "1 label + 1 feature_map(neurons -> neurons) + 1 soft_targets(logits -> logits)"
    assert record["versions"]["keras"] == keras.__version__
    assert record["parameters"] == results["student"].model.count_params()


def test_finished_stages_are_loaded_and_stay_as_they_are(finished):
    folder, results = finished
    files = {file: (file.stat().st_mtime_ns, sha256(file)) for file in folder.rglob("*.*")}
    again = run(three_stages(), folder, resume=True)
    assert files == {file: (file.stat().st_mtime_ns, sha256(file)) for file in folder.rglob("*.*")}
    for name, result in again.items():
        tiny.assert_equal_weights(result.model, tiny.values(results[name].model))
        assert (result.history, result.record) == (results[name].history, results[name].record)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.5}, r"learning_rate was 0.001 and is now 0.5\. Use those again, or another folder"),
        ({"epochs": 3}, "epochs was 1 and is now 3"),
        ({"cache_views": 4}, "cache_views was None and is now 4"),
        ({"objectives": ["soft_targets"]}, "objectives was"),
        ({"objectives": [FeatureMap(weight=2.0), "soft_targets"]}, "objectives was .* is now .*'weight': 2.0"),
        ({"teacher": "teacher"}, "teacher was 'assistant' and is now 'teacher'; teacher_sha256 was"),
        ({"settings": {"model": "mlp:6"}}, "settings was {} and is now {'model': 'mlp:6'}"),
    ],
)
def test_a_finished_stage_with_other_settings_is_refused(finished, changes, message):
    folder, _ = finished
    with pytest.raises(KDError, match=message):
        run(three_stages(**changes), folder, resume=True)


def test_a_folder_that_holds_a_run_is_refused_without_resume(finished):
    folder, _ = finished
    with pytest.raises(KDError, match=r"holds a run already; go on with it \(--resume\) or choose another folder"):
        run(three_stages(), folder)


@pytest.mark.parametrize("name", ["model.keras", "history.json", "stage.json"])
def test_a_finished_stage_that_is_damaged_is_told(finished, tmp_path, name):
    folder, _ = finished
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "student" / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match=re.escape(name)):
        run(three_stages(), tmp_path / "run", resume=True)


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in the middle of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 1:
            raise KeyboardInterrupt


def interrupted(stage, folder):
    with pytest.raises(KeyboardInterrupt):
        Chain([stage], folder).run(DATA, callbacks=lambda stage: [Interrupt()])


@pytest.mark.parametrize("taught", [False, True], ids=["alone", "distilled"])
def test_an_interrupted_stage_ends_as_an_uninterrupted_one(taught, tmp_path):
    """With random encoders in student and teacher too, whose state Keras does not store."""
    arguments = {"epochs": 3, "learning_rate": 0.01}
    if taught:
        teacher = network(12, encoder="poisson")()
        objectives = [FeatureMap(), SoftTargets(2.0)]
        stage = Stage("student", network(6, encoder="poisson"), teacher=teacher, objectives=objectives, **arguments)
    else:
        stage = Stage("student", network(6), **arguments)
    whole = Chain([stage], tmp_path / "whole").run(DATA)["student"]
    interrupted(stage, tmp_path / "cut")
    assert len(read_json(tmp_path / "cut" / "student" / "history.json")) == 1
    resumed = Chain([stage], tmp_path / "cut").run(DATA, resume=True)["student"]
    assert resumed.record["resumed_at_epoch"] == 1
    assert resumed.history == whole.history
    assert len(resumed.history) == 3
    tiny.assert_equal_weights(resumed.model, tiny.values(whole.model))


def test_an_interrupted_stage_with_a_cache_ends_as_an_uninterrupted_one(tmp_path):
    """Stopped while the cache is built, and again while the student learns from it."""

    def stop(stage, done, total):
        if done == total:
            raise KeyboardInterrupt

    teacher, student = Stage("teacher", network(12), epochs=1), taught("student", objectives=[FeatureMap(), SoftTargets(2.0)], epochs=3)
    whole = Chain([teacher, student], tmp_path / "whole").run(DATA)["student"]
    cut, (cache,) = tmp_path / "cut", [tmp_path / "cut" / ".cache" / "teacher-2"]
    with pytest.raises(KeyboardInterrupt):
        Chain([teacher, student], cut).run(DATA, progress=stop)
    files = {file: sha256(file) for file in cache.iterdir()}
    assert {file.name for file in files} == {"cache.json", "logits.bin", "neurons.bin"}
    with pytest.raises(KeyboardInterrupt):
        Chain([teacher, student], cut).run(DATA, resume=True, callbacks=lambda stage: [Interrupt()])
    assert files == {file: sha256(file) for file in cache.iterdir()}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*cache")
        resumed = Chain([teacher, student], cut).run(DATA, resume=True)["student"]
    assert resumed.record["resumed_at_epoch"] == 1
    assert (resumed.record["cache_views"], resumed.record["teacher_cached"]) == (2, True)
    assert resumed.history == whole.history
    tiny.assert_equal_weights(resumed.model, tiny.values(whole.model))
    assert {path.name for path in cut.iterdir()} == {"teacher", "student", "manifest.json"}


def taught(name, **arguments):
    """A stage with a cache."""
    common = {"student": network(6), "teacher": "teacher", "objectives": ["soft_targets"], "cache_views": 2}
    return Stage(name, **{**common, **arguments})


def test_students_of_one_teacher_share_its_cache(tmp_path):
    built = []
    stages = [
        Stage("teacher", network(12), epochs=1),
        taught("first", epochs=1),
        taught("second", epochs=1, objectives=["feature_map"]),
        taught("other_views", epochs=1, cache_views=1),
        Stage("alone", network(6), epochs=1, cache_views=2),
    ]
    results = Chain(stages, tmp_path).run(DATA, progress=lambda stage, done, total: built.append((stage.name, done)), keep_cache=True)
    assert built == [("first", 0), ("first", 180), ("first", 360), ("other_views", 0), ("other_views", 180)]
    caches = {folder.name: {file.name for file in folder.iterdir()} for folder in (tmp_path / ".cache").iterdir()}
    assert caches == {"teacher-1": {"cache.json", "logits.bin"}, "teacher-2": {"cache.json", "logits.bin", "neurons.bin"}}
    assert {name: result.record["teacher_cached"] for name, result in results.items()} == {
        **dict.fromkeys(["first", "second", "other_views"], True),
        **dict.fromkeys(["teacher", "alone"], False),
    }


def no_space(folder, needed):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_stage_whose_teacher_cannot_be_cached_runs_it_on_the_same_views(tmp_path, monkeypatch):
    stages = [taught("student", teacher=network(12)(), objectives=["firing_rate"], epochs=2)]
    cached = Chain(stages, tmp_path / "cached").run(DATA)["student"]
    monkeypatch.setattr("keras_snnkd.distill.cache.check_space", no_space)
    with pytest.warns(UserWarning, match="stage student runs its teacher in every step: cannot write .* of the teacher's outputs"):
        running = Chain(stages, tmp_path / "running").run(DATA)["student"]
    assert not running.record["teacher_cached"]
    assert running.history == cached.history
    tiny.assert_equal_weights(running.model, tiny.values(cached.model))


def test_a_cache_needs_data_with_views(tmp_path):
    with pytest.raises(KDError, match=r"cache_views of stage student needs data with views, as keras_snnkd\.data\.load returns"):
        Chain([Stage("student", network(6), cache_views=2)], tmp_path).run(Poisoned())


def test_an_interrupted_stage_with_other_settings_or_a_damaged_checkpoint_is_refused(tmp_path):
    stage = Stage("student", network(6), epochs=3)
    interrupted(stage, tmp_path)
    with pytest.raises(KDError, match="seed was 0 and is now 1"):
        run([dataclasses.replace(stage, seed=1)], tmp_path, resume=True)
    (checkpoint,) = (tmp_path / "student").glob("epoch-*.weights.h5")
    checkpoint.write_bytes(checkpoint.read_bytes()[:3000])
    with pytest.raises(FileFormatError, match=r"cannot go on from .*epoch-0001\.weights\.h5: .* Delete its folder to train"):
        run([stage], tmp_path, resume=True)


def test_the_same_stages_train_alike_whatever_ran_before(tmp_path):
    """Objectives given as instances do not carry their trained projections from one run, or stage, to the next."""
    teacher = network(12)()
    stage = Stage("student", network(6), teacher=teacher, objectives=[FeatureMap()], epochs=1)
    first = Chain([stage], tmp_path / "first").run(DATA)["student"]
    other = dataclasses.replace(stage, name="other", student=network(4))
    second = Chain([other, stage], tmp_path / "second").run(DATA)["student"]
    assert first.history == second.history
    tiny.assert_equal_weights(first.model, tiny.values(second.model))


def test_a_stage_can_start_from_the_weights_of_another(finished, tmp_path):
    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            weights.append(tiny.values(self.model.student))

    weights = []
    stages = [Stage("first", network(6, neuron="relu"), epochs=1), Stage("second", network(6), start_from="first", epochs=1)]
    results = Chain(stages, tmp_path).run(DATA, callbacks=lambda stage: [Seen()])
    for started, trained in zip(weights[1], tiny.values(results["first"].model), strict=True):
        np.testing.assert_array_equal(started, trained)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objectives": ["soft_target"]}, UnknownNameError, "Did you mean 'soft_targets'"),
        ({"objectives": [{"objective": "soft_targets", "temperature": 0}]}, ValueError, "greater than 0, got 0"),
        ({"objectives": [{"objective": "spike_train", "window": 3}]}, ShapeError, "the window of 3 steps is longer than the student's T=2"),
        ({"objectives": [{"objective": "feature_map", "teacher_tap": "block2_neuron"}]}, UnknownNameError, "Did you mean 'block1_neuron'"),
        ({"student": lambda: kd.models.MLP((8, 8, 1), 9, widths=(6,))}, ShapeError, "10 classes and the student mlp has 9"),
        ({"student": lambda: kd.models.MLP((9, 9, 1), 10, widths=(6,))}, ShapeError, "takes inputs"),
        ({"teacher": None}, ValueError, "soft_targets need a teacher"),
        ({"start_from": "teacher"}, ShapeError, "layer 'block1_dense' has .* in width12 and .* in width6"),
    ],
)
def test_a_last_stage_that_does_not_fit_fails_before_the_first_one_trains(changes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run(three_stages(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("stages", "error", "message"),
    [
        (lambda: [], ValueError, "at least one stage"),
        (lambda: three_stages(teacher="assistent"), UnknownNameError, "named by stage 'student' 'assistent'. Did you mean 'assistant'"),
        (lambda: three_stages(start_from="teachr"), UnknownNameError, "Did you mean 'teacher'"),
        (lambda: three_stages()[::-1], UnknownNameError, "unknown earlier stage, named by stage 'student' 'assistant'.*Known: none"),
        (lambda: three_stages()[:1] * 2, ValueError, "two stages are named 'teacher'"),
        (lambda: [Stage("a/b", network(6))], ValueError, "letters, digits, _ and -, got 'a/b'"),
        (lambda: [Stage("a", network(6), epochs=0)], ValueError, "stage a: epochs must be a whole number above 0, got 0"),
        (lambda: [Stage("a", network(6), cache_views=0)], ValueError, "stage a: cache_views must be a whole number above 0, or None"),
        (lambda: [Stage("a", network(6), learning_rate=0)], ValueError, "stage a: learning_rate must be greater than 0, got 0"),
        (lambda: [Stage("a", network(6), optimizer="sdg")], UnknownNameError, "Did you mean 'sgd'"),
        (lambda: [Stage("a", network(6), schedule="onecycle")], UnknownNameError, "Did you mean 'one_cycle'"),
        (lambda: [Stage("a", network(6), label_smoothing=1.0)], ValueError, "label_smoothing must be a number from 0 to less than 1"),
        (
            lambda: [Stage("a", network(6), epochs=3, stop=4)],
            ValueError,
            "stage a: stop must be one of its 3 epochs, or None for all, got 4",
        ),
    ],
)
def test_a_chain_that_cannot_be_is_refused_when_it_is_made(stages, error, message, tmp_path):
    with pytest.raises(error, match=message):
        Chain(stages(), tmp_path)


def test_a_stage_trains_by_the_optimizer_schedule_and_labels_that_it_names():
    stage = Stage("teacher", network(6), epochs=10, learning_rate=0.5, optimizer="sgd", schedule="one_cycle", label_smoothing=0.1)
    distiller = stage.distiller(stage.student(), None, 2)
    assert isinstance(distiller.optimizer, keras.optimizers.SGD)
    assert float(distiller.optimizer._learning_rate(6)) == pytest.approx(0.5)  # 3 tenths of 20 steps
    assert distiller.loss.label_smoothing == 0.1


def test_a_teacher_that_stops_early_has_the_rates_of_a_whole_training(tmp_path):
    stage = Stage("teacher", network(6), epochs=4, stop=2, learning_rate=0.01)
    whole = dataclasses.replace(stage, epochs=2, stop=None)
    stopped = Chain([stage], tmp_path / "stopped").run(DATA)["teacher"]
    short = Chain([whole], tmp_path / "short").run(DATA)["teacher"]
    assert [len(result.history) for result in (stopped, short)] == [2, 2]
    assert stopped.record["stop"] == 2
    assert stopped.history[1]["loss"] != short.history[1]["loss"]  # the rate of the short one has fallen further


def test_the_record_of_a_stage_without_new_settings_is_as_it_was():
    record = Stage("teacher", network(6)).record()
    assert not {"optimizer", "schedule", "label_smoothing", "stop", "transfer"} & set(record)
    assert Stage("teacher", network(6), optimizer="sgd").record()["optimizer"] == "sgd"


def test_check_returns_the_untrained_distillers():
    distillers = Chain(three_stages(), "unused").check()
    assert [distiller.describe() for distiller in distillers.values()] == [
        "1 label",
        "1 label + 1 soft_targets(logits -> logits)",
        "1 label + 1 feature_map(neurons -> neurons) + 1 soft_targets(logits -> logits)",
    ]
    assert distillers["student"].teacher is distillers["assistant"].student


@dataclasses.dataclass
class Poisoned:
    """Digits whose images are NaN from the second epoch on."""

    steps_per_epoch: int = DATA.steps_per_epoch
    validation: tf.data.Dataset = dataclasses.field(default_factory=lambda: DATA.validation)

    def training(self, initial_epoch):
        def poison(step, batch):
            return tf.where(step < self.steps_per_epoch, batch[0], np.nan), batch[1]

        return DATA.training(initial_epoch).enumerate().map(poison)


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
    with pytest.raises(OutputError, match=r"cannot write .*settings\.json: Not a directory\. .* choose another folder"):
        run(three_stages(), tmp_path / "file" / "run")


def test_the_best_epoch_is_the_first_with_the_highest_value(tmp_path):
    model = tiny.compiled(tiny.plain())
    checkpoints = Checkpoints(tmp_path)
    checkpoints.set_model(model)
    for epoch, accuracy in enumerate([0.5, 0.8, 0.8, 0.6]):
        model.student.set_weights([np.full(weight.shape, epoch) for weight in model.student.weights])
        checkpoints.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert checkpoints.load_best(model) == 2
    assert all(np.all(value == 1) for value in tiny.values(model.student))
    assert [file.name for file in sorted(tmp_path.glob("*.h5"))] == ["best-0002.weights.h5", "epoch-0004.weights.h5"]
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
