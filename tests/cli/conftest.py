"""For the tests of the command line: a folder of its own for each, exports that cost nothing, and runs that do not train."""

import pytest

import keras_snnkd as kd
from keras_snnkd.run.experiment import Experiment
from tests.integration import tiny


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, and exports cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)


@pytest.fixture
def no_training(monkeypatch):
    def fit(*arguments, **more):
        pytest.fail("training started")

    monkeypatch.setattr(kd.Distiller, "fit", fit)


@pytest.fixture
def runs(monkeypatch):
    """In place of training: the recipes and folders of the runs that would have started."""
    started = []

    def run(experiment, resume=False):
        started.append((experiment.recipe, experiment.folder))
        (experiment.folder / "teacher").mkdir(parents=True, exist_ok=True)
        experiment.recipe.save(experiment.folder / "recipe.json")
        return {"models": [{"name": "teacher", "label": "teacher", "role": "teacher"}]}

    monkeypatch.setattr(Experiment, "run", run)
    return started
