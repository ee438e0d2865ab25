"""`--rivals` in both of its modes; files are not converted here."""

import dataclasses
import functools
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import StageResult
from keras_snnkd.export.report import ExportReport
from keras_snnkd.files.padding import lengths
from keras_snnkd.files.staging import read_json
from keras_snnkd.run import integers
from keras_snnkd.run.comparing.rivals import Rivals
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished.measuring import Measuring

SETTINGS = {"limit": 200, "batch_size": 50, "teacher": "mlp:24", "teacher_neuron": "relu", "student": "mlp:12", "timesteps": 2}
TAUGHT = {"teacher_epochs": 10, "teacher_learning_rate": 0.02, "epochs": 1, "seeds": 2, "objectives": ["soft_targets"]}
RECIPE = kd.Recipe(mode="compare", rivals=True, **SETTINGS, **TAUGHT)


class Files:
    """In place of converter and interpreter: a file holds the name of its model, which answers for it."""

    def __init__(self):
        self.models, self.stop_at, self.forms = {}, None, []

    def litert(self, model, path, quantize, *, samples, form="litert"):
        self.forms.append(form)
        if len(self.models) == self.stop_at:
            raise KeyboardInterrupt
        self.models[str(path)] = model
        Path(path).write_text(model.name)
        return ExportReport("int8", str(path), 1000, {}, len(samples), 1.0, 0.0, 1.0, {}, 0, {})

    def open(self, path):
        class Interpreter:
            predict = staticmethod(lambda images: np.asarray(self.models[str(path)](images)))

        return Interpreter

    def tuned(self, model, data, folder, epochs, labels):
        """In place of the training for integers, which took a second before this process."""
        self.labels = labels
        return StageResult(model.name, model, folder, [], {"seconds": 1.0})

    def latency(self, path, threads):
        raise RuntimeError("no clock here")


@pytest.fixture
def files(monkeypatch):
    found = Files()
    monkeypatch.setattr(integers.export, "litert", found.litert)
    monkeypatch.setattr(integers.export, "streaming", functools.partial(found.litert, form="streaming"))
    monkeypatch.setattr(integers.export, "LiteRT", found.open)
    monkeypatch.setattr(integers.export, "latency", found.latency)
    monkeypatch.setattr(integers, "finetuned_int8", found.tuned)
    return found


@pytest.mark.slow
def test_two_seeds_interrupted_end_with_all_figures_and_all_seconds(files, tmp_path, monkeypatch):
    files.stop_at = 3  # at the last file of the second seed
    with pytest.raises(KeyboardInterrupt):
        Rivals(RECIPE, tmp_path / "run").run()
    assert not (tmp_path / "run" / "results.json").exists()
    files.models.clear()
    files.stop_at = None
    trained = []
    fit = kd.Distiller.fit
    monkeypatch.setattr(kd.Distiller, "fit", lambda self, *more, **named: trained.append(self.student.name) or fit(self, *more, **named))
    content = Rivals(RECIPE, tmp_path / "run").run(resume=True)
    assert trained == []  # everything was trained before the interruption
    spiking, ann = content["rivals"]
    assert spiking["seeds"] == ann["seeds"] == [0, 1]
    assert spiking["milliseconds"] is None
    assert [note for note in content["notes"] if "not timed" in note] == [
        "the file of student was not timed: RuntimeError: no clock here",
        "the file of student_ann was not timed: RuntimeError: no clock here",
    ]
    stages = [read_json(path, signed=True)["seconds"] for path in (tmp_path / "run").rglob("stage.json")]
    assert len(stages) == 1 + 2 * 2
    assert content["seconds"] >= sum(stages) + 2 * 2 * 1.0
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_student_without_a_form_of_integers_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("training started"))
    monkeypatch.delitem(integers.quantize_aware.__globals__["SYNAPSES"], keras.layers.Dense)
    with pytest.raises(ValueError, match="has layers without an 8-bit form: "):
        Rivals(RECIPE, tmp_path / "run").run()
    assert not (tmp_path / "run").exists()


# beside the student of one run

DISTILLED = {**SETTINGS, **TAUGHT, "mode": "distill", "rivals": True, "labels": 0.5, "objectives": ["soft_targets", "spike_train"]}


def test_a_distilled_student_stands_beside_its_twin_that_learned_alike(files, tmp_path):
    recipe = {**DISTILLED, "teacher_neuron": None, "teacher_epochs": 1}
    experiment = Experiment(kd.Recipe(**recipe), tmp_path / "run")
    stages = {stage.name: stage for stage in experiment.stages()}
    assert list(stages) == ["teacher", "student_alone", "student_twin", "student_distilled"]
    twin, student = stages["student_twin"], stages["student_distilled"]
    assert twin.objectives == ["soft_targets"]  # spikes it has none
    assert (twin.teacher, twin.epochs, twin.learning_rate, twin.labels) == (student.teacher, student.epochs, student.learning_rate, 0.5)
    notes = []
    content = experiment._rivals({name: (stages[name].student(), {}, []) for name in ("student_twin", "student_distilled")}, notes)
    assert [(row["name"], row["seeds"]) for row in content["rivals"]] == [("student_distilled", [0]), ("student_twin", [0])]
    assert files.labels == 0.5  # no label reaches the integers that the student has not had
    assert any(sentence.startswith("So the spiking student is") for sentence in content["verdict"])
    assert [note for note in notes if "not timed" not in note] == []


@pytest.mark.slow
def test_a_run_with_a_rival_keeps_the_student_and_says_which_is_worth_it(files, tmp_path, monkeypatch):
    monkeypatch.setattr(Measuring, "export", lambda *arguments: ({}, []))
    content = Experiment(kd.Recipe(**{**DISTILLED, "teacher_neuron": None, "teacher_epochs": 1}), tmp_path / "run").run()
    assert content["models"][-1]["name"] == "student_distilled"
    assert len(content["rivals"]) == 2
    assert "Is the spiking student worth it?" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_a_budget_of_spikes_is_for_the_rival_that_has_some(tmp_path):
    stages = Rivals(dataclasses.replace(RECIPE, max_spikes=0.05), tmp_path / "run").stages()
    budgeted = [stage.name for stage in stages if {"objective": "spike_budget", "rate": 0.05, "per": "neuron"} in list(stage.objectives)]
    assert budgeted == ["student"]


def test_a_twin_whose_student_starts_from_one_learns_for_both_phases(tmp_path):
    stages = {stage.name: stage for stage in Experiment(kd.Recipe(**{**DISTILLED, "twin_epochs": 3}), tmp_path).stages()}
    assert (stages["student_twin"].epochs, stages["student_distilled_twin"].epochs, stages["student_distilled"].epochs) == (4, 3, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neuron": "relu"}, "--rivals sets a spiking student beside its ANN twin"),
        ({"teacher": None, "teacher_neuron": None, "objectives": ["long_to_short"]}, "a student that starts by longer has none"),
        ({"strategy": "mirrored"}, "--rivals writes int8 files and runs on one device"),
    ],
    ids=str,
)
def test_rivals_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        kd.Recipe(**{**DISTILLED, **settings}).resolved()


# series


@pytest.mark.slow
def test_rivals_of_padded_series_are_files_of_one_step(tmp_path):
    networks = {"student": "sequence:8", "teacher": "sequence:16", "teacher_neuron": "relu"}
    settings = {"seeds": 1, "epochs": 4, "teacher_epochs": 8, "objectives": ["soft_targets"]}
    recipe = kd.Recipe(mode="compare", rivals=True, dataset="japanese_vowels", **networks, **settings)
    experiment = Rivals(recipe, tmp_path / "run")
    spiking, ann = experiment.run()["rivals"]
    steps = lengths(experiment.data.test_arrays[0]).mean()
    assert 7 < steps < 29  # padding is not run
    assert (spiking["runs"], ann["runs"]) == pytest.approx((steps, steps))
    for name, row in (("student", spiking), ("student_ann", ann)):
        file = kd.edge.Runner(tmp_path / "run" / "seed0" / f"{name}_int8.tflite")
        assert (file.streaming, file.padded) == (True, True)
        assert row["accuracy"] == kd.metrics.accuracy(file.predict(experiment.data.test_arrays[0]), experiment.data.test_arrays[1])
        assert row["accuracy"] > 0.3  # of nine speakers


def test_windows_of_more_steps_than_a_file_holds_run_step_by_step(files, tmp_path, monkeypatch):
    monkeypatch.setattr(integers.export, "latency", lambda path, threads: [kd.export.Latency(1, 0.5, 0.6, 10, None)])
    random = np.random.default_rng(0)
    windows, labels = random.normal(size=(30, 70, 2)), np.arange(30) % 2
    np.savez(tmp_path / "mine.npz", values=windows, labels=labels, groups=np.repeat(np.arange(6), 5))
    data = kd.data.load(tmp_path / "mine.npz")
    for neuron, form, runs in (("lif", "streaming", 70), ("relu", "litert", 1)):
        model = kd.models.SequenceNet((70, 2), 2, widths=(4,), neuron=neuron, padded=False)
        found, _ = integers.as_integers(model, data, tmp_path, neuron, 0, 1.0, [])
        assert files.forms[-1] == form
        assert (found["runs"], found["milliseconds"]) == (runs, runs * 0.5)


def test_padding_is_not_run_and_not_timed(files, tmp_path, monkeypatch):
    monkeypatch.setattr(integers.export, "latency", lambda path, threads: [kd.export.Latency(1, 0.5, 0.6, 10, None)])
    data = kd.data.load("japanese_vowels", limit=60)
    steps = lengths(data.test_arrays[0]).mean()
    assert steps < 29
    for neuron in ("lif", "relu"):
        found, _ = integers.as_integers(kd.models.SequenceNet((29, 12), 9, widths=(4,), neuron=neuron), data, tmp_path, neuron, 0, 1.0, [])
        assert files.forms[-1] == "streaming"
        assert (found["runs"], found["milliseconds"]) == pytest.approx((steps, steps * 0.5))
