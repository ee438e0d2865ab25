"""The modes that look at a finished model: evaluate and export."""

import json
from pathlib import Path

import numpy as np
import pytest

import keras_snnkd as kd
from tests.cli.said import refused, told
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


@pytest.fixture
def card():
    """An untrained student on the shelf, with what its card says of the data."""
    place = Path("saved_models/mine")
    place.mkdir(parents=True)
    kd.models.build("mlp:12", (8, 8, 1), 10, timesteps=2, name="small").save(place / "model.keras")
    (place / "card.json").write_text(json.dumps({"recipe": {"dataset": "digits"}}))
    return place


def accuracy_of(path, limit):
    images, labels = kd.data.load("digits", limit=limit).test_arrays
    return np.mean(kd.models.load(path)(images / np.float32(256)).numpy().argmax(-1) == labels)


def test_a_model_is_measured(card, capsys):
    assert tiny.run("--mode", "evaluate", "--model", card / "model.keras", "--limit", 60) == 0
    said, _ = told(capsys)
    assert "attacking" not in said
    accuracy = accuracy_of(card / "model.keras", 60)
    assert f"small {accuracy:.2%} 946 2" in said.replace(f"{100 * accuracy:.2f} %", f"{accuracy:.2%}")
    content = json.loads(Path("runs/evaluate_mine/evaluate.json").read_text())
    assert (content["dataset"], content["accuracy"]) == ("digits", accuracy)
    assert "card" not in said  # which tells no accuracy


@pytest.mark.slow
def test_attacks_are_told_of_the_model_and_of_its_variants(card, capsys):
    model = card / "model.keras"
    attacks = ["--attack", "fgsm:epsilon=0.2", "--attack", "pgd:epsilon=0.1,steps=2"]
    assert tiny.run("--mode", "evaluate", "--model", model, "--limit", 40, *attacks, "--variant", model) == 0
    said = " ".join(told(capsys)[0].split())
    fgsm, pgd = json.loads(Path("runs/evaluate_mine/evaluate.json").read_text())["attacks"]
    assert (fgsm["kind"], fgsm["epsilon"], fgsm["images"]) == ("fgsm", 0.2, 40)
    assert (pgd["kind"], pgd["steps"]) == ("pgd", 2)
    assert fgsm["clean"] == accuracy_of(model, 40) >= fgsm["attacked"]
    assert fgsm["moving"] == {"clean": fgsm["clean"], "attacked": fgsm["attacked"], "images": 40, "variants": 2}  # of itself
    assert f"fgsm, each pixel by at most 0.2: {fgsm['attacked']:.2%} of 40 test images are right" in said
    assert "one of 2 at random answers" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--attack", "pdg"], "Did you mean 'pgd'"),
        (["--attack", "pgd:step=2,epsilo=0.1"], "Did you mean 'epsilon'"),
        (["--attack", "fgsm:epsilon=0"], "epsilon of an attack is the largest change of a pixel"),
        (["--variant", "other.keras"], "name one too, such as --attack fgsm"),
    ],
)
def test_attacks_that_cannot_be_are_refused_at_once(options, message, card, capsys, monkeypatch):
    monkeypatch.setattr(kd.data, "load", lambda *arguments, **more: pytest.fail("data was read"))
    assert tiny.run("--mode", "evaluate", "--model", card / "model.keras", *options) == 1
    assert message in " ".join(told(capsys)[1].split())


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("told_of", "message"),
    [
        ({"test": 60}, "the accuracy is that of the card, {accuracy:.2%} of 60 test images"),
        ({"test": 60, "accuracy": 0.999}, "the accuracy is not that of the card, 99.90%: other data, other versions, or another model"),
        ({"test": 359}, "the card's accuracy, {accuracy:.2%}, is of 359 test images, this one of 60"),
    ],
)
def test_the_accuracy_of_the_card_stands_beside_it(told_of, message, card, capsys):
    accuracy = accuracy_of(card / "model.keras", 60)
    about = {"dataset": {"source": "digits", "test": told_of["test"]}, "model": {"accuracy": told_of.get("accuracy", accuracy)}}
    (card / "card.json").write_text(json.dumps({"schema": 2, **about}))
    assert tiny.run("--mode", "evaluate", "--model", card, "--limit", 60) == 0  # the folder will do
    assert message.format(accuracy=accuracy) in told(capsys)[0]


def test_export_hands_its_options_on(card, monkeypatch):
    given = {}

    class Flow:
        def __init__(self, model, data, folder, targets, **more):
            given.update(more, model=model.name, data=data.name, folder=folder, targets=targets)

        def run(self):
            given["ran"] = True

    monkeypatch.setattr("keras_snnkd.run.finished.edge_export.EdgeExport", Flow)
    kd.models.build("mlp:12", (8, 8, 1), 10, neuron="relu", name="ann").save("twin.keras")
    options = ["--target", "saved_model,int8", "--io", "int8", "--twin", "twin.keras", "--out", "edge"]
    assert tiny.run("--mode", "export", "--model", card, "--limit", 60, *options) == 0
    assert (given["model"], given["data"], given["folder"], given["ran"]) == ("small", "digits", Path("edge"), True)
    assert (given["targets"], given["io"], given["twin"].name) == (["saved_model", "int8"], "int8", "ann")
    assert given["facts"] == {
        "command": f"python train.py --mode export --model {card} --limit 60 {' '.join(options)}",
        "dataset": {"source": "digits"},
        "training": {"recipe": {"dataset": "digits"}},
    }
    assert tiny.run("--mode", "export", "--model", card, "--limit", 60) == 0
    assert (given["targets"], given["io"], given["twin"], given["folder"]) == (["all"], "float32", None, Path("runs/export_mine"))


@pytest.mark.parametrize(("shape", "classes"), [((28, 28, 1), 10), ((8, 8, 1), 5)], ids=["images", "classes"])
def test_a_model_of_another_data_set_is_refused(shape, classes, capsys):
    kd.models.build("mlp:4", shape, classes).save("other.keras")
    error = refused(capsys, "--mode", "evaluate", "--model", "other.keras")
    assert f"other.keras takes images {shape} and knows {classes} classes, digits has images (8, 8, 1) of 10 classes" in error
    assert "name the model's data set (--dataset)" in error


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1]", "card.json names no data set; give it with --dataset"), ("{}", "card.json names no data set"), ("{", "not a JSON file")],
)
def test_a_damaged_card_is_told(content, message, card, capsys):
    (card / "card.json").write_text(content)
    assert message in refused(capsys, "--mode", "export", "--model", card / "model.keras")
