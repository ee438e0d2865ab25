"""The same numbers as the package NeuroBench gives for the same weights and images; the script, the versions and the definitions are in
`tests/oracles/neurobench_numbers.py`."""

import importlib.util
import json

import numpy as np
import pytest

from keras_snnkd import metrics, models
from tests.harness import DATA
from tests.oracles import neurobench_numbers as oracle

NETWORKS = oracle.NETWORKS


def ours(name, arrays, images):
    """Our numbers under NeuroBench's names, and the model."""
    model = models.build(NETWORKS[name]["spec"], (8, 8, 1), oracle.CLASSES, neuron=NETWORKS[name]["neuron"], timesteps=oracle.TIMESTEPS)
    model.set_weights(arrays)
    operations = metrics.synaptic_operations(model, images, batch_size=oracle.BATCH)
    return {
        "Footprint": metrics.footprint(model),
        "ConnectionSparsity": round(metrics.connection_sparsity(model), 4),
        "ActivationSparsity": metrics.activation_sparsity(model, images, batch_size=oracle.BATCH),
        "SynapticOperations": {
            "Effective_MACs": operations.effective_macs,
            "Effective_ACs": operations.effective_acs,
            "Dense": operations.dense,
        },
    }, model


def assert_same(found, expected):
    assert found["SynapticOperations"] == expected["SynapticOperations"]
    assert found["ActivationSparsity"] == pytest.approx(expected["ActivationSparsity"], abs=1e-12)  # theirs is a mean of batches
    assert {key: found[key] for key in ("Footprint", "ConnectionSparsity")} == {
        key: expected[key] for key in ("Footprint", "ConnectionSparsity")
    }


@pytest.mark.every(3)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_stored_numbers_of_neurobench(name):
    with np.load(DATA / "neurobench.npz") as stored:
        arrays = [stored[key] for key in sorted(stored.files) if key.startswith(f"{name}/weight")]
        expected, images = json.loads(str(stored[f"{name}/numbers"])), stored["images"]
    assert 0.2 < expected["ActivationSparsity"] < 0.98, "a network that does nothing proves nothing"
    found, model = ours(name, arrays, images)
    assert_same(found, expected)
    once = metrics.twin_operations(model)
    assert once == expected["SynapticOperations"]["Dense"] if name == "twin" else once < expected["SynapticOperations"]["Dense"]


def test_a_twin_performs_what_its_spiking_network_performs_in_one_step():
    with np.load(DATA / "neurobench.npz") as stored:
        dense = json.loads(str(stored["twin/numbers"]))["SynapticOperations"]["Dense"]
    spiking = models.build(NETWORKS["spiking"]["spec"], (8, 8, 1), oracle.CLASSES, timesteps=7, encoder="latency")
    assert metrics.twin_operations(spiking) == dense


@pytest.mark.skipif(not importlib.util.find_spec("neurobench"), reason="pip install --no-deps neurobench, beside the extra bench")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_numbers_of_neurobench_here(name):
    arrays = oracle.weights(NETWORKS[name]["spec"], seed=2)
    found, _ = ours(name, arrays, oracle.images())
    assert_same(found, oracle.numbers(**NETWORKS[name], arrays=arrays))
