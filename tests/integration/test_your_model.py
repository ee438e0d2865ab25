"""The page about a user's own model and data, from file to card: its blocks and its commands, in a quick form."""

import re
import shlex
import sys
from pathlib import Path

import pytest

import keras_snnkd as kd
from keras_snnkd.files.staging import read_json
from tests.integration import tiny

PAGE = Path(__file__).parents[2] / "docs" / "your_model.md"

pytestmark = pytest.mark.filterwarnings("default:::keras_snnkd")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text("utf-8"), flags=re.S)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder in which the page's Python blocks have run, and what they defined."""
    place, scope = tmp_path_factory.mktemp("page"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "path", [str(place), *sys.path])
        for block in blocks("python"):
            exec(compile(block, str(PAGE), "exec"), scope)
        yield place, scope
    sys.modules.pop("my_layers", None)


def run(command, *more):
    python, script, *arguments = shlex.split(command)
    assert (python, script) == ("python", "train.py")
    return tiny.run(*arguments, *more)


@pytest.mark.merge
def test_every_block_works_and_the_students_learn(page):
    _, scope = page
    assert scope["result"].record["validation_accuracy"] > 0.9
    rates = kd.metrics.activity(scope["own"], scope["data"].sample(60)[0]).rates
    assert 0 < rates["own"] < 1
    images, labels = scope["data"].sample(60)
    assert kd.metrics.accuracy(scope["own"].predict(images, verbose=0), labels) > 0.9


@pytest.mark.slow
def test_a_folder_of_pictures_and_a_softmax_teacher_of_0_to_255_with_no_option_but_the_paths(page, monkeypatch, capsys):
    place, _ = page
    monkeypatch.chdir(place)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    (command,) = blocks("bash")[0].splitlines()
    assert run(command, "--epochs", "8") == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "its images are brought to the scale 0..255" in said
    assert "has no spiking neurons" in said
    rows = {row["name"]: row for row in read_json("runs/my_images_distill/results.json")["models"]}
    assert rows["teacher"]["accuracy"] > 0.95
    assert rows["student_distilled"]["accuracy"] >= rows["teacher"]["accuracy"] - 0.03
    assert read_json("saved_models/my_images_distill/card.json")["model"]["name"] == "student_distilled"


@pytest.mark.merge
def test_a_model_with_own_layers_is_evaluated_by_import(page, monkeypatch):
    place, _ = page
    monkeypatch.chdir(place)
    (command,) = blocks("bash")[1].splitlines()
    assert run(command) == 0
    assert read_json("runs/evaluate_own/evaluate.json")["spikes_per_image"] > 0
    assert run("python train.py --mode evaluate --dataset my_images --model own.keras --import no_such_module") == 1
