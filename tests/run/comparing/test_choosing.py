"""Arms of a comparison that choose rate and weight for themselves: what is tried, what is taken, and what a resumed run adds."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd import report
from keras_snnkd.distill import methods, schedules
from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import read_json
from keras_snnkd.report.columns import ranked_columns
from keras_snnkd.run.comparing.choosing import Setting, best_of, edge_of, more_trials, weighted
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.plan import ALONE

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def compare(folder, **settings):
    models = {"teacher": "mlp:24", "student": "mlp:12", "timesteps": 2}
    length = {"limit": 100, "batch_size": 50, "epochs": 1, "teacher_epochs": 3, "seeds": 1}
    recipe = kd.Recipe(mode="compare", **{"objectives": ["hinton", "tks"], **models, **length, **settings})
    return Comparison(recipe, folder, rich.console.Console(file=io.StringIO(), width=200))


# what is tried


def test_an_arm_without_objectives_tries_as_many_rates_as_the_others_try_weights():
    best = Setting(1e-3)
    assert more_trials(best, [0.5, 1, 2], taught=True) == [Setting(1e-3, 0.5), Setting(1e-3, 2.0)]
    assert more_trials(best, [0.5, 1, 2], taught=False) == [Setting(5e-4), Setting(2e-3)]


@pytest.mark.parametrize("tried", [[1e-3, 2e-3, 4e-3], [2e-3, 4e-3], [1e-3, 1.414e-3, 2e-3]], ids=str)
def test_a_rate_that_was_tried_is_not_tried_again(tried):
    found = [setting.rate for setting in more_trials(Setting(2e-3), [0.5, 2], False, tried)]
    assert len(set(found) - set(tried)) == 2
    assert min(tried) / 2 <= found[0] < 2e-3 < found[1] <= 4e-3


def test_of_equal_settings_the_first_is_taken():
    assert best_of({Setting(1e-3): 0.5, Setting(3e-3): 0.75, Setting(1e-2): 0.75}) == Setting(3e-3)


def test_all_objectives_of_a_method_weigh_more_and_its_labels_do_not():
    meom = weighted(methods.get("meom"), 2.0)
    assert [objective["weight"] for objective in meom.objectives] == [1.0, 0.6]
    assert meom.label_weight == methods.get("meom").label_weight
    full_range = weighted(methods.get("full_range"), 2.0)  # whose first objective is the labels of the steps
    assert [objective["weight"] for objective in full_range.objectives] == [1.0, 0.4, 1.0]
    entries = ["soft_targets", {"objective": "firing_rate", "weight": {"schedule": "switch", "before": 1.0, "after": 0.5, "at": 3}}]
    plain, moving = weighted(methods.combine(entries), 0.5).objectives
    assert plain == {"objective": "soft_targets", "weight": 0.5}
    assert moving["weight"] == {"schedule": "switch", "before": 0.5, "after": 0.25, "at": 3}
    assert schedules.get(moving["weight"])(3, 10) == 0.25


@pytest.mark.parametrize(
    ("accuracies", "edge"), [([0.5, 0.6, 0.7], "highest"), ([0.5, 0.6, 0.4], None), ([0.7, 0.6, 0.5], "lowest"), ([0.5], None)]
)
def test_a_rate_at_the_edge_of_those_that_were_tried_is_told(accuracies, edge):
    assert edge_of({Setting(rate): accuracy for rate, accuracy in zip((1e-3, 3e-3, 1e-2), accuracies, strict=False)}) == edge


def test_the_table_shows_what_an_arm_has_chosen():
    rows = [{"name": "hinton", "taught_by": "ANN", "learning_rate": 0.003, "weight": 0.5}, {"name": "tks", "learning_rate": 0.01}]
    ((header, cells), *_) = ranked_columns(rows)
    assert (header, cells) == ("method", [["hinton", "taught by ANN", "rate 0.003, weights x 0.5"], ["tks", "", "rate 0.01"]])


# what is taken


ACCURACIES = {
    ALONE: {Setting(1e-3): 0.5, Setting(1e-2): 0.6, Setting(5e-3): 0.7},
    "hinton": {Setting(1e-3): 0.8, Setting(1e-2): 0.6, Setting(1e-3, 0.5): 0.75},
    "tks": {Setting(1e-3): 0.1, Setting(1e-2): 0.2, Setting(1e-2, 0.5): 0.3},
}


@pytest.fixture
def known(monkeypatch):
    """Training that gives the `ACCURACIES`; the settings that were asked for."""
    asked = []

    def train(self, names, title, teachers, failed):
        asked.append((self.setting, *names))
        found = {name: ACCURACIES[name][self.setting] for name in names}
        return {name: SimpleNamespace(record={"validation_accuracy": accuracy}) for name, accuracy in found.items() if accuracy}

    monkeypatch.setattr(Comparison, "_train_arms", train)
    return asked


def test_every_arm_has_equally_many_trials_and_takes_its_best(known, tmp_path):
    comparison = compare(tmp_path, rates=[1e-3, 1e-2], weights=[0.5, 1])
    assert comparison._choose({}) == {ALONE: Setting(5e-3), "hinton": Setting(1e-3), "tks": Setting(1e-2, 0.5)}
    assert {len(tried) for tried in comparison.tried.values()} == {3}
    assert known[:2] == [(Setting(1e-3), ALONE, "hinton", "tks"), (Setting(1e-2), ALONE, "hinton", "tks")]


def test_without_rates_and_weights_nothing_is_chosen(known, tmp_path):
    assert compare(tmp_path)._choose({}) == {}
    assert not known


def test_an_arm_that_no_rate_trains_is_left_out_and_the_student_alone_may_not_be(known, tmp_path, monkeypatch):
    monkeypatch.setitem(ACCURACIES, "tks", dict.fromkeys(ACCURACIES["tks"], None))
    comparison = compare(tmp_path, rates=[1e-3, 1e-2], weights=[0.5])
    assert "tks" not in comparison._choose({})
    assert comparison.problems == {"tks": "it could be trained at none of the learning rates"}
    monkeypatch.setitem(ACCURACIES, ALONE, dict.fromkeys(ACCURACIES[ALONE], None))
    with pytest.raises(KDError, match="the student alone cannot be trained: it could be trained at none"):
        compare(tmp_path, rates=[1e-3, 1e-2])._choose({})


# a whole run


@pytest.mark.slow
def test_a_run_says_what_was_chosen_and_goes_on_with_more_seeds(tmp_path, monkeypatch):
    trained = []
    fit = kd.Distiller.fit

    def counted(distiller, *arguments, **more):
        trained.append(distiller.student.name)
        return fit(distiller, *arguments, **more)

    monkeypatch.setattr(kd.Distiller, "fit", counted)
    results = compare(tmp_path, objectives=["hinton"], rates=[1e-3, 1e-2]).run()
    assert trained == ["teacher_ann", *2 * [ALONE, "hinton"]]  # the first seed's final training is one of the trials
    rows = {row["name"]: row for row in results["comparison"]}
    for name, row in rows.items():
        trials = [trial for trial in results["trials"] if trial["arm"] == name]
        best = max(trials, key=lambda trial: trial["validation_accuracy"])
        assert (best["chosen"], best["rate"]) == (True, row["learning_rate"])
        stage = read_json(tmp_path / "seed0" / Setting(row["learning_rate"]).name / name / "stage.json")
        assert (stage["learning_rate"], stage["validation_accuracy"]) == (row["learning_rate"], row["validation_accuracy"])
    assert "| rate |" in report.comparison_markdown(results["comparison"]).splitlines()[0]
    assert f",{rows['hinton']['learning_rate']}," in Path(tmp_path, "comparison.csv").read_text("utf-8")

    trained.clear()
    results = compare(tmp_path, objectives=["hinton"], rates=[1e-3, 1e-2], seeds=2).run(resume=True)
    assert sorted(trained) == ["hinton", ALONE]
    assert {row["name"]: row["seeds"] for row in results["comparison"]} == {ALONE: [0, 1], "hinton": [0, 1]}


# bad input


@pytest.mark.parametrize(("name", "value"), [("rates", 0), ("weights", -1.0), ("rates", "fast"), ("weights", True)])
def test_rates_and_weights_are_numbers_above_0(name, value, tmp_path):
    with pytest.raises(ValueError, match=f"{name} must be numbers greater than 0, got {value!r}"):
        compare(tmp_path, **{name: [value]})
