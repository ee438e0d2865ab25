"""The way from a model to its files and card, with targets that cost nothing to write; and once, with real ones, on the command line."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd.errors import ExportError, FileFormatError, UnsupportedError
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.targets import TARGETS, Order, Target
from keras_snnkd.files.extras import MissingPackageError
from keras_snnkd.files.staging import staged
from keras_snnkd.report import plots
from keras_snnkd.run.finished import edge_export
from keras_snnkd.run.finished.card import read_card
from keras_snnkd.run.finished.edge_export import EdgeExport
from tests.integration import tiny

DATA = kd.data.load("digits", limit=200)


def write(order, path):
    """A file that says which model it is of."""
    path.write_text(order.reference.model.name)
    return ExportReport("fake", str(path), path.stat().st_size, {"ADD": 1}, len(order.reference.samples), 1.0, 0.0, 1.0, {}, 0, {})


def refuse(error):
    def fail(order, path):
        raise error

    return fail


def always(number):
    """A file that gives each image this class."""
    return lambda path: lambda images: np.eye(10)[np.full(len(images), number)]


FAKES = {
    "plain": Target("Plain", "plain.bin", write, always(3), timed=False),
    "steps": Target("Steps", "steps.bin", write, always(1), "int8", one_step=True, unrolled=False, timed=False),
    "soft": Target("Soft", "soft.bin", refuse(UnsupportedError("layer 'a' has a soft reset")), always(0)),
    "absent": Target("Absent", "absent.bin", refuse(MissingPackageError("pip install 'keras_snnkd[nir]'")), always(0)),
    "wrong": Target("Wrong", "wrong.bin", refuse(ExportError("12 % of predictions agree.")), always(0)),
}


@pytest.fixture
def offered(monkeypatch):
    """Makes these targets the only ones, and leaves out the pictures, which `tests/test_card.py` looks at."""
    for picture in ("targets", "anytime", "raster", "firing_rates"):
        monkeypatch.setattr(plots, picture, lambda *_, **__: "<svg></svg>")

    def offer(*names):
        monkeypatch.setattr(edge_export, "TARGETS", FAKES)
        monkeypatch.setattr(edge_export, "select", lambda asked: list(names))

    return offer


def model(**arguments):
    return kd.models.build("mlp:12", (8, 8, 1), 10, name="small_student", **{"timesteps": 2, **arguments})


def export(model, folder, targets=("all",), **arguments):
    return EdgeExport(model, DATA, folder, targets, console=rich.console.Console(file=io.StringIO()), **arguments)


@pytest.mark.slow
def test_files_are_measured_on_the_whole_test_set_and_the_card_lies_beside_them(offered, tmp_path):
    offered("plain", "steps")
    student = model()
    card = export(student, tmp_path, facts={"command": "train.py", "dataset": {"source": "digits"}}).run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "card.json", "manifest.json", "plain.bin", "steps.bin"]
    assert read_card(tmp_path / "model.keras") == json.loads(json.dumps({"schema": 2, **card}))
    plain, steps = card["targets"]
    labels = DATA.test_arrays[1]
    predicted = student.predict(DATA.test, verbose=0).argmax(-1)
    assert plain["test_images"] == len(labels) == 200
    assert plain["test_accuracy"] == np.mean(labels == 3)
    assert plain["test_agreement"] == np.mean(predicted == 3)
    assert (plain["state"], plain["bytes"], plain["runs_per_image"]) == ("written", len("small_student"), 1)
    assert (steps["runs_per_image"], steps["arithmetic"], steps["energy"]["arithmetic"]) == (2, "int8", "int8")
    assert card["model"]["accuracy"] == np.mean(predicted == labels)
    assert (card["command"], card["dataset"]["source"], card["dataset"]["test"]) == ("train.py", "digits", 200)


@pytest.mark.slow
def test_cost_and_early_answers_stand_in_the_card(offered, tmp_path):
    offered("plain")
    card = export(model(), tmp_path).run()
    cost = card["cost"]
    assert cost["twin_dense"] == 64 * 12 + 12 * 10
    assert cost["synaptic_operations"]["dense"] == 64 * 12 + 2 * 12 * 10
    assert cost["energy"] == {**card["targets"][0]["energy"]}
    assert cost["energy"]["twin_effective"] is cost["twin"] is None
    assert (card["anytime"]["samples"], card["anytime"]["calibration_samples"]) == (200, len(DATA.validation_arrays[1]))
    assert card["anytime"]["accuracy"][-1] == pytest.approx(card["model"]["accuracy"])
    assert list(card["raster"]["layers"]) == ["block1_neuron"]


@pytest.mark.slow
def test_a_trained_twin_stands_beside_the_model(offered, tmp_path):
    offered("plain")
    twin = model(neuron="relu")
    cost = export(model(), tmp_path, twin=twin).run()["cost"]
    assert cost["twin"]["accuracy"] == np.mean(twin.predict(DATA.test, verbose=0).argmax(-1) == DATA.test_arrays[1])
    assert cost["twin"]["synaptic_operations"]["dense"] == cost["twin_dense"]
    assert cost["energy"]["twin_effective"] == pytest.approx(4.6e-3 * cost["twin"]["synaptic_operations"]["effective_macs"])


@pytest.mark.merge
def test_files_of_integers_are_of_the_model_made_ready_for_them(offered, tmp_path, monkeypatch):
    def integers(order, path):
        return write(dataclasses.replace(order, reference=order.source("int8")), path)

    monkeypatch.setitem(FAKES, "whole", Target("Whole", "whole.bin", integers, always(3), timed=False))
    offered("plain", "whole")
    export(model(), tmp_path).run()
    assert (tmp_path / "whole.bin").read_text() == "small_student"
    export(model(), tmp_path, aware=kd.models.build("mlp:12", (8, 8, 1), 10, timesteps=2, name="ready")).run()
    assert [(tmp_path / f"{name}.bin").read_text() for name in ("plain", "whole")] == ["small_student", "ready"]


def test_an_ann_has_a_card_without_steps_and_spikes(offered, tmp_path):
    offered("plain")
    card = export(model(neuron="relu"), tmp_path).run()
    assert (card["model"]["timesteps"], card["anytime"], card["raster"]) == (None, None, None)
    assert card["cost"]["energy"]["dense"] == card["cost"]["energy"]["twin_dense"]
    assert "Answers before the last step" not in (tmp_path / "card.html").read_text()


def test_of_all_targets_those_that_cannot_be_are_listed_with_the_reason(offered, tmp_path):
    offered("soft", "plain", "absent")
    soft, plain, absent = export(model(), tmp_path).run()["targets"]
    assert (soft["state"], plain["state"], absent["state"]) == ("left out", "written", "left out")
    assert soft["reason"] == "layer 'a' has a soft reset"
    assert "keras_snnkd[nir]" in absent["reason"]
    assert not (tmp_path / "soft.bin").exists()


def test_a_target_asked_for_by_name_that_cannot_be_is_an_error(offered, tmp_path):
    offered("soft", "plain")
    with pytest.raises(ExportError, match=r"Soft: layer 'a' has a soft reset Everything else is in .*card\.html"):
        export(model(), tmp_path, ["soft", "plain"]).run()
    assert (tmp_path / "plain.bin").is_file()


def test_a_file_that_fails_its_check_is_an_error_and_the_others_are_there(offered, tmp_path):
    offered("wrong", "plain")
    with pytest.raises(ExportError, match=r"Wrong: 12 % of predictions agree\. Everything else is in"):
        export(model(), tmp_path).run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "card.json", "manifest.json", "plain.bin"]
    refused, written = read_card(tmp_path / "model.keras")["targets"]
    assert (refused["state"], refused["reason"], written["state"]) == ("refused", "12 % of predictions agree.", "written")


@pytest.mark.slow
def test_a_file_in_a_hidden_folder_is_told_by_its_final_name(offered, tmp_path, monkeypatch):
    def fail(order, path):
        with staged(path) as (file,):
            raise ExportError(f"{file} does not run in LiteRT: failed to prepare.")

    monkeypatch.setitem(FAKES, "broken", Target("Broken", "broken.bin", fail, always(0)))
    offered("broken", "plain")
    with pytest.raises(ExportError, match="Broken: ") as error:
        export(model(), tmp_path).run()
    assert f"Broken: {tmp_path / 'broken.bin'} does not run in LiteRT: failed to prepare. Everything else" in str(error.value)


@pytest.mark.slow
def test_of_long_sequences_the_streaming_files_remain(offered, tmp_path, monkeypatch):
    monkeypatch.setattr(edge_export, "UNROLLED_STEPS", 1)
    offered("plain", "steps")
    plain, steps = export(model(), tmp_path).run()["targets"]
    assert (plain["state"], steps["state"]) == ("left out", "written")
    assert plain["reason"] == "it would hold all T = 2 steps, and the limit is 1; the streaming files hold one."


@pytest.mark.slow
def test_a_microcontroller_that_cannot_be_asked_is_noted_once(offered, tmp_path, monkeypatch):
    def missing(path, samples):
        raise MissingPackageError("pip install 'keras_snnkd[micro]'")

    monkeypatch.setitem(FAKES, "small", Target("Small", "small.bin", write, always(0), micro=True, timed=False))
    monkeypatch.setitem(FAKES, "tiny", Target("Tiny", "tiny.bin", write, always(0), micro=True, timed=False))
    monkeypatch.setattr(kd.export, "micro", missing)
    offered("small", "tiny")
    card = export(model(), tmp_path).run()
    assert [entry["micro"] for entry in card["targets"]] == [None, None]
    assert card["notes"] == ["The arena on microcontrollers was not measured: pip install 'keras_snnkd[micro]'."]


def test_a_file_that_cannot_be_timed_is_noted_and_the_rest_goes_on(offered, tmp_path, monkeypatch):
    def fail(path, threads):
        raise FileFormatError(f"{path} cannot be timed: its runs took longer than 300 s and was stopped.")

    monkeypatch.setattr(kd.export, "latency", fail)
    monkeypatch.setitem(FAKES, "slow", Target("Slow", "slow.bin", write, always(0)))
    offered("slow", "plain")
    card = export(model(), tmp_path).run()
    assert [entry["state"] for entry in card["targets"]] == ["written", "written"]
    assert card["notes"] == ["Slow was not timed: slow.bin cannot be timed: its runs took longer than 300 s and was stopped."]


def test_a_c_array_of_a_file_that_was_refused_is_refused_without_another_try(tmp_path):
    order = Order(reference=None, calibration=None, refused={"int8": ExportError("drift")})
    with pytest.raises(ExportError, match="drift"):
        TARGETS["c_array"].write(order, tmp_path / "model.h")


@pytest.mark.slow
def test_the_card_names_the_classes(offered, tmp_path):
    offered("plain")
    assert export(model(), tmp_path).run()["dataset"]["class_names"] == list("0123456789")


@pytest.mark.slow
def test_fine_tuned_integers_are_those_of_the_file(tmp_path, capsys, monkeypatch):
    student = Path("saved_models/digits_student").absolute()
    monkeypatch.chdir(tmp_path)
    assert tiny.run("--mode", "export", "--model", student, "--target", "int8", "--io", "int8", "--finetune", "1", "--out", "edge") == 0
    said = capsys.readouterr().out
    assert "fine-tuning for int8 epoch 1/1" in said
    (entry,) = read_card("edge/model.keras")["targets"]
    ready = kd.models.load("edge/finetuned/student_distilled_int8/model.keras")
    images, _ = DATA.sample(200)
    found = kd.export.LiteRT("edge/model_int8.tflite").predict(images).argmax(-1)
    assert np.mean(found == ready.predict(images, verbose=0).argmax(-1)) >= 0.99
    assert entry["test_accuracy"] > 0.9
    assert entry["agreement"] >= 0.99


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--finetune", "0"], "--finetune must be at least 1 epoch, got 0"),
        (["--finetune", "2", "--target", "dynamic"], "--finetune is for files of integers; add one of c_array, int8, streaming_int8 to"),
        (["--io", "int8", "--target", "dynamic"], "--io int8 is for files of integers"),
        (["--io", "int16"], "unknown type of input and output 'int16'"),
        (["--target", "tflite"], "unknown export target 'tflite'"),
        (["--dry-run"], "--mode export has no dry run"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_takes_time(options, said, capsys, monkeypatch):
    monkeypatch.setattr(kd.models, "load", lambda path: pytest.fail("the model was loaded"))
    assert tiny.run("--mode", "export", "--model", "saved_models/digits_student", *options) == 1
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_from_the_shelf_to_a_file_whose_accuracy_is_the_cards(tmp_path, capsys, monkeypatch):
    student = Path("saved_models/digits_student").absolute()
    monkeypatch.chdir(tmp_path)
    assert tiny.run("--mode", "export", "--model", student, "--target", "dynamic", "--out", "edge") == 0
    assert sorted(path.name for path in Path("edge").iterdir()) == ["card.html", "card.json", "manifest.json", "model_dynamic.tflite"]
    card = read_card("edge/model.keras")
    assert card["training"]["recipe"]["dataset"] == card["dataset"]["source"] == "digits"
    (entry,) = card["targets"]
    images, labels = DATA.sample(200)
    assert np.mean(kd.export.LiteRT("edge/model_dynamic.tflite").predict(images).argmax(-1) == labels) > 0.9
    assert entry["test_accuracy"] == card["model"]["accuracy"] > 0.9
    assert entry["test_images"] == 359
    assert [row["threads"] for row in entry["latency"]] == [1, 2]
    capsys.readouterr()
    assert tiny.run("--mode", "evaluate", "--model", student) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"the accuracy is that of the card, {card['model']['accuracy']:.2%} of 359 test images" in said
