"""What a run is said to take: more for more work, by the operations that are counted."""

import json
import math

import pytest

import keras_snnkd as kd
from keras_snnkd.run import estimate as estimating
from keras_snnkd.run.estimate import COMPILING, OVERHEAD, Estimate, estimate, total
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.watching.json_log import Lines
from keras_snnkd.run.watching.progress import Counter


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine of a million multiply-accumulates a second."""
    monkeypatch.setattr(estimating, "multiply_accumulates_a_second", lambda channels: 1e6)


def of(recipe, steps=10, epochs=3):
    student = kd.models.MLP((4, 4, 1), 10, widths=(20,), timesteps=2, name="student")
    teacher = kd.models.MLP((4, 4, 1), 10, widths=(40,), timesteps=2, name="teacher")
    built = {"student_distilled": kd.Distiller(student, teacher, ["soft_targets"])}
    return estimate(built, {"student_distilled": epochs}, recipe, steps)["student_distilled"]


def test_time_is_that_of_the_operations_by_hand():
    recipe = kd.Recipe(batch_size=4, cache=0).resolved()
    student, teacher = 2 * (16 * 20 + 20 * 10), 2 * (16 * 40 + 40 * 10)
    step = OVERHEAD + 4 * (3 * student + teacher) / 1e6
    assert of(recipe).seconds == pytest.approx(COMPILING + 3 * 10 * step)
    assert of(kd.Recipe(batch_size=4, cache=1).resolved()).seconds == pytest.approx(COMPILING + 30 * (OVERHEAD + 4 * 3 * student / 1e6))
    assert of(recipe, epochs=5).seconds == pytest.approx(COMPILING + 5 * 10 * step)


def test_memory_grows_with_the_batch_and_holds_the_weights_four_times():
    small, large = (of(kd.Recipe(batch_size=size).resolved()).memory_bytes for size in (1, 100))
    parameters = 16 * 20 + 20 + 4 * 20 + 20 * 10 + 10  # with those of batch norm
    assert small >= 4 * 4 * (16 * 20 + 20 * 10)
    assert small < 4 * 4 * parameters + 3 * 4 * 1000
    assert large > 50 * (small - 16 * parameters) > 0


def test_arms_count_once_for_each_seed_and_what_is_not_known_stays_so():
    stages = {"teacher_ann": Estimate(10.0, 5), "hinton_twin": Estimate(20.0, 9), "hinton": Estimate(2.0, 1)}
    compared = kd.Recipe(mode="compare", seeds=3, epochs=2).resolved()
    assert total(stages, compared) == Estimate(76.0, 9)
    assert total(stages, kd.Recipe(mode="compare", seeds=3, rates=[0.1, 0.2]).resolved()) == Estimate(98.0, 9)
    assert total({f"size2/{name}": stage for name, stage in stages.items()}, compared) == Estimate(76.0, 9)
    assert total({**stages, "own": Estimate(None, 1)}, compared).seconds is None


def test_candidates_count_once_for_each_trial_with_what_makes_them_cheaper():
    stages = {name: Estimate(10.0, 5) for name in ("teacher", "smallest", "smallest_int8", "largest", "largest_int8")}
    assert total(stages, kd.Recipe(mode="tune", trials=6).resolved()).seconds == 10.0 + 6 * 20.0


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"compress": ["int8"]}, {"student_alone": 6, "student_alone_twin": 2, "student_int8": 3}),
        ({"rivals": True, "twin_epochs": 0}, {"student_distilled": 6, "student_twin": 6}),
        ({"teacher": "twin", "twin_epochs": 0, "objectives": ["hinton"]}, {"teacher": 6, "student_distilled": 6}),
        ({"teacher": "mlp:20", "teacher_epochs": 5, "teacher_stop": 3}, {"teacher": 3}),
    ],
)
def test_stages_are_told_with_the_epochs_that_they_have(tmp_path, settings, epochs):
    given = {"epochs": 6, "twin_epochs": 2, "student": "mlp:8", "timesteps": 2, "limit": 40, **settings}
    experiment = Experiment(kd.Recipe(**given), tmp_path / "run")
    built = experiment.check()
    assert {name: experiment.epochs[name] for name in epochs} == epochs
    assert set(estimate(built, experiment.epochs, experiment.recipe, 1)) == set(built)


def test_a_network_whose_operations_are_not_counted_has_no_time(monkeypatch):
    monkeypatch.setattr(estimating, "_work", lambda model: None)
    found = of(kd.Recipe().resolved())
    assert found.seconds is None
    assert found.memory_bytes > 0


def test_a_step_that_this_machine_has_no_memory_for_is_told(monkeypatch):
    student = kd.models.MLP((4, 4, 1), 10, widths=(20,), timesteps=2)
    stages = {"student_alone": kd.Distiller(student)}
    assert estimating.beyond_memory(stages, 8) == ""
    monkeypatch.setattr(estimating, "physical_memory", lambda: 10_000)
    assert "a step of student_alone takes about 0.0 GB of memory, in batches of 8 of (4, 4, 1)" in estimating.beyond_memory(stages, 8)
    monkeypatch.setattr(estimating, "physical_memory", lambda: None)
    assert estimating.beyond_memory(stages, 8) == ""


def test_what_json_has_no_words_for_is_null_and_spinners_are_silent(capsys):
    told = Lines()
    told.emit("epoch", metrics={"loss": math.nan, "more": [math.inf, 1.0]})
    told.print("  words ")
    told.print()
    with told.status("working"):
        pass
    counter = Counter("{}: {} of {}", told)
    counter("teacher", 1, 2)
    counter("teacher", 2, 2)
    first, second, counted = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["metrics"] == {"loss": None, "more": [None, 1.0]}
    assert (second["event"], second["text"]) == ("message", "words")
    assert (counted["event"], counted["text"], counted["done"]) == ("counted", "teacher: 2 of 2", 2)


def test_a_network_is_timed_by_blocks_of_its_own_channels(monkeypatch):
    asked = []
    monkeypatch.setattr(estimating, "multiply_accumulates_a_second", lambda channels: asked.append(channels) or 1e6)
    narrow = kd.models.ConvNet((8, 8, 1), 10, widths=(12, 24), timesteps=2, name="student")  # 12 x 24 is 17 x 17
    wide = kd.models.ConvNet((8, 8, 1), 10, widths=(600,), timesteps=2, name="teacher")  # of one channel in: 1 x 600 is 24 x 24
    estimate({"student": kd.Distiller(narrow, wide, ["soft_targets"])}, {"student": 1}, kd.Recipe(cache=0).resolved(), 1)
    estimate({"student": kd.Distiller(kd.models.MLP((4, 4, 1), 10, widths=(5,), timesteps=2))}, {"student": 1}, kd.Recipe().resolved(), 1)
    assert asked == [16, 32, 128]


def test_this_machine_computes_blocks_at_some_rate(monkeypatch):
    monkeypatch.undo()
    assert 1e6 < estimating.multiply_accumulates_a_second(8, rounds=2) < 1e13
