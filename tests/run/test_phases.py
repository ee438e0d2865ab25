"""The phase of the ANN twin, few labels, and what a run says before it distils."""

import io

import numpy as np
import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd.data.few_labels import UNLABELLED
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.measuring import Measuring
from keras_snnkd.run.watching.outlook import warnings_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests

TINY = {"limit": 200, "teacher": "mlp:24", "student": "mlp:12", "timesteps": 2, "teacher_epochs": 1, "epochs": 1, "objectives": ["hinton"]}


def experiment(folder, **settings):
    return Experiment(kd.Recipe(**{**TINY, **settings}), folder, rich.console.Console(file=io.StringIO(), width=200))


def stages(folder, **settings):
    return {stage.name: stage for stage in experiment(folder, **settings).stages()}


# the twin's phase


def test_each_student_starts_from_a_twin_that_learned_as_it_does(tmp_path):
    found = stages(tmp_path, twin_epochs=3)
    assert list(found) == ["teacher", "student_alone_twin", "student_alone", "student_distilled_twin", "student_distilled"]
    assert [found[name].epochs for name in ("student_alone_twin", "student_distilled_twin", "student_distilled")] == [3, 3, 1]
    assert (found["student_alone"].start_from, found["student_distilled"].start_from) == ("student_alone_twin", "student_distilled_twin")
    twin, student = found["student_distilled_twin"], found["student_distilled"]
    assert (twin.teacher, twin.objectives, twin.label_weight) == (student.teacher, list(student.objectives), student.label_weight)
    assert not found["student_alone_twin"].objectives


def test_assistants_and_twins_that_teach_learn_as_long_as_students_and_theirs(tmp_path):
    found = stages(tmp_path / "a", twin_epochs=3, mode="multistage", assistants=["mlp:16"], max_spikes=0.05)
    assert list(found)[1:3] == ["assistant_twin", "assistant"]
    twin, assistant = found["assistant_twin"], found["assistant"]
    assert (twin.epochs, assistant.epochs, assistant.start_from) == (3, 1, "assistant_twin")
    assert twin.settings["model"]["widths"] == assistant.settings["model"]["widths"] == [16]
    assert twin.teacher == assistant.teacher == "teacher"
    assert all(entry["objective"] != "spike_budget" for entry in (*twin.objectives, *assistant.objectives))
    assert stages(tmp_path / "b", twin_epochs=3, teacher="twin")["teacher"].epochs == 4
    ann = {"builder": "MLP", "widths": [16], "neuron": "relu"}
    found = stages(tmp_path / "c", twin_epochs=3, mode="multistage", assistants=[ann])
    assert "assistant_twin" not in found
    assert found["assistant"].epochs == 4


def test_a_student_whose_method_cannot_teach_a_twin_has_that_of_the_student_alone_before_it(tmp_path):
    settings = {**TINY, "objectives": ["hinton", "tks"], "mode": "compare", "twin_epochs": 2}
    comparison = Comparison(kd.Recipe(**settings), tmp_path, rich.console.Console(file=io.StringIO(), width=200))
    assert [stage.name for stage in comparison._arm_stages({}, ["tks"])] == ["student_alone_twin", "tks"]


@pytest.mark.parametrize(("activation", "layer"), [("rates", "RateActivation"), ("relu", "ReLU")])
def test_the_twins_activations_are_rates_unless_relu_is_asked_for(activation, layer, tmp_path):
    found = stages(tmp_path, twin_epochs=1, twin_activation=activation)
    for name in ("student_alone_twin", "student_distilled_twin"):
        twin = found[name].student()
        assert {type(one).__name__ for one in twin.layers if one.name.endswith("neuron")} == {layer}
        assert (found[name].settings.get("activation") == "rates") == (activation == "rates")


@pytest.mark.parametrize(("activation", "budgets"), [("rates", ["spike_budget"]), ("relu", [])])
def test_a_budget_of_spikes_is_one_of_rates_in_the_twin(activation, budgets, tmp_path):
    found = stages(tmp_path, twin_epochs=1, twin_activation=activation, max_spikes=0.05)
    for name, held in (("student_alone_twin", []), ("student_alone", []), ("student_distilled_twin", budgets)):
        assert [one["objective"] for one in found[name].objectives if one["objective"] == "spike_budget"] == held
    assert [one["objective"] for one in found["student_distilled"].objectives] == ["soft_targets", "spike_budget"]


@pytest.mark.parametrize(
    ("objectives", "of_twin"),
    [
        (["full_range"], ["soft_targets"]),
        (["distilling_spikes"], ["soft_targets"]),
        (["meom"], None),
        (["spike_train"], None),
        (["tks"], None),
    ],
    ids=str,
)
def test_the_twin_learns_by_what_needs_no_time_steps_or_else_by_labels(objectives, of_twin, tmp_path):
    found = stages(tmp_path, twin_epochs=1, objectives=objectives)
    if of_twin is None:
        assert "student_distilled_twin" not in found
        assert found["student_distilled"].start_from == "student_alone_twin"
    else:
        twin = found["student_distilled_twin"]
        assert [objective["objective"] for objective in twin.objectives] == of_twin
        assert twin.label_weight > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neuron": "relu"}, "twin_epochs trains the student's ANN twin first, and this student is an ANN itself"),
        ({"student": {"builder": "MLP", "widths": [8], "neuron": "relu"}}, "this student is an ANN itself"),
        ({"student_start": "ann_twin"}, "both say where the student starts"),
        ({"objectives": ["lasnn"]}, "both say where the student starts"),
        ({"twin_epochs": -1}, "twin_epochs must be a number of epochs of at least 0, got -1"),
    ],
    ids=str,
)
def test_a_phase_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        kd.Recipe(**{**TINY, "twin_epochs": 1, **settings}).resolved()


# few labels


def test_few_labels_are_of_every_class_and_the_same_for_the_same_seed():
    data = kd.data.load("digits")
    some, count = data.partly_labelled(0.1).train_arrays[1], len(data.train_arrays[1])
    known = some != UNLABELLED
    assert known.sum() == pytest.approx(0.1 * count, abs=10)
    assert set(some[known]) == set(range(10))
    np.testing.assert_array_equal(some[known], data.train_arrays[1][known])
    np.testing.assert_array_equal(some, data.partly_labelled(0.1).train_arrays[1])


def test_the_student_alone_sees_labelled_images_as_often_as_others_see_all():
    data = kd.data.load("digits")
    alone = data.labelled(0.1)
    assert alone.steps_per_epoch == data.steps_per_epoch
    known = data.partly_labelled(0.1).train_arrays[1] != UNLABELLED
    distinct = {image.tobytes() for image in alone.train_arrays[0]}
    assert distinct == {image.tobytes() for image in data.train_arrays[0][known]}


def test_all_labels_are_the_data_as_they_are():
    data = kd.data.load("digits")
    assert data.labelled(1.0) is data.partly_labelled(1) is data


def test_a_run_with_few_labels_teaches_on_all_images(tmp_path):
    found = stages(tmp_path, labels=0.1)
    data = kd.data.load("digits", limit=200)
    for name in ("teacher", "student_alone"):
        assert (found[name].shown(data).train_arrays[1] >= 0).all()
    taught = found["student_distilled"].shown(data).train_arrays[1]
    assert (taught == UNLABELLED).mean() > 0.8


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_of_labels_that_cannot_be_is_refused(share):
    with pytest.raises(ValueError, match="labels must be the share of training images that are labelled, above 0 and at most 1"):
        kd.Recipe(**TINY, labels=share).resolved()
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        kd.data.load("digits").labelled(share)


@pytest.mark.parametrize("objective", ["tks", "bkdsnn", "dkd", "correct_steps"])
def test_objectives_that_ask_for_every_label_are_refused(objective):
    with pytest.raises(ValueError, match="asks for the label of every image, and --labels leaves most of them without"):
        kd.Recipe(**{**TINY, "objectives": [objective]}, labels=0.1).resolved()


# a whole run


@pytest.mark.slow
def test_a_run_in_two_phases_with_few_labels_says_first_what_there_is_to_gain(tmp_path, monkeypatch):
    monkeypatch.setattr(Measuring, "export", lambda *arguments: ({}, []))
    made = experiment(tmp_path / "run", labels=0.3, twin_epochs=1, cache=1)
    results = made.run()
    assert [row["name"] for row in results["models"]][-2:] == ["student_distilled_twin", "student_distilled"]
    last = kd.models.load(tmp_path / "run" / "student_distilled" / "model.keras")
    assert any(getattr(layer, "emits_spikes", False) for layer in last.layers)
    history = read_json(tmp_path / "run" / "student_distilled" / "history.json")
    assert all(np.isfinite(list(row.values())).all() for row in history)
    ((name, lines),) = made.outlook.items()
    assert name == "teacher"
    assert lines[0].startswith("on validation images the teacher has")
    assert sum(line.startswith("the student's ANN twin has") for line in lines) == 1
    told = [note for note in results["notes"] if not note.startswith("the teacher teacher is right on")]  # it was trained for an epoch
    assert told == warnings_of(lines)
    said = made.console.file.getvalue()
    assert said.index("on validation images the teacher has") < said.index("student_distilled_twin epoch")
