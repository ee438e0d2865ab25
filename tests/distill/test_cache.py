"""A cached teacher teaches as one that runs, and a cache that is stale, cut or damaged is never used."""

import dataclasses
import warnings
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill import cache as module
from keras_snnkd.distill.cache import TeacherCache
from keras_snnkd.errors import ForeignFolderError, KDError, OutputError, UnknownNameError
from tests.distill import tiny
from tests.sampling import sampled

DATA = kd.data.load("digits", limit=200, batch_size=32, augment="shift+cutout", views=2)
IMAGES = 2 * len(DATA.train_arrays[0])
TAPS = ["logits", "neurons"]


def network(width, **arguments):
    return kd.models.MLP((8, 8, 1), 10, widths=(width,), timesteps=2, threshold=0.5, name=f"width{width}", **arguments)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART", 50)


@pytest.fixture
def no_teacher(monkeypatch):
    monkeypatch.setattr(TeacherCache, "_run", lambda *arguments: pytest.fail("the teacher ran"))


@pytest.fixture
def runs(monkeypatch):
    """The numbers of images on which the teacher runs."""
    counted, run = [], TeacherCache._run
    monkeypatch.setattr(TeacherCache, "_run", lambda cache, places: counted.append(len(places)) or run(cache, places))
    return counted


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def built(teacher, folder, data=DATA, taps=TAPS):
    TeacherCache(teacher, data, taps, folder).build()
    return content(folder)


def rows_and_record(files):
    """Without the manifest, which has a name of its own for each folder."""
    return {name: held for name, held in files.items() if name != "manifest.json"}


# what it gives


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the list of mapped files is Linux'")
def test_a_closed_cache_holds_no_file_and_opens_it_again_when_it_is_read(tmp_path):
    def mapped():
        return str(tmp_path) in Path("/proc/self/maps").read_text()

    cache = TeacherCache(network(12), DATA, TAPS, tmp_path)
    batches = cache.training()
    assert not mapped()
    (first, _) = next(iter(batches))
    assert mapped()
    cache.close()
    assert not mapped()
    (again, _) = next(iter(batches))
    np.testing.assert_array_equal(again["teacher"]["logits"], first["teacher"]["logits"])


def test_each_batch_brings_what_the_teacher_does_on_its_very_images(tmp_path):
    teacher = network(12)
    taps = kd.TapModel(teacher, TAPS)
    cache = TeacherCache(teacher, DATA, TAPS, tmp_path)
    plain = DATA.training(1)
    for (inputs, labels), (images, same_labels) in zip(cache.training(1).take(12), plain, strict=False):
        np.testing.assert_array_equal(inputs["inputs"], images)
        np.testing.assert_array_equal(labels, same_labels)
        assert set(inputs["teacher"]) == set(TAPS)
        expected = taps(images)
        spikes, logits = (inputs["teacher"][name] for name in ("neurons", "logits"))
        assert 0 < np.mean(spikes) < 1
        assert spikes.dtype == logits.dtype == "float32"
        np.testing.assert_array_equal(spikes, expected["neurons"])
        np.testing.assert_allclose(logits, expected["logits"], rtol=2**-11, atol=1e-5)
        assert np.any(logits != expected["logits"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objectives", "tolerance"),
    [([{"objective": "spike_train", "window": 1}], 0), (["soft_targets", "feature_map"], 1e-4)],
    ids=["spikes", "floats"],
)
def test_a_student_learns_from_the_cache_as_from_the_teacher(objectives, tolerance, tmp_path):
    def losses(cached):
        keras.utils.set_random_seed(0)
        teacher, seen = network(12), []
        distiller = tiny.compiled(network(6), teacher, objectives, keras.optimizers.Adam(0.01))
        source = DATA
        if cached:
            source = TeacherCache(teacher, DATA, distiller.teacher_taps, tmp_path)
            source.build()
            for weight in teacher.weights:
                weight.assign(np.nan * weight)  # it does not run any more
        each_step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: seen.append(logs))
        distiller.fit(source.training(), steps_per_epoch=5, epochs=4, callbacks=[each_step], verbose=0, shuffle=False)
        return seen

    without, cached = losses(False), losses(True)
    assert len(without) == 20
    for step, other in zip(without, cached, strict=True):
        assert other == pytest.approx(step, rel=tolerance, abs=0)


@pytest.mark.slow
def test_evaluation_of_batches_with_taps_is_the_students_own(tmp_path):
    distiller = tiny.compiled(network(6), network(12), ["soft_targets"], metrics=["accuracy"])
    cache = TeacherCache(distiller.teacher, DATA, distiller.teacher_taps, tmp_path)
    results = [distiller.evaluate(source.training().take(4), verbose=0) for source in (cache, DATA)]
    assert results[0] == pytest.approx(results[1])


def test_a_batch_without_a_tap_that_an_objective_reads_is_refused(tmp_path):
    distiller = tiny.compiled(network(6), network(12), ["soft_targets", "feature_map"])
    assert distiller.teacher_taps == ["logits", "neurons"]
    cache = TeacherCache(distiller.teacher, DATA, ["logits"], tmp_path)
    with pytest.raises(KDError, match=r"bring the teacher's taps logits, and the objectives read neurons too; cache all of distiller"):
        distiller.fit(cache.training(), steps_per_epoch=1, verbose=0)


def test_without_augmentation_one_view_is_enough(tmp_path):
    data = dataclasses.replace(DATA, augment="none", views=None)
    cache = TeacherCache(network(12), data, ["neurons"], tmp_path)
    assert len(list(cache.training().take(8))) == 8
    assert (tmp_path / "neurons.bin").stat().st_size == IMAGES // 2 * 3  # 2 steps of 12 neurons are 24 bits


# what it keeps


@pytest.mark.slow
def test_an_interrupted_build_goes_on_and_ends_as_an_uninterrupted_one(tmp_path, runs):
    """With a random teacher too, whose answers depend on nothing but the part."""

    def stop(done, total):
        assert total == IMAGES
        if done == 150:
            raise KeyboardInterrupt

    teacher = network(12, encoder="poisson")
    with pytest.warns(UserWarning, match="keeps one answer for each view, and the teacher width12 is random"):
        whole = built(teacher, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        TeacherCache(teacher, DATA, TAPS, tmp_path / "cut").build(stop)
    runs.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert rows_and_record(built(teacher, tmp_path / "cut")) == rows_and_record(whole)
    assert sum(runs) == IMAGES - 150


def test_a_finished_cache_is_opened_without_the_teacher(tmp_path, request):
    teacher = network(12)
    before = built(teacher, tmp_path)
    teacher.save(tmp_path / "teacher.keras")
    request.getfixturevalue("no_teacher")
    loaded = kd.models.load(tmp_path / "teacher.keras")
    (tmp_path / "teacher.keras").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert built(loaded, tmp_path) == before


CHANGES = {
    "teacher": lambda data: data,
    "data": lambda data: dataclasses.replace(data, name="other"),
    "augment": lambda data: dataclasses.replace(data, augment="shift"),
    "seed": lambda data: dataclasses.replace(data, seed=1),
    "views": lambda data: dataclasses.replace(data, views=3),
}


@pytest.mark.every(4)
@pytest.mark.parametrize("changed", sampled(CHANGES, "teacher", "views"))
def test_a_cache_of_something_else_is_computed_anew(changed, tmp_path):
    teacher = network(12)
    built(teacher, tmp_path / "cache")
    data = CHANGES[changed](DATA)
    if changed == "teacher":
        teacher.get_layer("classifier").layer.bias.assign(np.ones(10))
    with pytest.warns(UserWarning, match=rf"is computed anew: made with other settings \({changed}\)"):
        again = built(teacher, tmp_path / "cache", data)
    assert rows_and_record(again) == rows_and_record(built(teacher, tmp_path / "fresh", data))


def test_other_taps_are_computed_anew_and_the_old_ones_go(tmp_path):
    teacher = network(12)
    built(teacher, tmp_path)
    with pytest.warns(UserWarning, match=r"made with other settings \(taps\)"):
        assert set(built(teacher, tmp_path, taps=["block1_norm"])) == {"cache.json", "block1_norm.bin", "manifest.json"}


def flip(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)


DAMAGE = {
    "flipped bit": (lambda folder: flip(folder / "neurons.bin", 3 * 60), "is damaged in 1 of 8 parts", 50),
    "cut short": (lambda folder: (folder / "logits.bin").write_bytes(b"half"), "is damaged in 8 of 8 parts", IMAGES),
    "file missing": (lambda folder: (folder / "logits.bin").unlink(), "is damaged in 8 of 8 parts", IMAGES),
    "cut header": (lambda folder: (folder / "cache.json").write_text('{"key'), "computed anew: .* is not a JSON file", IMAGES),
    "foreign header": (lambda folder: (folder / "cache.json").write_text("[1]"), "computed anew: .*cache.json has no checksum", IMAGES),
    "changed header": (
        lambda folder: (folder / "cache.json").write_text((folder / "cache.json").read_text().replace("float32", "float64")),
        "computed anew: .*cache.json is damaged",
        IMAGES,
    ),
}


@pytest.mark.every(3)
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_computed_anew(damage, tmp_path, runs):
    do, message, images = DAMAGE[damage]
    teacher = network(12)
    before = built(teacher, tmp_path)
    do(tmp_path)
    assert content(tmp_path) != before
    runs.clear()
    with pytest.warns(UserWarning, match=message):
        assert built(teacher, tmp_path) == before
    assert images <= sum(runs) <= images + DATA.batch_size  # one batch to choose how taps are stored


# what it leaves alone


def test_a_folder_that_holds_anything_else_is_refused_and_stays_as_it_is(tmp_path, no_teacher):
    for name in ("weights.bin", "logits.bin", "cache.json"):
        (tmp_path / name).write_text("mine")
    before = content(tmp_path)
    with pytest.raises(ForeignFolderError, match=r"holds cache.json, logits.bin, weights.bin, which this package did not make"):
        TeacherCache(network(12), DATA, TAPS, tmp_path).build()
    assert content(tmp_path) == before


def test_files_that_came_later_outlive_a_cache_that_is_computed_anew_and_its_removal(tmp_path):
    teacher = network(12)
    built(teacher, tmp_path)
    (tmp_path / "mine.bin").write_text("mine")
    with pytest.warns(UserWarning, match="is computed anew"):
        built(teacher, tmp_path, taps=["block1_norm"])
    cache = TeacherCache(teacher, DATA, ["block1_norm"], tmp_path)
    cache.remove()
    assert content(tmp_path) == {"mine.bin": b"mine"}


# what it refuses


def test_a_disk_too_full_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    needed = IMAGES * (2 * 20 + 3)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2 * needed + 2**20 - 1))
    cache = TeacherCache(network(12), DATA, TAPS, tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .* MB of the teacher's outputs .*No space left on device.*\(--cache 0\)"):
        cache.build()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=2 * needed + 2**20))
    cache.build()
    assert sum(file.stat().st_size for file in tmp_path.glob("*.bin")) == needed


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/cache.*Not a directory"):
        TeacherCache(network(12), DATA, TAPS, tmp_path / "file" / "cache").build()


def test_outputs_beyond_float16_are_refused(tmp_path):
    teacher = network(12)
    teacher.get_layer("classifier").layer.bias.assign(np.full(10, 1e5))
    with pytest.raises(KDError, match=r"the taps .*logits.* of width12 cannot be cached: values are NaN or beyond the range of float16"):
        TeacherCache(teacher, DATA, TAPS, tmp_path).build()


@pytest.mark.parametrize(
    ("data", "taps", "error", "message"),
    [
        (dataclasses.replace(DATA, views=None), TAPS, ValueError, r"shows new views .*\(augment='shift\+cutout', mixup=0\).*views=4"),
        (DATA, [], ValueError, "no taps to cache"),
        (DATA, ["block1_neurn"], UnknownNameError, "Did you mean 'block1_neuron'"),
    ],
    ids=["views", "no taps", "unknown tap"],
)
def test_what_cannot_be_cached_is_refused(data, taps, error, message, tmp_path):
    with pytest.raises(error, match=message):
        TeacherCache(network(12), data, taps, tmp_path)


def test_mixed_images_are_cached_as_the_student_sees_them(tmp_path):
    data = dataclasses.replace(DATA, mixup=0.5)
    teacher = network(12)
    batch, labels = next(iter(TeacherCache(teacher, data, TAPS, tmp_path).training()))
    np.testing.assert_allclose(np.mean(batch["teacher"]["logits"], axis=1), teacher(batch["inputs"]), atol=2e-3)
    assert labels.shape == (32, 10)
    with pytest.warns(UserWarning, match="mixup"):
        TeacherCache(teacher, DATA, TAPS, tmp_path).build()


def test_new_mixtures_in_each_epoch_cannot_be_cached(tmp_path):
    data = kd.data.load("digits", limit=200, mixup=0.2)
    with pytest.raises(ValueError, match=r"mixup=0\.2.*cannot be cached"):
        TeacherCache(network(12), data, TAPS, tmp_path)
