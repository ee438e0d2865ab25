"""`--mode compare --rivals` with two seeds, interrupted and gone on with; files are not converted here."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import StageResult
from keras_snnkd.export.report import ExportReport
from keras_snnkd.files.staging import read_json
from keras_snnkd.run.comparing import rivals
from keras_snnkd.run.comparing.rivals import Rivals

SETTINGS = {"limit": 200, "batch_size": 50, "teacher": "mlp:24", "teacher_neuron": "relu", "student": "mlp:12", "timesteps": 2}
TAUGHT = {"teacher_epochs": 10, "teacher_learning_rate": 0.02, "epochs": 1, "seeds": 2, "objectives": ["soft_targets"]}
RECIPE = kd.Recipe(mode="compare", rivals=True, **SETTINGS, **TAUGHT)


class Files:
    """In place of converter and interpreter: a file holds the name of its model, which answers for it."""

    def __init__(self):
        self.models, self.stop_at, self.timed = {}, None, True

    def litert(self, model, path, quantize, *, samples):
        if len(self.models) == self.stop_at:
            raise KeyboardInterrupt
        self.models[str(path)] = model
        Path(path).write_text(model.name)
        return ExportReport("int8", str(path), 1000, {}, len(samples), 1.0, 0.0, 1.0, {}, 0, {})

    def open(self, path):
        class Interpreter:
            predict = staticmethod(lambda images: np.asarray(self.models[str(path)](images)))

        return Interpreter

    def tuned(self, model, data, folder, epochs):
        """In place of the training for integers, which took a second before this process."""
        return StageResult(model.name, model, folder, [], {"seconds": 1.0})

    def latency(self, path, threads):
        raise RuntimeError("no clock here")


@pytest.fixture
def files(monkeypatch):
    found = Files()
    monkeypatch.setattr(rivals.export, "litert", found.litert)
    monkeypatch.setattr(rivals.export, "LiteRT", found.open)
    monkeypatch.setattr(rivals.export, "latency", found.latency)
    monkeypatch.setattr(rivals, "finetuned_int8", found.tuned)
    return found


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
    monkeypatch.delitem(rivals.quantize_aware.__globals__["SYNAPSES"], keras.layers.Dense)
    with pytest.raises(ValueError, match="has layers without an 8-bit form: "):
        Rivals(RECIPE, tmp_path / "run").run()
    assert not (tmp_path / "run").exists()
