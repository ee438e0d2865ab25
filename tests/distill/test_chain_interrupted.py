"""An interrupted chain ends as an uninterrupted one, with a cache of its teacher or without."""

import dataclasses
import errno
import os
import warnings

import keras
import pytest

from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.objectives import FeatureMap, SoftTargets
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.files.staging import read_json, sha256
from tests.distill import tiny
from tests.distill.chain_cases import DATA, Poisoned, network, run
from tests.sampling import sampled


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in the middle of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 1:
            raise KeyboardInterrupt


def trained_teacher(folder, **arguments):
    """One that knows more than guessing does; others are refused."""
    stage = Stage("teacher", network(12, **arguments), epochs=10, learning_rate=0.02)
    return Chain([stage], folder).run(DATA)["teacher"].model


def interrupted(stage, folder):
    with pytest.raises(KeyboardInterrupt):
        Chain([stage], folder).run(DATA, callbacks=lambda stage: [Interrupt()])


@pytest.mark.parametrize("taught", sampled([False, True]), ids=["alone", "distilled"])
def test_an_interrupted_stage_ends_as_an_uninterrupted_one(taught, tmp_path):
    """With random encoders in student and teacher too, whose state Keras does not store."""
    arguments = {"epochs": 3, "learning_rate": 0.01}
    if taught:
        teacher = trained_teacher(tmp_path / "teacher", encoder="poisson")
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_stage_whose_teacher_cannot_be_cached_runs_it_on_the_same_views(tmp_path, monkeypatch):
    stages = [taught("student", teacher=trained_teacher(tmp_path / "teacher"), objectives=["firing_rate"], epochs=2)]
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
