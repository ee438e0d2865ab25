"""JAX: the same spikes, gradients and losses as TensorFlow, and what Keras' own step has to do besides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.run.finished.measuring import EXPORT_LATER, Measuring
from tests.backends import program

pytest.importorskip("jax")

ROOT = Path(__file__).parents[2]
WITHOUT_TENSORFLOW = """
import pathlib, sys
sys.modules["tensorflow"] = None  # any import of it fails
from tests.backends import program
program.write(pathlib.Path(sys.argv[1]))
"""


def start(code):
    """Python on JAX, with XLA's optimizations off: it compiles in half the time."""
    more = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0", "TF_CPP_MIN_LOG_LEVEL": "2"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *code], cwd=ROOT, env={**os.environ, **more}, **pipes)


def finish(process):
    """What the process printed."""
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]
    return printed


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The results of `program` on TensorFlow, those on JAX where TensorFlow cannot be imported, and the folder."""
    folder = tmp_path_factory.mktemp("both")
    keras.utils.set_random_seed(0)
    for model in program.models():
        model.save(folder / f"{model.name}.keras")
    process = start(["-c", WITHOUT_TENSORFLOW, str(folder)])
    program.write(folder)
    finish(process)
    results = [dict(np.load(folder / f"{backend}.npz")) for backend in ("tensorflow", "jax")]
    assert set(results[0]) == set(results[1])
    return *results, folder


ONE_SPIKE = 0.05
"""By how much what follows the early steps may differ. On each kind of processor products are added in another order; on one of them a
membrane comes so near to the threshold after eleven steps that one spike of thousands falls the other way: losses change by up to 1.4 %."""


def assert_close(both, start, rtol, atol=0.0, first=None):
    """What starts so is equal on both backends, or the first numbers of it."""
    names = [name for name in both[0] if name.startswith(start)]
    assert names
    for name in names:
        here, there = (np.atleast_1d(results[name])[:first] for results in both[:2])
        np.testing.assert_allclose(there, here, rtol, atol, err_msg=name)


@pytest.mark.merge
@pytest.mark.parametrize("neuron", program.NEURONS)
def test_neurons_give_the_same_outputs_and_gradients(neuron, both):
    for timesteps, policy in program.RUNS:
        run = f"{neuron} T={timesteps} {policy}"
        outputs, gradient = both[0][f"{run} output 0"], both[0][f"{run} gradient 0"]
        assert 0 < np.mean(outputs) < 1
        assert np.any(gradient != 0)
        if neuron != "LeakyIntegrator":
            np.testing.assert_array_equal(both[1][f"{run} output 0"], outputs)
        assert_close(both, run, 1e-5 if policy == "float32" else 1e-2, 1e-5)


@pytest.mark.merge
def test_cells_train_alike(both):
    assert np.ptp(both[0]["cells loss"]) > 1e-3
    assert_close(both, "cells", 1e-5)


@pytest.mark.merge
def test_twenty_steps_of_distillation_have_the_same_losses(both):
    loss = both[0]["steps loss"]
    assert len(loss) == 20
    assert loss[-1] < loss[0]
    assert {"steps soft_targets", "steps spike_train", "steps feature_map", "steps accuracy"} < set(both[0])
    assert_close(both, "steps", 1e-5, first=program.EARLY)
    assert_close(both, "steps", ONE_SPIKE)


@pytest.mark.merge
def test_they_lead_to_the_same_weights_and_evaluation(both):
    assert {"epochs loss", "epochs val_loss", "epochs val_accuracy", "evaluated loss", "evaluated accuracy"} < set(both[0])
    assert not {"epochs val_soft_targets", "evaluated soft_targets"} & set(both[1])
    assert_close(both, "epochs", 1e-5, first=2)
    assert_close(both, "early", 1e-4, 1e-6)
    for start in ("epochs", "evaluated", "weight"):
        assert_close(both, start, ONE_SPIKE, 0.02)
    assert both[1]["weight distiller/soft_targets_weight"] == program.EPOCHS  # the schedule's last value


@pytest.mark.merge
def test_rates_train_alike(both):
    loss = both[0]["rates loss"]
    assert len(loss) == 10
    assert loss[-1] < loss[0]
    assert_close(both, "rates", 1e-4, 1e-6)


@pytest.mark.merge
def test_a_file_gives_the_same_spikes_on_both(both):
    assert 0 < np.mean(both[0]["spikes"]) < 1
    np.testing.assert_array_equal(both[1]["spikes"], both[0]["spikes"])
    assert_close(both, "logits", 1e-5, 1e-6)
    trained = kd.models.load(both[2] / "trained_jax.keras")
    np.testing.assert_allclose(trained.predict(program.IMAGES, verbose=0), both[1]["trained logits"], 1e-5, 1e-6)
    assert np.any(np.abs(both[1]["trained logits"] - both[1]["logits"]) > 0.01)


def on_jax(folder, *parts):
    """What `on_jax` found of these parts."""
    return json.loads(finish(start(["-m", "tests.backends.on_jax", str(folder), *parts])).splitlines()[-1])


@pytest.fixture(scope="module")
def trained_on_jax(tmp_path_factory):
    return on_jax(tmp_path_factory.mktemp("trained_on_jax"), "steps", "chain")


@pytest.fixture(scope="module")
def refused_on_jax(tmp_path_factory):
    return on_jax(tmp_path_factory.mktemp("refused_on_jax"), "export")["export"]


@pytest.mark.slow
def test_one_trace_sees_every_weight_and_new_random_numbers(trained_on_jax):
    steps = trained_on_jax["steps"]
    assert steps["traces"] == 1
    values = steps["values"]
    assert len(set(values)) == 3
    assert steps["losses"] == pytest.approx([2.0 * epoch * value for epoch, value in enumerate(values)], rel=1e-5)


@pytest.mark.slow
def test_an_interrupted_chain_goes_on(trained_on_jax):
    found = trained_on_jax["chain"]
    assert found["stopped"]
    assert (found["resumed_at_epoch"], found["epochs"]) == (1, 2)
    assert "jax" in found["versions"]
    assert 0 <= found["validation_accuracy"] <= 1


@pytest.mark.merge
@pytest.mark.parametrize("function", ["litert", "saved_model", "export_all", "freeze"])
def test_export_tells_the_way_over_tensorflow(function, refused_on_jax):
    for part in ("Keras runs on jax", "model.save('width6.keras')", "KERAS_BACKEND=tensorflow", "train.py --mode export"):
        assert part in refused_on_jax[function]


def test_an_experiment_leaves_the_files_to_tensorflow(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    measuring = Measuring(kd.Recipe(dataset="digits"), None, tmp_path, None)
    for name in ("teacher", "student"):
        assert measuring.export(None, name) == ({}, [])
    assert measuring.notes == [EXPORT_LATER]
