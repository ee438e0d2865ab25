"""Training on several devices and in several processes gives what one device gives; a killed worker costs no more than its epoch."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import KDError, UnknownNameError
from keras_snnkd.training import strategy

ROOT = pathlib.Path(__file__).parents[2]
PATIENCE = 300
"""Seconds after which a process of a test is killed, on the slowest machine."""


def start(folder, name, *options, cluster=None, index=0):
    """A process of `tests.strategies.program`, in a process group of its own."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    if cluster:
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": {"type": "worker", "index": index}})
    command = [sys.executable, "-m", "tests.strategies.program", str(folder), name, *options]
    with open(folder / f"{name}{index}.log", "w") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def addresses(count):
    """Of so many workers on this machine, at ports that are free."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return found


def finish(processes):
    """The exit statuses of processes, of which none outlives this."""
    try:
        return [process.wait(PATIENCE) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def workers(folder, count, *options):
    """The exit statuses of so many workers."""
    cluster = addresses(count)
    return finish([start(folder, "multiworker", *options, cluster=cluster, index=index) for index in range(count)])


def log(folder, file):
    return (folder / f"{file}.log").read_text()


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory):
    """The folder with what one device, and two, of one machine give."""
    folder = tmp_path_factory.mktemp("one_machine")
    assert finish([start(folder, "none+mirrored")]) == [0], log(folder, "none+mirrored0")
    return folder


@pytest.fixture
def alone(one_machine):
    """What one device gives."""
    return dict(np.load(one_machine / "none0.npz"))


def assert_same(alone, file, but=("replicas",)):
    """Losses, accuracies and weights are those of one device."""
    found = dict(np.load(file))
    assert set(found) == set(alone)
    assert {"student history spike_train", "student history val_accuracy", "student weight 7", "teacher accuracy"} < set(alone)
    assert alone["student cached"]
    for name in set(alone) - set(but):
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-4, atol=1e-5, err_msg=name)
    return found


@pytest.mark.slow
def test_two_devices_of_one_machine_train_as_one(alone, one_machine):
    assert assert_same(alone, one_machine / "mirrored0.npz")["replicas"] == 2


@pytest.mark.slow
def test_three_workers_train_as_one(alone, tmp_path):
    assert workers(tmp_path, 3) == [0, 0, 0], log(tmp_path, "multiworker0")
    for index in range(3):
        assert assert_same(alone, tmp_path / f"multiworker{index}.npz")["replicas"] == 3
    assert not [file for file in tmp_path.rglob("*") if ".unfinished-" in file.name or file.name.endswith(".weights.h5")]


@pytest.mark.slow
def test_one_of_two_workers_is_killed_and_the_run_resumed_trains_as_one(alone, tmp_path):
    status, killed = workers(tmp_path, 2, "--die")
    assert (status, killed) == (1, -signal.SIGKILL)
    assert "error: this worker cannot go on without the others: lost worker 1." in log(tmp_path, "multiworker0")
    assert "--resume" in log(tmp_path, "multiworker0")
    assert workers(tmp_path, 2, "--resume") == [0, 0], log(tmp_path, "multiworker0")
    for index in range(2):
        found = assert_same(alone, tmp_path / f"multiworker{index}.npz", but=("replicas", "resumed"))
        assert (found["replicas"], found["resumed"]) == (2, 1)


def test_each_device_gets_its_part_of_the_same_batches():
    data = kd.data.load("digits", batch_size=12, augment="shift", limit=60)
    whole, *parts = (
        list(data.training(1, places=True, replicas=replicas, of=of).take(take).as_numpy_iterator())
        for replicas, of, take in [(range(1), 1, 2), (range(2), 4, 4), (range(2, 4), 4, 4)]
    )
    for step, batch in enumerate(whole):
        mine = [part[2 * step + replica] for part in parts for replica in range(2)]
        for tensor, expected in enumerate(batch):
            np.testing.assert_array_equal(np.concatenate([piece[tensor] for piece in mine]), expected)


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(ValueError, match="50 images in a batch cannot be divided evenly among 4 devices; choose a --batch-size"):
        kd.data.load("digits", batch_size=50, limit=200).training(of=4)


def test_without_a_strategy_there_is_one_replica_which_is_the_chief():
    assert strategy.get("none") is None
    with strategy.scope(None):
        assert (strategy.replicas(), strategy.is_chief(), strategy.across_workers(), strategy.from_chief(3)) == (1, True, False, 3)
    assert strategy.reducible({"loss": 1.0}) == {"loss": 1.0}


@pytest.mark.parametrize(
    "config",
    [
        None,
        "",
        "{",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_cluster_that_is_not_described_is_told_before_anything_starts(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(KDError, match=r"needs TF_CONFIG .* such as \{\"cluster\""):
        strategy.get("multiworker")


def test_a_comparison_runs_on_one_device():
    assert kd.Recipe(strategy="mirrored").resolved().strategy == "mirrored"
    with pytest.raises(ValueError, match="--mode compare runs on one device, got --strategy mirrored"):
        kd.Recipe(mode="compare", strategy="mirrored").resolved()


def test_strategies_need_tensorflow(monkeypatch):
    with pytest.raises(UnknownNameError, match="Did you mean 'mirrored'"):
        strategy.get("mirored")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(KDError, match="needs KERAS_BACKEND=tensorflow, and the backend is jax"):
        strategy.get("mirrored")
    assert (strategy.replicas(), strategy.is_chief()) == (1, True)
