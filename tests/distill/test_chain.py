"""Chains: everything is checked first, and what is finished stays."""

import dataclasses
import re
import shutil

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.objectives import FeatureMap
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import FileFormatError, KDError, ShapeError, UnknownNameError
from keras_snnkd.files.staging import read_json, sha256
from tests.distill import tiny
from tests.distill.chain_cases import DATA, network, run, three_stages


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the results of a finished chain."""
    folder = tmp_path_factory.mktemp("chain") / "run"
    return folder, Chain(three_stages(), folder).run(DATA)


def test_each_stage_leaves_its_model_history_and_record(finished):
    folder, results = finished
    assert list(results) == ["teacher", "assistant", "student"]
    for name, result in results.items():
        assert {file.name for file in (folder / name).iterdir()} == {"model.keras", "history.json", "settings.json", "stage.json"}
        model = kd.models.load(folder / name / "model.keras")
        tiny.assert_equal_weights(model, tiny.values(result.model))
        history = read_json(folder / name / "history.json")
        assert history == result.history
        assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history[0])
        model.compile(loss=tiny.crossentropy(), metrics=["accuracy"])
        accuracy = model.evaluate(DATA.validation, verbose=0)[1]
        assert result.record["validation_accuracy"] == pytest.approx(accuracy) == max(row["val_accuracy"] for row in history)
        assert history[result.record["best_epoch"] - 1]["val_accuracy"] == result.record["validation_accuracy"]
    record = read_json(folder / "student" / "stage.json")
    assert record["teacher_sha256"] == sha256(folder / "assistant" / "model.keras")
    assert record["loss"] == "1 label + 1 feature_map(neurons -> neurons) + 1 soft_targets(logits -> logits)"
    assert record["versions"]["keras"] == keras.__version__
    assert record["parameters"] == results["student"].model.count_params()


def test_finished_stages_are_loaded_and_stay_as_they_are(finished):
    folder, results = finished
    files = {file: (file.stat().st_mtime_ns, sha256(file)) for file in folder.rglob("*.*")}
    again = run(three_stages(), folder, resume=True)
    assert files == {file: (file.stat().st_mtime_ns, sha256(file)) for file in folder.rglob("*.*")}
    for name, result in again.items():
        tiny.assert_equal_weights(result.model, tiny.values(results[name].model))
        assert (result.history, result.record) == (results[name].history, results[name].record)


@pytest.mark.every(3)
def test_what_rounding_cost_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_snnkd.distill.chain.round_weights", lambda model: [weight.assign(-weight) for weight in model.weights])
    stages = [dataclasses.replace(three_stages()[0], weight_bits=8)]
    (result,) = Chain(stages, tmp_path / "run").run(DATA).values()
    assert result.record["before_rounding"] == max(row["val_accuracy"] for row in result.history)
    assert result.record["validation_accuracy"] != result.record["before_rounding"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.5}, r"learning_rate was 0.001 and is now 0.5\. Use those again, or another folder"),
        ({"epochs": 3}, "epochs was 1 and is now 3"),
        ({"cache_views": 4}, "cache_views was None and is now 4"),
        ({"objectives": ["soft_targets"]}, "objectives was"),
        ({"objectives": [FeatureMap(weight=2.0), "soft_targets"]}, "objectives was .* is now .*'weight': 2.0"),
        ({"teacher": "teacher"}, "teacher was 'assistant' and is now 'teacher'; teacher_sha256 was"),
        ({"settings": {"model": "mlp:6"}}, "settings was {} and is now {'model': 'mlp:6'}"),
    ],
)
def test_a_finished_stage_with_other_settings_is_refused(finished, changes, message):
    folder, _ = finished
    with pytest.raises(KDError, match=message):
        run(three_stages(**changes), folder, resume=True)


def test_a_setting_that_went_back_to_its_default_is_another_too(tmp_path):
    stage = Stage("s", network(6), optimizer="sgd", epochs=3, stop=1)
    Chain([stage], tmp_path / "run").run(DATA)
    with pytest.raises(KDError, match="optimizer was 'sgd' and is now 'adamw'; stop was 1 and is now None"):
        Chain([dataclasses.replace(stage, optimizer="adamw", stop=None)], tmp_path / "run").run(DATA, resume=True)


def test_few_labels_need_data_that_know_them(tmp_path):
    with pytest.raises(KDError, match="labels of stage s needs data that know them"):
        Chain([Stage("s", network(6), labels=0.5)], tmp_path / "run").run((np.zeros((20, 8, 8, 1), "float32"), np.zeros(20, "int32")))


def test_a_folder_that_holds_a_run_is_refused_without_resume(finished):
    folder, _ = finished
    with pytest.raises(KDError, match=r"holds a run already; go on with it \(--resume\) or choose another folder"):
        run(three_stages(), folder)


@pytest.mark.every(3)
@pytest.mark.parametrize("name", ["model.keras", "history.json", "stage.json"])
def test_a_finished_stage_that_is_damaged_is_told(finished, tmp_path, name):
    folder, _ = finished
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "student" / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match=re.escape(name)):
        run(three_stages(), tmp_path / "run", resume=True)


@pytest.mark.slow
def test_the_same_stages_train_alike_whatever_ran_before(tmp_path):
    """Objectives given as instances do not carry their trained projections from one run, or stage, to the next."""
    trained = Stage("teacher", network(12, neuron="relu"), epochs=10, learning_rate=0.02)
    teacher = Chain([trained], tmp_path / "teacher").run(DATA)["teacher"].model
    stage = Stage("student", network(6), teacher=teacher, objectives=[FeatureMap()], epochs=1)
    first = Chain([stage], tmp_path / "first").run(DATA)["student"]
    other = dataclasses.replace(stage, name="other", student=network(4))
    second = Chain([other, stage], tmp_path / "second").run(DATA)["student"]
    assert first.history == second.history
    tiny.assert_equal_weights(first.model, tiny.values(second.model))


@pytest.mark.slow
def test_a_stage_can_start_from_the_weights_of_another(finished, tmp_path):
    class Seen(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            weights.append(tiny.values(self.model.student))

    weights = []
    stages = [Stage("first", network(6, neuron="relu"), epochs=1), Stage("second", network(6), start_from="first", epochs=1)]
    results = Chain(stages, tmp_path).run(DATA, callbacks=lambda stage: [Seen()])
    for started, trained in zip(weights[1], tiny.values(results["first"].model), strict=True):
        np.testing.assert_array_equal(started, trained)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objectives": ["soft_target"]}, UnknownNameError, "Did you mean 'soft_targets'"),
        ({"objectives": [{"objective": "soft_targets", "temperature": 0}]}, ValueError, "greater than 0, got 0"),
        ({"objectives": [{"objective": "spike_train", "window": 3}]}, ShapeError, "the window of 3 steps is longer than the student's T=2"),
        ({"objectives": [{"objective": "feature_map", "teacher_tap": "block2_neuron"}]}, UnknownNameError, "Did you mean 'block1_neuron'"),
        ({"student": lambda: kd.models.MLP((8, 8, 1), 9, widths=(6,))}, ShapeError, "10 classes and the student mlp has 9"),
        ({"student": lambda: kd.models.MLP((9, 9, 1), 10, widths=(6,))}, ShapeError, "takes inputs"),
        ({"teacher": None}, ValueError, "soft_targets need a teacher"),
        ({"start_from": "teacher"}, ShapeError, "layer 'block1_dense' has .* in width12 and .* in width6"),
    ],
)
def test_a_last_stage_that_does_not_fit_fails_before_the_first_one_trains(changes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run(three_stages(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("stages", "error", "message"),
    [
        (lambda: [], ValueError, "at least one stage"),
        (lambda: three_stages(teacher="assistent"), UnknownNameError, "named by stage 'student' 'assistent'. Did you mean 'assistant'"),
        (lambda: three_stages(start_from="teachr"), UnknownNameError, "Did you mean 'teacher'"),
        (lambda: three_stages()[::-1], UnknownNameError, "unknown earlier stage, named by stage 'student' 'assistant'.*Known: none"),
        (lambda: three_stages()[:1] * 2, ValueError, "two stages are named 'teacher'"),
        (lambda: [Stage("a/b", network(6))], ValueError, "letters, digits, _ and -, got 'a/b'"),
        (lambda: [Stage("a", network(6), epochs=0)], ValueError, "stage a: epochs must be a whole number above 0, got 0"),
        (lambda: [Stage("a", network(6), cache_views=0)], ValueError, "stage a: cache_views must be a whole number above 0, or None"),
        (lambda: [Stage("a", network(6), learning_rate=0)], ValueError, "stage a: learning_rate must be greater than 0, got 0"),
        (lambda: [Stage("a", network(6), optimizer="sdg")], UnknownNameError, "Did you mean 'sgd'"),
        (lambda: [Stage("a", network(6), schedule="onecycle")], UnknownNameError, "Did you mean 'one_cycle'"),
        (lambda: [Stage("a", network(6), label_smoothing=1.0)], ValueError, "label_smoothing must be a number from 0 to less than 1"),
        (
            lambda: [Stage("a", network(6), epochs=3, stop=4)],
            ValueError,
            "stage a: stop must be one of its 3 epochs, or None for all, got 4",
        ),
    ],
)
def test_a_chain_that_cannot_be_is_refused_when_it_is_made(stages, error, message, tmp_path):
    with pytest.raises(error, match=message):
        Chain(stages(), tmp_path)


def test_a_stage_trains_by_the_optimizer_schedule_and_labels_that_it_names():
    stage = Stage("teacher", network(6), epochs=10, learning_rate=0.5, optimizer="sgd", schedule="one_cycle", label_smoothing=0.1)
    distiller = stage.distiller(stage.student(), None, 2)
    assert isinstance(distiller.optimizer, keras.optimizers.SGD)
    assert float(distiller.optimizer._learning_rate(6)) == pytest.approx(0.5)  # 3 tenths of 20 steps
    assert distiller.loss.label_smoothing == 0.1


@pytest.mark.slow
def test_a_teacher_that_stops_early_has_the_rates_of_a_whole_training(tmp_path):
    stage = Stage("teacher", network(6), epochs=4, stop=2, learning_rate=0.01)
    whole = dataclasses.replace(stage, epochs=2, stop=None)
    stopped = Chain([stage], tmp_path / "stopped").run(DATA)["teacher"]
    short = Chain([whole], tmp_path / "short").run(DATA)["teacher"]
    assert [len(result.history) for result in (stopped, short)] == [2, 2]
    assert stopped.record["stop"] == 2
    assert stopped.history[1]["loss"] != short.history[1]["loss"]  # the rate of the short one has fallen further


def test_the_record_of_a_stage_without_new_settings_is_as_it_was():
    record = Stage("teacher", network(6)).record()
    assert not {"optimizer", "schedule", "label_smoothing", "stop", "transfer"} & set(record)
    assert Stage("teacher", network(6), optimizer="sgd").record()["optimizer"] == "sgd"


def test_check_returns_the_untrained_distillers():
    distillers = Chain(three_stages(), "unused").check()
    assert [distiller.describe() for distiller in distillers.values()] == [
        "1 label",
        "1 label + 1 soft_targets(logits -> logits)",
        "1 label + 1 feature_map(neurons -> neurons) + 1 soft_targets(logits -> logits)",
    ]
    assert distillers["student"].teacher is distillers["assistant"].student
