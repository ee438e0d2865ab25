"""What a student may cost and what it costs."""

import json

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.tuning import budget
from keras_snnkd.tuning.budget import Budget, Footprints
from keras_snnkd.tuning.outcome import Outcome

IMAGES = np.random.default_rng(0).random((20, 8, 8, 1), "float32")


def recipe(**settings):
    return kd.Recipe(**{"mode": "baseline", "student": "convnet:4,pool,6,flatten", "timesteps": 2, **settings}).resolved()


def build(wanted):
    return kd.models.build(wanted.student, (8, 8, 1), 10, timesteps=wanted.timesteps)


def test_limits_come_from_the_recipe_and_exceeding_them_is_told():
    limits = Budget.of(kd.Recipe(mode="tune", max_params=5000, max_synops=2e6))
    assert limits.limits == {"parameters": 5000, "synaptic_operations": 2e6}
    assert limits.exceeded({"parameters": 5000, "synaptic_operations": 2e6}) == []
    assert limits.exceeded({"parameters": 5034}) == ["5,034 parameters, more than 5,000"]
    assert len(limits.exceeded({"parameters": 5034, "synaptic_operations": 3e6})) == 2
    assert limits.options() == "--max-params, --max-synops"


@pytest.mark.parametrize(("operations", "penalty"), [(50, 0.0), (100, 0.0), (125, 0.25), (1000, 1.0)])
def test_the_penalty_is_the_excess_as_a_share(operations, penalty):
    assert Budget(parameters=10, synaptic_operations=100).penalty({"parameters": 10, "synaptic_operations": operations}) == penalty


@pytest.mark.parametrize("limits", [{"parameters": 4000}, {"latency_ms": 4000}, {"parameters": 4000, "bytes": 4000, "latency_ms": 10}])
@pytest.mark.parametrize("cost", [0, 1, 400, 3999, 4000])
def test_nothing_is_given_for_being_smaller_than_the_limit(limits, cost):
    kept = Budget(**limits)
    assert kept.penalty({"parameters": cost, "bytes": 1, "latency_ms": min(cost, 10)}) == 0
    assert kept.excess({"parameters": cost, "bytes": 1, "latency_ms": min(cost, 10)}) == 0


def test_costs_that_are_not_known_take_nothing_off():
    assert Budget(bytes=10).penalty({"parameters": 10**9, "bytes": None}) == Budget().penalty({"parameters": 10**9}) == 0


def test_the_closest_of_those_far_over_the_budget_is_the_smallest(tmp_path):
    for name, parameters in [("0", 900), ("1", 300), ("2", 700)]:
        place = tmp_path / "trials" / f"trial_{name}"
        place.mkdir(parents=True)
        row = {"name": name, "parameters": parameters, "exceeded": [f"{parameters} parameters"]}
        (place / "candidate.json").write_text(json.dumps(row))
    assert Outcome(tmp_path, ["0", "1", "2"], Budget(parameters=100)).closest() == "the closest, 1, has 300 parameters"


def test_parameters_are_those_of_the_model_and_nothing_dear_is_measured_unasked(monkeypatch):
    monkeypatch.setattr(budget, "file_costs", lambda *arguments: pytest.fail("exported"))
    assert Footprints(Budget(), IMAGES, build)(recipe()) == {"parameters": build(recipe()).count_params()}
    assert Footprints(Budget(parameters=10, bytes=10**9), IMAGES, build)(recipe()) == {"parameters": build(recipe()).count_params()}


def test_operations_before_training_are_those_of_the_first_layer():
    costs = Footprints(Budget(synaptic_operations=1e9), IMAGES, build)(recipe())
    whole = kd.metrics.synaptic_operations(build(recipe()), IMAGES)
    assert costs["synaptic_operations"] == whole.layers["block1_conv"]["effective_macs"]
    assert costs["synaptic_operations"] <= whole.effective_macs + whole.effective_acs


def test_one_architecture_is_exported_once(monkeypatch):
    exported = []
    monkeypatch.setattr(budget, "file_costs", lambda model, path, images: exported.append(model) or {"bytes": 5, "latency_ms": 0.5})
    footprints = Footprints(Budget(bytes=10), IMAGES, build)
    for settings in ({}, {"learning_rate": 0.1}, {"timesteps": 1}):
        assert footprints(recipe(**settings))["bytes"] == 5
    assert len(exported) == 2


@pytest.mark.slow
def test_bytes_and_latency_are_those_of_the_file(tmp_path):
    path = tmp_path / "student.tflite"
    costs = budget.file_costs(build(recipe(timesteps=1)), path, IMAGES[:4])
    assert costs["bytes"] == path.stat().st_size
    assert costs["latency_ms"] > 0
    assert kd.export.LiteRT(path).predict(IMAGES[:4]).shape == (4, 10)
