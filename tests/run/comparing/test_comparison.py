"""Comparing methods: the statistics by hand, whole small runs, what is repeated, and arms that fail."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import rich.console

import keras_snnkd as kd
from keras_snnkd import report
from keras_snnkd.errors import KDError, TrainingDivergedError
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.run.comparing.choosing import Setting, weighted
from keras_snnkd.run.comparing.comparison import Comparison
from keras_snnkd.run.comparing.gauge import Gauge
from keras_snnkd.run.comparing.naming import keep, names_of
from keras_snnkd.run.plan import ALONE
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests

COMPARE = [
    *tiny.TINY,
    "--mode",
    "compare",
    "--objective",
    "hinton,tks,sakd_imagenet",
    "--seeds",
    "2",
    "--out",
    "run",
    "--teacher-epochs",
    "5",
    "--learning-rate",
    "0.03",
    "--epochs",
    "5",
]  # teachers that know something, the student's twin among them
ARMS = [ALONE, "alone_ann_twin", "hinton", "tks", "sakd_imagenet"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder in which a comparison has run, as `run`."""
    place = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert tiny.run(*COMPARE, pictures=True) == 0
    return place


def recipe(**settings):
    models = {"teacher": "mlp:24", "student": "mlp:12", "timesteps": 2}
    return kd.Recipe(mode="compare", **{"limit": 100, "batch_size": 50, "epochs": 1, "teacher_epochs": 1, "seeds": 1, **models, **settings})


def compare(folder="run", **settings):
    return Comparison(recipe(**settings), folder, rich.console.Console(file=io.StringIO(), width=200))


# a whole run


@pytest.mark.slow
def test_a_run_leaves_a_stage_for_each_arm_and_seed(finished):
    run = finished / "run"
    assert {path.name for path in run.iterdir()} == {
        "teacher_ann",
        "teacher_twin",
        "seed0",
        "seed1",
        "logs",
        "recipe.json",
        "results.json",
        "report.html",
        "comparison.csv",
        "comparison.tex",
        "manifest.json",
    }
    for seed in ("seed0", "seed1"):
        assert {path.name for path in (run / seed).iterdir()} == {*ARMS, "student_ann", "measured.json"}
    assert read_json(run / "seed1" / "hinton" / "stage.json")["seed"] == 1
    assert read_json(run / "seed0" / "hinton" / "stage.json")["label_weight"] == 0.1
    assert read_json(run / "seed0" / "tks" / "stage.json")["teacher"] is None


@pytest.mark.slow
def test_the_start_without_an_objective_is_an_arm_of_its_own(finished):
    stage = read_json(finished / "run" / "seed0" / "alone_ann_twin" / "stage.json")
    assert (stage["teacher"], stage["objectives"], stage["start_from"]) == (None, [], "student_ann")


@pytest.mark.slow
def test_the_table_can_be_quoted(finished):
    rows = {row["name"]: row for row in read_json(finished / "run" / "results.json")["comparison"]}
    with open(finished / "run" / "comparison.csv", encoding="utf-8") as file:
        quoted = {row["name"]: row for row in csv.DictReader(file)}
    assert list(quoted) == list(rows)
    assert float(quoted["hinton"]["difference"]) == rows["hinton"]["difference"]
    assert [float(value) for value in quoted["tks"]["accuracies"].split()] == rows["tks"]["accuracies"]
    assert quoted[ALONE]["low"] == ""
    latex = (finished / "run" / "comparison.tex").read_text()
    assert latex.startswith("\\begin{tabular}{ll")
    assert "alone\\_ann\\_twin" in latex
    assert latex.count("\\\\\n") == 1 + len(rows)


@pytest.mark.slow
def test_the_results_are_those_of_the_files(finished):
    content = read_json(finished / "run" / "results.json")
    assert sorted(row["name"] for row in content["comparison"]) == sorted(ARMS)
    teachers = [("teacher_twin", "the student's ANN twin"), ("teacher_ann", "ANN teacher")]
    assert [(row["name"], row["label"]) for row in content["models"]] == teachers
    assert all("little to give" in note for note in content["notes"])  # no arm is left out, nothing failed
    data = kd.data.load("digits", limit=200, batch_size=50)
    images, labels = data.sample(len(data.test_arrays[1]))
    for row in content["comparison"]:
        assert row["seeds"] == [0, 1]
        assert row["spikes_per_image"] > 0
        assert (row["difference"] is None) == (row["interval"] is None) == (row["name"] == ALONE)
        for seed, accuracy in zip(row["seeds"], row["accuracies"], strict=True):
            model = kd.models.load(finished / "run" / f"seed{seed}" / row["name"] / "model.keras")
            assert accuracy == np.mean(model.predict(images, verbose=0).argmax(-1) == labels)
    facts = {row["name"]: (row.get("taught_by"), row.get("trust")) for row in content["comparison"]}
    assert facts["hinton"] == ("ANN", "paper")
    assert facts["tks"] == ("self", "official code")


def test_spikes_are_those_of_the_metrics():
    data = kd.data.load("digits", limit=100)
    gauge = Gauge(data)
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        model = kd.models.MLP(data.image_shape, 10, widths=(12,), timesteps=2, threshold=0.3)
        expected = kd.metrics.activity(model, data.sample(len(data.test_arrays[1]))[0]).spikes_per_image
        assert gauge(model)["spikes_per_image"] == pytest.approx(expected)


def test_arms_of_one_seed_start_from_the_same_weights_and_those_of_another_from_others(tmp_path):
    comparison = compare(tmp_path, objectives=["hinton", "tks"], seeds=2)
    teachers = {"teacher": kd.models.MLP((8, 8, 1), 10, widths=(24,), timesteps=2, name="teacher")}
    starts = []
    for seed in comparison.seeds:
        for stage in comparison._with(seed)._arm_stages(teachers):
            keras.utils.set_random_seed(stage.seed)
            starts.append(stage.start({}).get_weights()[0])
    for weights in starts[1:3]:
        np.testing.assert_array_equal(weights, starts[0])
    np.testing.assert_array_equal(starts[4], starts[3])
    assert np.any(starts[3] != starts[0])


def test_each_arms_student_becomes_cheaper_behind_it(tmp_path):
    comparison = compare(tmp_path, objectives=["tks"], compress=[{"compress": "stds", "sparsity": 0.5}, "int8"])
    assert comparison._and_cheaper([ALONE, "tks"]) == [ALONE, f"{ALONE}_stds", f"{ALONE}_int8", "tks", "tks_stds", "tks_int8"]
    stages = comparison._cheaper_stages(["tks"])
    assert [(stage.name, stage.start_from, stage.teacher) for stage in stages] == [
        ("tks_stds", "tks", "tks"),
        ("tks_int8", "tks_stds", "tks_stds"),
    ]
    assert {f"{ALONE}_int8", "tks_stds", "tks_int8"} <= set(comparison.check())


def test_students_that_cannot_become_cheaper_end_a_comparison_before_it_trains(tmp_path):
    comparison = compare(tmp_path, objectives=["tks"], compress=[{"compress": "steps", "timesteps": 2}])
    with pytest.raises(KDError, match=r"no student can be made cheaper: .* has T = 2, which is not more than the 2 asked for"):
        comparison.check()


@pytest.mark.slow
def test_what_became_of_each_student_is_an_arm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [*tiny.TINY, "--mode", "compare", "--objective", "tks", "--seeds", "2", "--compress", "magnitude:sparsity=0.6"]
    assert tiny.run(*arguments, "--out", "run") == 0
    rows = {row["name"]: row for row in read_json("run/results.json")["comparison"]}
    assert set(rows) == {ALONE, f"{ALONE}_magnitude", "tks", "tks_magnitude"}
    assert rows["tks_magnitude"]["taught_by"] == "tks"
    assert len(rows["tks_magnitude"]["accuracies"]) == 2
    model = kd.models.load("run/seed1/tks_magnitude/model.keras")
    assert kd.metrics.connection_sparsity(model) >= 0.59


@pytest.mark.slow
def test_what_became_of_an_arm_has_its_learning_rate_and_stands_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [*tiny.TINY, "--mode", "compare", "--objective", "tks", "--rates", "0.001,0.002", "--compress", "int8"]
    assert tiny.run(*arguments, "--out", "run") == 0
    rows = {row["name"]: row for row in read_json("run/results.json")["comparison"]}
    for name in (ALONE, "tks"):
        setting = Setting(rows[name]["learning_rate"], rows[name]["weight"] or 1.0).name
        assert rows[f"{name}_int8"]["learning_rate"] == rows[name]["learning_rate"] in (0.001, 0.002)
        assert Path(f"run/seed0/{setting}/{name}_int8/model.keras").is_file()


def with_seconds(path, seconds):
    """A stage's record, as if its training had taken so long."""
    write_json(path, {**read_json(path, signed=True), "seconds": seconds}, signed=True)


@pytest.mark.slow
def test_resuming_trains_nothing_again_and_takes_more_methods_and_seeds(finished, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = read_json("run/results.json")
    fitted = []
    fit = kd.Distiller.fit

    def counted(distiller, *arguments, **more):
        fitted.append(distiller.student.name)
        return fit(distiller, *arguments, **more)

    monkeypatch.setattr(kd.Distiller, "fit", counted)
    with_seconds(Path("run/seed1/hinton/stage.json"), 5000.0)
    assert tiny.run(*COMPARE, "--resume") == 0
    assert not fitted
    assert 5000 < read_json("run/results.json")["seconds"] < 6000
    assert read_json("run/results.json")["comparison"] == before["comparison"]
    assert tiny.run(*COMPARE, "--objective", "hsd", "--resume") == 0
    assert fitted == ["hsd", "hsd"]
    capsys.readouterr()
    assert tiny.run(*COMPARE) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert tiny.run(*COMPARE, "--resume", "--epochs", 2) == 1
    assert "epochs was 5 and is now 2" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_the_page_and_the_tables_show_the_ranking(finished, capsys):
    run = finished / "run"
    content = read_json(run / "results.json")
    page = (run / "report.html").read_text()
    assert "Methods compared" in page
    assert page.count("<svg") >= 1
    printed = io.StringIO()
    rich.console.Console(file=printed, width=200).print(report.comparison_table(content["comparison"]))
    lines = report.comparison_markdown(content["comparison"]).splitlines()
    assert len(lines) == 2 + len(ARMS)
    for row in content["comparison"]:
        assert row["label"] in printed.getvalue()
        assert row["label"] in page
    assert json.loads(json.dumps(content)) == content


def row(name, difference, interval):
    return {"name": name, "label": name, "accuracy": 0.5, "seeds": [0, 1], "difference": difference, "interval": interval}


def test_an_interval_that_holds_zero_is_no_difference(tmp_path):
    differences = {"good": [0.005, 0.015], "equal": [-0.01, 0.01], "bad": [-0.03, -0.01], "alone": None}
    rows = [row(name, interval and sum(interval) / 2, interval) for name, interval in differences.items()]
    table = [line.split(" | ") for line in report.comparison_markdown(rows).splitlines()[2:]]
    assert [line[7] for line in table] == ["better", "no difference seen", "worse", ""]
    assert table[0][5:7] == ["+1.00", "+0.50 to +1.50"]
    page = report.write_report(tmp_path / "page.html", {"comparison": rows}).read_text()
    assert "Better than the student alone: good." in page
    assert "Worse than the student alone: bad." in page


# teachers


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("settings", "teachers", "taught_by"),
    [
        ({}, ["teacher_ann", "teacher"], ["teacher_ann", "teacher", None]),
        ({"objectives": ["bkdsnn", "soft_targets"]}, ["teacher_ann", "teacher"], ["teacher_ann", "teacher"]),
        ({"teacher_neuron": "lif"}, ["teacher"], ["teacher", "teacher", None]),
        ({"teacher_neuron": "relu"}, ["teacher_ann", "teacher"], ["teacher_ann", "teacher", None]),
        (
            {"objectives": ["spike_train", "soft_targets", "firing_rate"], "teacher_neuron": "relu"},
            ["teacher_ann", "teacher"],
            ["teacher", "teacher_ann", "teacher"],
        ),
        ({"teacher_start": "ann"}, ["teacher_ann", "teacher"], ["teacher_ann", "teacher", None]),
        ({"objectives": ["tks"]}, [], [None]),
        ({"objectives": ["hinton"]}, ["teacher_ann"], ["teacher_ann"]),
        ({"objectives": ["sakd", "hinton"]}, ["teacher_twin", "teacher_ann"], ["teacher_twin", "teacher_ann"]),
    ],
    ids=str,
)
def test_each_method_gets_the_teacher_that_it_wants(settings, teachers, taught_by, tmp_path):
    comparison = compare(tmp_path, **{"objectives": ["hinton", "distilling_spikes", "tks"], **settings})
    assert [stage.name for stage in comparison.stages()] == teachers
    assert [comparison.teachers.name_for(method) for method in comparison.arms.values()] == taught_by
    built = comparison.check()
    assert list(built)[: len(teachers)] == teachers
    firing = {name: any(getattr(layer, "emits_spikes", False) for layer in built[name].student.layers) for name in teachers}
    assert firing == {name: name == "teacher" for name in teachers}


def test_a_chain_goes_through_the_assistants_and_tssd_teaches_itself(tmp_path):
    comparison = compare(tmp_path, objectives=["takd_chain", "tssd"], assistants=["mlp:16"])
    built = comparison.check()
    assert list(built) == ["teacher_ann", ALONE, "takd_chain_assistant", "takd_chain", "tssd"]
    assert built["takd_chain"].teacher.name == "takd_chain_assistant"
    assert built["tssd"].teacher.count_params() == built["tssd"].student.count_params()


def test_all_compares_every_method_that_needs_no_settings():
    everything = recipe(objectives=None).resolved().objectives
    assert everything == kd.Recipe(mode="compare", objectives=["all"]).resolved().objectives
    assert "reverse_kd" not in everything
    assert {"hinton", "bkdsnn", "tks", "takd_chain"} <= set(everything)


def test_methods_together_and_paced_ones_are_arms_with_names_for_folders(tmp_path):
    comparison = compare(tmp_path, objectives=["dkd+kdsnn", "coached:hinton"])
    assert list(comparison.arms) == ["dkd_with_kdsnn", "coached_hinton"]
    assert {"dkd_with_kdsnn", "coached_hinton"} <= set(comparison.check())


def test_arms_keep_their_names_where_others_come_before_them_or_go(tmp_path):
    two, four, eight = ({"objective": "soft_targets", "temperature": float(value)} for value in (2, 4, 8))
    keep(names_of([two, "hinton"], tmp_path), tmp_path)
    assert names_of([four, two], tmp_path) == {"soft_targets_2": four, "soft_targets": two}
    keep(names_of([four], tmp_path), tmp_path)
    assert list(names_of([eight, eight, four, two], tmp_path)) == ["soft_targets_3", "soft_targets_4", "soft_targets_2", "soft_targets"]
    comparison = compare(tmp_path, objectives=[four, two])
    assert {name: method.objectives[0]["temperature"] for name, method in comparison.arms.items()} == {
        "soft_targets_2": 4,
        "soft_targets": 2,
    }


def test_arms_that_start_from_no_twin_train_for_half_of_its_epochs_more(tmp_path):
    comparison = compare(tmp_path, objectives=["hinton", "idsnn", "lasnn", "w2s"], epochs=2, twin_epochs=8)
    comparison.check()
    epochs = comparison.epochs
    assert (epochs[ALONE], epochs[f"{ALONE}_twin"], epochs["hinton"], epochs["hinton_twin"], epochs["w2s"]) == (2, 8, 2, 8, 2)
    assert (epochs["idsnn"], epochs["alone_shrunk"]) == (6, 6)
    assert (epochs["student_ann"], epochs["lasnn"], epochs["alone_ann_twin"]) == (10, 2, 2)  # whose start is a twin that has learned


def test_a_factor_of_exits_leaves_their_labels_as_they_are():
    (exits,) = weighted(kd.methods.get("enhanced_sd"), 2.0).objectives
    (before,) = kd.methods.get("enhanced_sd").objectives
    made, usual = kd.objectives.get(exits), kd.objectives.get(before)
    assert (made.weight, made.label_weight) == (usual.weight, usual.label_weight)
    assert made.distillation_weight == 2 * usual.distillation_weight


def test_a_given_label_weight_holds_for_all(tmp_path):
    comparison = compare(tmp_path, objectives=["hinton", "tks", {"objective": "soft_targets", "temperature": 2.0}], label_weight=0.4)
    assert {name: method.label_weight for name, method in comparison.arms.items()} == {"hinton": 0.4, "tks": 0.4, "soft_targets": 0.4}


@pytest.mark.slow
def test_a_trained_file_teaches_all(finished, tmp_path):
    comparison = compare(tmp_path, objectives=["hinton", "tks"], teacher=str(finished / "run" / "teacher_ann" / "model.keras"))
    results = comparison.run()
    assert [row["name"] for row in results["models"]] == ["teacher"]
    assert not (tmp_path / "teacher").exists()


def test_a_teacher_of_another_kind_than_in_the_paper_is_said(tmp_path):
    comparison = compare(tmp_path, objectives=["hinton", "hsd", "sakd"], teacher_neuron="lif")
    teachers = {"teacher": comparison.check()["teacher"].student}
    notes = {name: comparison.teachers.note(method, teachers) for name, method in comparison.arms.items()}
    said = "has a teacher of another kind than in its paper: spiking here,"
    assert notes == {"hinton": None, "hsd": f"hsd {said} ANN there", "sakd": f"sakd {said} the student's ANN twin there"}


# arms that fail


def test_an_arm_that_does_not_fit_is_told_and_the_others_go_on(tmp_path):
    results = compare(tmp_path, objectives=["hinton", "ckdsnn"]).run()  # fully connected networks have no maps
    assert {row["name"] for row in results["comparison"]} == {ALONE, "hinton"}
    (note,) = (note for note in results["notes"] if note.startswith("ckdsnn"))
    assert re.match(r"ckdsnn is left out, or has fewer seeds: .*tap", note)
    assert not Path(tmp_path, "seed0", "ckdsnn").exists()


@pytest.mark.slow
def test_an_arm_that_diverges_with_one_seed_keeps_the_others(tmp_path, monkeypatch):
    train = kd.Chain._train

    def diverge(chain, stage, *arguments):
        if (stage.name, stage.seed) == ("hinton", 1):
            raise TrainingDivergedError("the loss is nan")
        return train(chain, stage, *arguments)

    monkeypatch.setattr(kd.Chain, "_train", diverge)
    results = compare(tmp_path, objectives=["hinton", "tks"], seeds=2).run()
    assert {row["name"]: row["seeds"] for row in results["comparison"]} == {ALONE: [0, 1], "hinton": [0], "tks": [0, 1]}
    assert "hinton is left out, or has fewer seeds: the loss is nan" in results["notes"]


def test_without_any_method_left_the_run_ends_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("training started"))
    with pytest.raises(KDError, match="no method is left to compare: ckdsnn: "):
        compare(tmp_path, objectives=["ckdsnn"]).run()


@pytest.mark.slow
def test_a_trained_teacher_that_knows_nothing_ends_the_comparison(tmp_path, monkeypatch):
    """Nobody but the student alone of one seed has been trained then."""
    trained = []
    fit = kd.Distiller.fit
    monkeypatch.setattr(kd.Distiller, "fit", lambda self, *more, **named: trained.append(self.student.name) or fit(self, *more, **named))
    with pytest.raises(KDError, match=r"no method is left to compare: hinton: the teacher .* it has nothing to teach"):
        compare(tmp_path, objectives=["hinton"], teacher="mlp:16", seeds=2, teacher_learning_rate=1e-9).run()
    assert trained == ["teacher_ann", ALONE]


def test_a_dry_run_shows_the_loss_of_every_arm_and_trains_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("training started"))
    monkeypatch.chdir(tmp_path)
    assert tiny.run(*COMPARE, "--dry-run") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "stage hinton: " in said
    assert "loss = 0.1 label + 0.9 soft_targets(logits -> logits)" in said
    assert not list(tmp_path.glob("run/*"))
