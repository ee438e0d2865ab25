"""Teachers that come with the package, and how one gets there."""

import io
import zipfile

import numpy as np
import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd.errors import KDError
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.measuring import Measuring
from keras_snnkd.run.finished.shipping import command_of, ship
from keras_snnkd.run.given_teacher import load_teacher
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.teachers import shipped

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


LEAST = {
    "digits_teacher": 0.99,
    "digits_spiking_teacher": 0.99,
    "mnist_teacher": 0.995,
    "mnist_spiking_teacher": 0.994,
    "fashion_mnist_teacher": 0.94,
    "fashion_mnist_spiking_teacher": 0.93,
    "cifar10_teacher": 0.895,
    "cifar10_spiking_teacher": 0.88,
}
"""Test accuracy, as the cards tell it."""


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_teacher_is_a_float32_model_with_card_and_recipe(name):
    model, folder = kd.models.load(name), shipped.path(name).parent
    card = read_json(folder / "card.json")
    with zipfile.ZipFile(shipped.path(name)) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_LZMA}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert shipped.name_of(card["dataset"]["name"], "spiking" in name) == name
    assert model.output_shape == (None, card["dataset"]["num_classes"])
    assert card["model"]["accuracy"] >= LEAST[name]
    assert card["training"]["command"].startswith("python train.py --mode teacher")
    assert Recipe.load(folder / "recipe.json").dataset == card["dataset"]["name"]


def test_all_of_them_together_are_small():
    assert shipped.names()
    assert sum(file.stat().st_size for file in shipped.FOLDER.rglob("*") if file.is_file()) < 12e6


def test_a_teacher_of_another_data_set_is_refused():
    data = kd.data.load("digits")
    with pytest.raises(KDError, match="was trained on mnist, and the students on digits"):
        load_teacher(shipped.path("mnist_teacher"), data, Recipe().resolved(), rich.console.Console(file=io.StringIO()))


@pytest.mark.slow
def test_a_finished_stage_is_shipped_as_it_was_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(Measuring, "export", lambda *arguments: ({}, []))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shelf")
    settings = {"teacher": "mlp:12", "teacher_neuron": "relu", "teacher_epochs": 1, "limit": 200, "precision": "mixed_bfloat16"}
    made = Experiment(Recipe(mode="teacher", **settings), tmp_path / "run", rich.console.Console(file=io.StringIO()))
    made.run()
    with pytest.raises(KDError, match="is no finished stage"):
        ship(tmp_path / "run", "teacher_ann", made.data)
    place = ship(tmp_path / "run", "teacher", made.data)
    assert place == tmp_path / "shelf" / "digits_teacher"
    assert sorted(file.name for file in place.iterdir()) == ["card.json", "model.keras", "recipe.json"]
    trained, again = kd.models.load(tmp_path / "run" / "teacher" / "model.keras"), kd.models.load("digits_teacher")
    for weight, other in zip(trained.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
    images, labels = made.data.sample(1000)
    accuracy = np.mean(again.predict(images, verbose=0).argmax(-1) == labels)
    assert read_json(place / "card.json")["model"]["accuracy"] == pytest.approx(accuracy)


def test_a_recipe_as_a_command_line():
    recipe = Recipe(mode="teacher", dataset="mnist", teacher_neuron="relu", optimizer="sgd", teacher_epochs=7).resolved()
    command = command_of(recipe)
    assert command.startswith("python train.py --mode teacher --dataset mnist")
    for words in ("--teacher-neuron relu", "--optimizer sgd", "--teacher-epochs 7"):
        assert words in command
