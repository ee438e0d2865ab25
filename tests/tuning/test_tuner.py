"""The search itself, with a formula in place of training: proposals, budgets, interruption, failures."""

import json

import pytest

import keras_snnkd as kd
from keras_snnkd.errors import KDError, OutputError
from keras_snnkd.files import staging as files
from keras_snnkd.tuning import tuner as tuners
from keras_snnkd.tuning.space import Space
from keras_snnkd.tuning.tuner import Tuner

SETTINGS = {"width1": [2, 4, 8, 16], "timesteps": [1, 2], "tau": {"low": 1.5, "high": 3.0}, "learning_rate": [0.01], "label_weight": [1.0]}


def space(**search):
    searched = {**SETTINGS, "soft_targets": [True], "soft_targets.weight": [1.0], "soft_targets.temperature": [4.0], **search}
    recipe = {"teacher": "mlp:24", "student": "mlp:8", "timesteps": 2, "objectives": ["soft_targets"], "search": searched}
    return Space(kd.Recipe(mode="tune", **recipe).resolved())


class Training:
    """In place of training: wide students with a time constant near 2 are good."""

    def __init__(self, error=None, at=None):
        self.trained, self.error, self.at = [], error, at

    def __call__(self, name, values, epochs):
        if self.error is not None and len(self.trained) == self.at:
            error, self.error = self.error, None
            raise error
        self.trained.append((name, values, epochs))
        return values["width1"] / 16 - abs(values["tau"] - 2)


def search(folder, train, kind="hyperband", trials=4, epochs=1, fits=lambda values: True, **settings):
    tuner = Tuner(kind, space(**settings), trials, epochs, 0, folder / "tuner", fits, train)
    tuner.search()
    return tuner


@pytest.mark.parametrize("kind", ["bayesian", "hyperband"])
def test_so_many_trials_are_run_and_the_best_is_the_best(kind, tmp_path, capsys):
    training = Training()
    tuner = search(tmp_path, training, kind)
    assert [name for name, _, _ in training.trained] == sorted(tuner.trials)
    assert len(tuner.trials) == 4
    best = max(values["width1"] / 16 - abs(values["tau"] - 2) for _, values, _ in training.trained)
    assert tuner.oracle.get_best_trials()[0].score == pytest.approx(best)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["bayesian", "hyperband"])
def test_nothing_over_the_budget_is_proposed(kind, tmp_path):
    training = Training()
    search(tmp_path, training, kind, trials=5, fits=lambda values: values["width1"] * values["timesteps"] <= 8)
    assert len(training.trained) == 5
    assert all(values["width1"] * values["timesteps"] <= 8 for _, values, _ in training.trained)


def test_hyperband_gives_more_epochs_to_the_better_third(tmp_path):
    training = Training()
    search(tmp_path, training, "hyperband", trials=12, epochs=9)
    by_epochs = {epochs: [v for _, v, e in training.trained if e == epochs] for epochs in (1, 3, 9)}
    assert len(by_epochs[1]) > len(by_epochs[3]) >= 1
    score = lambda values: values["width1"] / 16 - abs(values["tau"] - 2)  # noqa: E731
    assert by_epochs[3][0] == max(by_epochs[1], key=score)


def test_the_search_ends_when_every_candidate_was_tried(tmp_path):
    training = Training()
    search(tmp_path, training, trials=30, tau=[2.0])
    tried = [(values["width1"], values["timesteps"]) for _, values, _ in training.trained]
    assert sorted(tried) == [(width, steps) for width in (2, 4, 8, 16) for steps in (1, 2)]


@pytest.mark.parametrize("kind", ["bayesian", "hyperband"])
def test_resuming_repeats_nothing_and_goes_on(kind, tmp_path):
    first, second = Training(), Training()
    search(tmp_path, first, kind, trials=3)
    tuner = search(tmp_path, second, kind, trials=4)
    assert len(second.trained) == 1
    assert not {name for name, _, _ in first.trained} & {name for name, _, _ in second.trained}
    assert not [values for _, values, _ in second.trained if values in [earlier for _, earlier, _ in first.trained]]
    assert len(tuner.trials) == 4


def test_an_interrupted_trial_is_run_again_under_its_name(tmp_path):
    training = Training(KeyboardInterrupt(), at=2)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, training, trials=4)
    search(tmp_path, training, trials=4)
    assert sorted(name for name, _, _ in training.trained) == ["0", "1", "2", "3"]


def test_a_trial_that_was_interrupted_first_is_run_again_too(tmp_path):
    training = Training(KeyboardInterrupt(), at=0)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, training, trials=2)
    (begun,) = (json.loads(path.read_text()) for path in (tmp_path / "tuner").glob("trial_*/trial.json"))
    search(tmp_path, training, trials=2)
    assert tuners._plain(begun["hyperparameters"]["values"]) == training.trained[0][1]
    assert len(training.trained) == 2


def test_a_full_disk_leaves_the_state_before_and_ends_the_search(tmp_path, monkeypatch):
    search(tmp_path, Training(), trials=2)
    state = tmp_path / "tuner" / "oracle.json"
    before = state.read_bytes()

    def full(path, content):
        with files.staged(path) as (file,):
            file.write_text("{")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tuners, "write_json", full)
    with pytest.raises(OutputError):
        search(tmp_path, Training(), trials=3)
    assert state.read_bytes() == before


def test_a_candidate_that_cannot_be_trained_does_not_stop_the_others(tmp_path):
    training = Training(KDError("the loss became nan"), at=1)
    tuner = search(tmp_path, training, trials=5)
    assert len(training.trained) == 4
    assert [trial.status for trial in tuner.trials.values()].count("FAILED") == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("a mistake"), OutputError("full")])
def test_a_mistake_or_a_full_disk_ends_the_search(error, tmp_path):
    with pytest.raises(tuners.keras_tuner.errors.FatalError) as stopped:
        search(tmp_path, Training(error, at=1))
    assert stopped.value.__cause__ is error
