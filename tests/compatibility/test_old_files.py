"""What older versions wrote is read, and gives the same outputs."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.card import read_card
from keras_snnkd.run.recipes.recipe import Recipe
from tests.compatibility import write
from tests.integration import tiny

HERE = Path(__file__).parent
VERSIONS = sorted(folder for folder in HERE.iterdir() if folder.is_dir() and (folder / "answers.npz").exists())
MODELS = [(folder, name) for folder in VERSIONS for name in np.load(folder / "answers.npz").files]


def of_version(test):
    return pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)(test)


def test_there_are_files_of_this_version_or_of_the_one_before():
    assert VERSIONS


@pytest.mark.every(2)
@pytest.mark.parametrize(("folder", "name"), MODELS, ids=[f"{folder.name}-{name}" for folder, name in MODELS])
def test_a_model_answers_as_it_did(folder, name):
    model = kd.models.load(folder / f"{name}.keras")
    np.testing.assert_allclose(model(write.inputs(model)), np.load(folder / "answers.npz")[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@of_version
def test_a_distiller_comes_back_with_its_objectives(folder):
    distiller = keras.saving.load_model(folder / "distiller.keras")
    assert [objective.name for objective in distiller.objectives] == [
        "soft_targets",
        "spike_train",
        "feature_map",
        "membrane",
        "exits",
        "step_entropy",
    ]
    distiller.teach(kd.models.MLP((8, 8, 1), 10, widths=(8,), timesteps=2, name="teacher"))
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).random((4, 8, 8, 1), "float32")
    assert np.isfinite(distiller.train_on_batch(images, np.arange(4))[0])


@of_version
def test_a_card_is_read(folder):
    card = read_card(folder / "model.keras")
    assert {part: card[part] for part in write.CARD} == write.CARD


@of_version
def test_a_recipe_is_read_and_means_the_same(folder):
    recipe = Recipe.load(folder / "recipe.json")
    assert (recipe.mode, recipe.objectives, recipe.timesteps, recipe.student) == ("multistage", ["hinton"], 2, "mlp:12")
    assert recipe.resolved().mode == "multistage"


@of_version
def test_a_cache_is_taken_as_it_is(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "cache", tmp_path / "cache")
    teacher = kd.models.load(folder / "convnet.keras")
    monkeypatch.setattr(kd.TeacherCache, "_run", lambda *arguments: pytest.fail("the teacher ran"))
    cache = write.cached(teacher, tmp_path / "cache")
    cache.build()
    batch, _ = next(iter(cache.training()))
    assert set(batch["teacher"]) == set(write.CACHED)
    taps = kd.TapModel(teacher, write.CACHED)(batch["inputs"])
    for name in write.CACHED:
        np.testing.assert_allclose(batch["teacher"][name], taps[name], rtol=2e-3, atol=2e-3)  # logits are kept in float16


@pytest.mark.slow
@of_version
def test_a_finished_run_is_not_trained_again(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "run", tmp_path / "run")
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("it trains"))
    experiment = Experiment(Recipe.load(tmp_path / "run" / "recipe.json").resolved(), tmp_path / "run")
    results = Chain(experiment.stages(), tmp_path / "run").run(experiment.data, resume=True)
    assert len(results) == 3
    for name, result in results.items():
        tiny.assert_equal_weights(tmp_path / "run" / name / "model.keras", folder / "run" / name / "model.keras")
        assert result.record["validation_accuracy"] == json.loads((folder / "run" / name / "stage.json").read_text())["validation_accuracy"]


@of_version
def test_the_results_of_a_run_still_make_a_report(folder, tmp_path):
    content = json.loads((folder / "run" / "results.json").read_text())
    page = kd.report.write_report(tmp_path / "report.html", content)
    assert content["models"][-1]["label"] in page.read_text()
