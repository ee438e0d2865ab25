"""Disks that are full or cannot be written: a clear error, and nothing finished is lost."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.errors import OutputError
from keras_snnkd.files.staging import read_json, write_json
from tests.distill import tiny
from tests.integration.tiny import TINY, run

SIZE = 6 << 20
DATA = kd.data.load("digits", limit=60, batch_size=20)


class Disk:
    """A disk of 6 MB: a tmpfs where mounting is allowed, else a folder in which this process may not write more."""

    def __init__(self, folder, patch):
        self.folder, self.patch = folder, patch
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
        self.mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, free=0):
        if self.mounted:
            with contextlib.suppress(OSError), open(self.folder / "filler", "wb", buffering=0) as file:
                for _ in range((shutil.disk_usage(self.folder).free - free) // 4096):
                    file.write(bytes(4096))
            return
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (free, self.limits[1]))
        self.patch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))

    def empty(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
        (self.folder / "filler").unlink(missing_ok=True)

    def read_only(self):
        """From now on; returns a folder that cannot be written. Root can write everywhere but where the kernel says no."""
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
        else:
            self.folder.chmod(0o555)
        return Path("/proc/self") if not self.mounted and os.geteuid() == 0 else self.folder

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
        self.folder.chmod(0o755)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    made = Disk(tmp_path / "disk", monkeypatch)
    yield made
    made.close()


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "filler"}


def network(width=4, name="student"):
    return kd.models.MLP((8, 8, 1), 10, widths=(width,), timesteps=2, name=name)


def test_a_file_that_does_not_fit_leaves_the_old_one(disk):
    path = disk.folder / "results.json"
    write_json(path, {"accuracy": 0.5})
    disk.fill()
    with pytest.raises(OutputError, match=r"cannot write .*results\.json: (No space left|File too large)"):
        write_json(path, {"accuracy": [0.5] * 10000})
    assert read_json(path) == {"accuracy": 0.5}
    assert set(os.listdir(disk.folder)) <= {"results.json", "filler"}


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(disk):
    model, checkpoints = tiny.compiled(tiny.plain()), Checkpoints(disk.folder)
    checkpoints.set_model(model)
    checkpoints.on_epoch_end(0, {"val_accuracy": 0.5})
    before = tiny.values(model)
    disk.fill(free=100_000)
    with pytest.raises(OutputError, match=r"cannot write .*0002\.weights\.h5: No space left on device"):
        checkpoints.on_epoch_end(1, {"val_accuracy": 0.6})
    model.student.set_weights([0 * weight for weight in model.student.get_weights()])
    assert Checkpoints(disk.folder).resume(model) == 1
    tiny.assert_equal_weights(model, before)


class Fills(keras.callbacks.Callback):
    """Leaves no space once the first epoch is kept."""

    def __init__(self, disk):
        super().__init__()
        self.disk = disk

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.disk.fill(free=8192)


@pytest.mark.slow
def test_a_chain_whose_disk_fills_up_goes_on_where_there_is_space_again(disk):
    folder, stages = disk.folder / "run", [kd.Stage("first", network, epochs=1), kd.Stage("second", network, epochs=2)]
    with pytest.raises(OutputError, match=r"cannot write .*second.*(No space left|File too large)"):
        kd.Chain(stages, folder).run(DATA, callbacks=lambda stage: [Fills(disk)])
    first = contents(folder / "first")
    disk.empty()
    resumed = kd.Chain(stages, folder).run(DATA, resume=True)
    assert resumed["second"].record["resumed_at_epoch"] == 1
    assert contents(folder / "first") == first
    assert resumed["second"].model.count_params() == kd.models.load(folder / "second" / "model.keras").count_params()


def test_a_cache_that_does_not_fit_is_told_before_the_teacher_runs(disk, monkeypatch):
    cache = kd.TeacherCache(network(), DATA, ["logits"], disk.folder / "cache")
    monkeypatch.setattr(kd.TeacherCache, "_write", lambda *arguments: pytest.fail("the teacher ran"))
    disk.fill(free=100_000)
    with pytest.raises(OutputError, match=r"MB of the teacher's outputs to .*cache .*No space left on device.*\(--cache 0\)"):
        cache.build()


def test_an_export_that_does_not_fit_leaves_the_old_files(disk):
    folder, images = disk.folder / "saved_model", np.random.default_rng(0).random((4, 8, 8, 1), "float32")
    folder.mkdir()
    (folder / "saved_model.pb").write_text("the old one")
    disk.fill(free=8192)
    with pytest.raises(OutputError, match=r"cannot write .*saved_model"):
        kd.export.saved_model(network(), folder, samples=images)
    assert contents(disk.folder) == {(folder / "saved_model.pb").relative_to(disk.folder): b"the old one"}


def test_a_folder_that_cannot_be_written_ends_a_run_before_it_begins(disk, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = disk.read_only()
    for option in ("--out", "--saved-models"):
        assert run("--mode", "baseline", *TINY, option, place / "there") == 1
        assert f"error: cannot write to {place}" in capsys.readouterr().err.replace("\n", " ")
    assert not list(disk.folder.iterdir())
    assert not list(tmp_path.rglob("model.keras"))


def test_a_finished_chain_is_read_from_where_nothing_can_be_written(disk):
    stages = [kd.Stage("first", network, epochs=1)]
    before = kd.Chain(stages, disk.folder / "run").run(DATA)["first"]
    disk.read_only()
    after = kd.Chain(stages, disk.folder / "run").run(DATA, resume=True)["first"]
    assert after.record == {**before.record, **{key: value for key, value in after.record.items() if key not in before.record}}
    for mine, yours in zip(before.model.weights, after.model.weights, strict=True):
        np.testing.assert_array_equal(mine, yours)
