"""The command line: what it offers, what it refuses before anything is trained, and where a run goes."""

import dataclasses
import errno
import json
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.cli import main
from keras_snnkd.cli.options import parser
from keras_snnkd.cli.values import read_objective
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.modes import Mode
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, and exports cost nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)


@pytest.fixture
def no_training(monkeypatch):
    def fit(*arguments, **more):
        pytest.fail("training started")

    monkeypatch.setattr(kd.Distiller, "fit", fit)


@pytest.fixture
def runs(monkeypatch):
    """In place of training: the recipes and folders of the runs that would have started."""
    started = []

    def run(experiment, resume=False):
        started.append((experiment.recipe, experiment.folder))
        (experiment.folder / "teacher").mkdir(parents=True, exist_ok=True)
        experiment.recipe.save(experiment.folder / "recipe.json")
        return {"models": [{"name": "teacher", "label": "teacher", "role": "teacher"}]}

    monkeypatch.setattr(Experiment, "run", run)
    return started


def told(capsys):
    """Standard output and error, each on one line."""
    return tuple(" ".join(text.split()) for text in capsys.readouterr())


def refused(capsys, *arguments):
    """What the command line says when it refuses these arguments."""
    assert tiny.run(*arguments) == 1
    warned, _, error = told(capsys)[1].rpartition("error: ")
    assert not warned or warned.startswith("warning: ")
    assert "Traceback" not in warned + error
    assert not [stage for stage in Path().glob("runs/*/*") if stage.is_dir()]
    return error


def options():
    return {action.dest: action for action in parser()._actions}


# what it offers


def test_help_names_every_mode_and_shows_examples(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said, error = told(capsys)
    assert not error
    assert "python train.py --dataset cifar10 --mode distill" in said
    for name in (*Mode, *kd.data.names(), *kd.neurons.names(), *kd.objectives.names()):
        assert name in said
    for action in options().values():
        assert action.option_strings[0] in said


def test_every_setting_of_a_recipe_can_be_given():
    assert {field.name for field in dataclasses.fields(kd.Recipe)} <= set(options())


def test_options_reach_the_recipe(runs):
    given = {
        "--mode": "multistage", "--dataset": "digits", "--data-dir": "there", "--limit": 50, "--augment": "shift", "--teacher": "mlp:24",
        "--assistant": "mlp:16", "--student": "mlp:12", "-T": 2, "--teacher-timesteps": 3, "--neuron": "plif", "--teacher-neuron": "if",
        "--teacher-start": "ann", "--objective": "soft_targets:temperature=2,weight=0.5", "--label-weight": 0.25, "--cache": 3,
        "--epochs": 3, "--weight-bits": 32,
        "--teacher-epochs": 4, "--ann-epochs": 5, "--batch-size": 6, "--learning-rate": 0.07, "--teacher-learning-rate": 0.08,
        "--weight-decay": 0.09, "--precision": "mixed_bfloat16", "--seed": 10, "--student-start": "scratch", "--seeds": 3,
        "--tuner": "hyperband", "--trials": 4, "--search": "timesteps=1,2", "--max-params": 1, "--max-synops": 2, "--max-bytes": 3,
        "--max-latency-ms": 4, "--strategy": "mirrored", "--on-problem": "stop",
        "--teacher-outputs": "logits", "--gradient": "rate", "--optimizer": "sgd", "--schedule": "one_cycle",
        "--label-smoothing": 0.1, "--teacher-stop": 2, "--labels": 0.5, "--twin-epochs": 6, "--mixup": 0.2,
    }  # fmt: skip
    flags = ["--deterministic", "--teacher-scale", "-1..1"]
    assert tiny.run(*flags, *(part for pair in given.items() for part in pair)) == 0
    recipe = runs[0][0].to_dict()
    assert recipe == {
        **dict(zip((options_by_name()[name] for name in given), given.values(), strict=True)),
        "assistants": ["mlp:16"],
        "objectives": [{"objective": "soft_targets", "temperature": 2, "weight": 0.5}],
        "search": {"timesteps": [1, 2]},
        **{"deterministic": True, "keep_aspect": False, "resize": None, "rivals": False, "teacher_scale": "-1..1"},
        **{"window": None, "hop": None, "fold": 0, "frames": None, "frames_by": "time"},
    }


def options_by_name():
    return {name: action.dest for action in options().values() for name in action.option_strings}


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("soft_targets", {"objective": "soft_targets"}),
        ("soft_targets:temperature=2,weight=0.5", {"objective": "soft_targets", "temperature": 2, "weight": 0.5}),
        (
            "feature_map:teacher_tap=block1_neuron,time=None",
            {"objective": "feature_map", "teacher_tap": "block1_neuron", "time": None},
        ),
        ("soft_targets:", {"objective": "soft_targets"}),
        ("soft_targets:temperature=", {"objective": "soft_targets", "temperature": ""}),
    ],
)
def test_objectives_are_read(text, mapping):
    assert read_objective(text) == mapping


def test_options_override_the_recipe_file(runs):
    kd.Recipe(mode="baseline", timesteps=3, epochs=5, objectives=["soft_targets"]).save("mine.json")
    tiny.run("--recipe", "mine.json", "--epochs", 7)
    recipe, folder = runs[0]
    assert (recipe.mode, recipe.timesteps, recipe.epochs, recipe.objectives) == ("baseline", 3, 7, ["soft_targets"])
    assert folder == Path("runs/digits_baseline")
    tiny.run("--recipe", "mine.json", "--mode", "teacher", "--objective", "firing_rate")
    assert (runs[1][0].mode, runs[1][0].objectives) == ("teacher", [{"objective": "firing_rate"}])


# where a run goes


def test_a_second_run_gets_a_number_and_resume_takes_the_newest(runs):
    for arguments in ([], [], ["--mode", "teacher"], ["--name", "mine"], [], ["--resume"], ["--resume", "--name", "mine"]):
        assert tiny.run(*arguments) == 0
    names = ["digits_distill", "digits_distill-2", "digits_teacher", "mine", "digits_distill-3", "digits_distill-3", "mine"]
    assert [folder for _, folder in runs] == [Path("runs", name) for name in names]


def test_the_newest_run_is_that_of_the_highest_number_though_others_are_gone(runs):
    for _ in range(3):
        tiny.run()
    shutil.rmtree("runs/digits_distill-2")
    Path("runs/digits_distill-9").mkdir()
    Path("runs/digits_distill-9/mine.txt").touch()  # no run
    tiny.run("--resume")
    assert runs[-1][1] == Path("runs/digits_distill-3")
    tiny.run()
    assert runs[-1][1] == Path("runs/digits_distill-10")


def test_a_run_that_is_not_there_cannot_go_on_and_the_nearest_is_offered(runs, capsys):
    tiny.run("--name", "mine")
    tiny.run("--name", "mine")
    assert tiny.run("--resume", "--name", "mien") == 1
    assert "unknown run to go on with (--resume; its name is --name) 'mien'. Did you mean 'mine'? Known: mine." in told(capsys)[1]
    assert tiny.run("--resume") == 1
    assert len(runs) == 2
    assert not Path("runs/digits_distill").exists()


def test_an_empty_folder_is_taken_and_a_file_is_not(runs):
    Path("runs/digits_distill").mkdir(parents=True)
    Path("runs/mine").touch()
    tiny.run()
    tiny.run("--name", "mine")
    assert [folder for _, folder in runs] == [Path("runs/digits_distill"), Path("runs/mine-2")]


def test_out_names_the_folder(runs):
    tiny.run("--out", "here/there")
    assert runs[0][1] == Path("here/there")


# what it refuses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "digit"], "unknown data set 'digit'. Did you mean 'digits'?"),
        (["--dataset", "mine.npz"], "there is no file or folder 'mine.npz'; check the path, or name one of digits,"),
        (
            ["--mode", "distil"],
            "unknown mode 'distil'. Did you mean 'distill'? Known: baseline, compare, distill, evaluate, export",
        ),
        (["--mode", "exprt"], "Did you mean 'export'?"),
        (["--teacher", "digits_techer"], "unknown model preset 'digits_techer'. Did you mean 'digits_teacher'?"),
        (["--student", "mlp:0"], "widths must be a list of whole numbers above 0"),
        (["--student", "convnet:4,pool,pool,pool,pool"], "images (8, 8, 1) are too small for 4 poolings"),
        (["--objective", "soft_target"], "unknown objective 'soft_target'. Did you mean 'soft_targets'?"),
        (["--objective", "soft_targets:temprature=2"], "'temprature'. Did you mean 'temperature'?"),
        (["--objective", "soft_targets:temperature"], "cannot read 'temperature' in the objective"),
        (["--objective", "soft_targets:temperature=hot"], "temperature must be a number greater than 0, got 'hot'"),
        (["--objective", "soft_targets:weight=-1"], "weight must be a number of at least 0, got -1"),
        (
            ["--objective", "feature_map:student_tap=block2_neuron"],
            "unknown tap of student_distilled 'block2_neuron'. Did you mean 'block1_neuron'? Known: block1_dense, block1_neuron,",
        ),
        (["--objective", "feature_map:teacher_tap=neuron,student_tap=neurons"], "unknown tap of teacher 'neuron'. Did you mean"),
        (["--objective", "spike_train:window=3"], "the window of 3 steps is longer than the student's T=2"),
        (["-T", "0"], "the number of time steps T must be a whole number above 0, got 0"),
        (["--teacher-timesteps", "0"], "the number of time steps T must be a whole number above 0, got 0"),
        (["--cache", "-1"], "cache must be a number of views of at least 0, got -1"),
        (["--epochs", "0"], "epochs must be a whole number above 0, got 0"),
        (["--label-weight", "-1"], "label_weight must be a number of at least 0, got -1.0"),
        (["--learning-rate", "inf"], "learning_rate must be greater than 0, got inf"),
        (["--limit", "1"], "limit must be at least 2"),
        (["--seed", "-1"], "seed must be an integer from 0"),
        (["--mode", "multistage", "--assistant", "mlp:x"], "cannot read the model 'mlp:x'"),
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many'; see python train.py --help"),
        (["--epoch-count", "3"], "unrecognized arguments: --epoch-count 3; see python train.py --help"),
        (["--recipe", "none.json"], "there is no file none.json"),
        (["--teacher", "none.keras"], "there is no model file none.keras; train one first"),
        (["--mode", "evaluate"], "--mode evaluate needs --model FILE.keras"),
        (["--mode", "export", "--model", "none.keras"], "there is no model file none.keras"),
        (["--mode", "export", "--model", "none.keras", "--target", "flot32"], "unknown export target 'flot32'. Did you mean 'float32'?"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_trained(arguments, message, capsys, no_training):
    assert message in refused(capsys, *tiny.TINY, *arguments)


@pytest.mark.parametrize("content", [b"", os.urandom(2000), b"[1]", b"PK\x03\x04" + bytes(50)], ids=["empty", "random", "JSON list", "zip"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--teacher", "bad.keras"], "bad.keras is not a .keras file, or it is cut short"),
        (["--mode", "evaluate", "--model", "bad.keras"], "bad.keras is not a .keras file, or it is cut short"),
        (["--dataset", "bad.npz"], "bad.npz: not a readable .npz file"),
        (["--recipe", "bad.json"], ""),
    ],
    ids=["teacher", "model", "data", "recipe"],
)
def test_a_broken_or_foreign_file_is_refused(content, arguments, message, capsys, no_training):
    Path(arguments[-1]).write_bytes(content)
    error = refused(capsys, *tiny.TINY, *arguments)
    assert message in error
    if arguments[0] == "--recipe":
        assert ("a recipe is a JSON object of settings, got list" if content == b"[1]" else "bad.json is not a JSON file") in error


def test_data_and_a_teacher_that_are_cut_short_are_refused(capsys, no_training):
    images, labels = np.zeros((20, 8, 8), "uint8"), np.arange(20) % 10
    np.savez("data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    kd.models.build("mlp:24", (8, 8, 1), 10).save("teacher.keras")
    for name in ("data.npz", "teacher.keras"):
        Path(name).write_bytes(Path(name).read_bytes()[:-200])
    assert "data.npz: not a readable .npz file" in refused(capsys, "--dataset", "data.npz")
    assert "teacher.keras is not a .keras file, or it is cut short" in refused(capsys, "--teacher", "teacher.keras")


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda: kd.models.build("mlp:24", (8, 8, 1), 5), "the teacher mlp gives 5 classes and the data has 10"),
        (lambda: kd.models.build("mlp:24", (8, 8, 2), 10), "takes inputs (8, 8, 2), which cannot be made of the data's (8, 8, 1)"),
        (lambda: kd.models.build("mlp:24", (8, 8, 1), 10), "it has nothing to teach"),
    ],
    ids=["classes", "images", "untrained"],
)
def test_a_teacher_that_does_not_fit_is_refused(teacher, message, capsys, no_training):
    teacher().save("teacher.keras")
    assert message in refused(capsys, *tiny.TINY, "--teacher", "teacher.keras")


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_student_larger_than_its_teacher_is_warned_of(capsys):
    assert tiny.run(*tiny.TINY, "--student", "mlp:30", "--dry-run") == 0
    _, error = told(capsys)
    expected = "warning: the student student_distilled (2,350 parameters) is not smaller than its teacher teacher (1,882)"
    assert error.count(expected) == 1
    assert ".py" not in error


def test_warnings_look_as_before_afterwards(capsys, runs):
    shown = warnings.showwarning
    tiny.run()
    assert warnings.showwarning is shown


@pytest.mark.parametrize("option", ["--out", "--saved-models"])
def test_a_folder_that_cannot_be_written_is_refused(option, capsys, no_training):
    Path("file").touch()
    assert f"Not a directory. Choose another folder ({option})" in refused(capsys, *tiny.TINY, option, "file/mine")


@pytest.mark.parametrize("arguments", [[], ["--mode", "evaluate", "--model", "model.keras"]], ids=["run", "evaluate"])
def test_a_full_disk_is_told_before_training(arguments, capsys, monkeypatch, no_training):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kd.models.build("mlp:12", (8, 8, 1), 10).save("model.keras")
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    error = refused(capsys, *tiny.TINY, *arguments)
    assert "No space left on device. Choose another folder" in error
    assert "or free some space" in error


def test_an_error_of_the_system_is_told_without_a_traceback(capsys, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr(Experiment, "run", full)
    assert "No space left on device: 'somewhere'" in refused(capsys, *tiny.TINY)


# a dry run


def test_a_dry_run_shows_everything_and_leaves_nothing(capsys, no_training):
    objective = "feature_map:teacher_tap=block1_neuron,weight=2"
    assert tiny.run(*tiny.TINY, "--mode", "multistage", "--assistant", "mlp:16", "--objective", objective, "--dry-run") == 0
    said, error = told(capsys)
    assert not error
    assert not os.listdir()
    assert "data: digits: images (8, 8, 1), bytes 0 to 255, 10 classes; 180 train, 20 validation, 200 test" in said
    stages = dict(part.split(": ", 1) for part in said.partition(" recipe: ")[0].split(" stage ")[1:])
    assert list(stages) == ["teacher", "assistant", "student_alone", "student_direct", "student_distilled"]
    teachers = {"assistant": "teacher (1,882", "student_direct": "teacher (1,882", "student_distilled": "assistant (1,258"}
    for stage, teacher in teachers.items():
        loss = "loss = 1 label + 2 feature_map(block1_neuron -> block1_neuron)"
        assert f"{loss} taught by {teacher} parameters)" in stages[stage]
    assert stages["student_alone"].startswith("946 parameters, loss = 1 label output [B, 10] logits [B, 2, 10]")
    assert "block1_neuron [B, 2, 12]" in stages["student_alone"]
    resolved = json.loads(said.partition("recipe: ")[2])
    assert resolved["objectives"] == [{"objective": "feature_map", "teacher_tap": "block1_neuron", "weight": 2}]
    assert kd.Recipe.from_dict(resolved).resolved().to_dict() == resolved


# evaluate and export


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
    accuracy = accuracy_of(card / "model.keras", 60)
    assert f"small {accuracy:.2%} 946 2" in said.replace(f"{100 * accuracy:.2f} %", f"{accuracy:.2%}")
    content = json.loads(Path("runs/evaluate_mine/evaluate.json").read_text())
    assert (content["dataset"], content["accuracy"]) == ("digits", accuracy)
    assert "card" not in said  # which tells no accuracy


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

    monkeypatch.setattr("keras_snnkd.run.edge_export.EdgeExport", Flow)
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


def test_the_script_is_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--mode", "distil"])
    assert main() == 1
    assert "Did you mean 'distill'?" in told(capsys)[1]
