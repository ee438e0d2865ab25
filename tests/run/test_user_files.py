"""Nothing of the user's is lost: folders that are somebody's, runs of one name, two processes, changed settings, and what fails late."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_snnkd as kd
from keras_snnkd import report
from keras_snnkd.distill import teachers
from keras_snnkd.errors import BusyError, ForeignFolderError, OutputError
from keras_snnkd.files.lock import LOCK, locked
from keras_snnkd.files.manifest import MANIFEST, Manifest
from keras_snnkd.files.staging import read_json, write_json
from keras_snnkd.run import experiment
from keras_snnkd.run.finished import evaluation
from keras_snnkd.run.finished.card import read_card
from tests.integration import tiny
from tests.sampling import sampled

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation", "ignore:the student .* is not smaller", "ignore:--mode .* does not use"
)

ALONE = [*tiny.TINY, "--mode", "baseline"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder in which a student was trained alone, as `run`."""
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(kd.export, "export_all", tiny.fake_export)
        assert tiny.run(*ALONE, "--out", "run") == 0
    return place


@pytest.fixture
def trained(finished, _folder, capsys):
    """A copy of it in the folder of the test."""
    shutil.copytree(finished, ".", dirs_exist_ok=True)
    capsys.readouterr()


AGAIN = [*ALONE, "--out", "run", "--resume"]
"""All of that run but the training."""


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("training started"))


def told(capsys):
    return tuple(" ".join(text.split()) for text in capsys.readouterr())


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


# folders that are somebody's


@pytest.mark.parametrize("mode", ["distill", "compare", "tune"])
def test_a_home_folder_is_refused_and_stays_as_it_is(mode, no_training, capsys):
    Path("home/.cache/pip").mkdir(parents=True)
    for name in (".cache/pip/wheel", "results.json", "report.html", "recipe.json", ".unfinished-novel"):
        Path("home", name).write_text("mine")
    before = contents("home")
    assert tiny.run(*tiny.TINY, "--mode", mode, "--out", "home") == 1
    assert "home holds .cache, recipe.json, report.html, results.json, which this package did not make" in told(capsys)[1]
    assert contents("home") == before


def test_a_chain_in_a_folder_with_anything_else_is_refused(no_training):
    Path("home/.cache").mkdir(parents=True)
    Path("home/.cache/mine").write_text("mine")
    stage = kd.Stage("student", lambda: kd.models.build("mlp:4", (8, 8, 1), 10, timesteps=2), epochs=1)
    with pytest.raises(ForeignFolderError):
        kd.Chain([stage], "home").run(kd.data.load("digits", limit=60), resume=True)
    assert contents("home") == {".cache/mine": b"mine"}


@pytest.mark.slow
def test_what_somebody_puts_into_a_run_outlives_it(capsys):
    assert tiny.run(*ALONE, "--out", "run") == 0
    for name in ("notes.txt", ".cache/mine", "student_alone/my.weights.h5", "mine/.unfinished-novel/chapter"):
        Path("run", name).parent.mkdir(parents=True, exist_ok=True)
        Path("run", name).write_text("mine")
    assert tiny.run(*ALONE, "--out", "run", "--resume") == 0
    assert [name for name, held in contents("run").items() if held == b"mine"] == [
        ".cache/mine", "mine/.unfinished-novel/chapter", "notes.txt", "student_alone/my.weights.h5",
    ]  # fmt: skip


@pytest.mark.slow
def test_evaluation_does_not_write_where_anything_else_is(trained, capsys):
    Path("mine").mkdir()
    Path("mine/evaluate.json").write_text("mine")
    evaluate = ["--mode", "evaluate", "--model", "saved_models/run", "--limit", 200]
    assert tiny.run(*evaluate, "--out", "mine") == 1
    assert contents("mine") == {"evaluate.json": b"mine"}
    shutil.copytree("saved_models/run", "other/run")
    for model, place in (("saved_models/run", "evaluate_run"), ("other/run", "evaluate_run-2"), ("saved_models/run", "evaluate_run")):
        capsys.readouterr()
        assert tiny.run(*evaluate, "--model", model) == 0
        assert f"all figures: runs/{place}/evaluate.json" in told(capsys)[0]


# the shelf


@pytest.mark.slow
def test_two_runs_of_one_name_stand_beside_each_other_on_the_shelf(capsys):
    assert tiny.run(*ALONE, "--out", "x/run") == 0
    first = contents("saved_models/run")
    assert tiny.run(*ALONE, "--seed", 1, "--out", "y/run") == 0
    assert "student: saved_models/run-2" in told(capsys)[0]
    assert contents("saved_models/run") == first
    Path("saved_models/run-2/model_dynamic.tflite").touch()
    manifest = Manifest.read("saved_models/run-2")
    manifest.entries.add("model_dynamic.tflite")
    manifest.write()
    assert tiny.run(*ALONE, "--seed", 1, "--out", "y/run", "--resume") == 0  # its own is replaced as a whole
    assert sorted(os.listdir("saved_models/run-2")) == [
        "README.md", "card.html", "card.json", "manifest.json", "model.keras", "saved_model",
    ]  # fmt: skip
    assert sorted(os.listdir("saved_models")) == ["run", "run-2"]


# going on


OTHER_SETTINGS = {
    "mode was 'baseline' and is now 'teacher'": ["--mode", "teacher"],
    "batch_size was 50 and is now 49": ["--batch-size", "49"],
    "deterministic was False and is now True": ["--deterministic"],
    "weight_decay was 0.0001 and is now 0.1": ["--weight-decay", "0.1"],
}


@pytest.mark.slow
def test_every_setting_that_changes_the_run_is_refused_on_resume(trained, no_training, capsys):
    before = contents("run"), contents("saved_models")
    for said, options in OTHER_SETTINGS.items():
        assert tiny.run(*ALONE, "--out", "run", "--resume", *options) == 1
        assert f"run was made with other settings: {said}. Use those again, or another folder" in told(capsys)[1]
        assert (contents("run"), contents("saved_models")) == before
    assert tiny.run(*ALONE, "--out", "run", "--resume", "--on-problem", "stop") == 0


@pytest.mark.slow
def test_seconds_count_what_was_trained_before_an_interruption(monkeypatch):
    assert tiny.run(*ALONE, "--out", "run") == 0
    record = read_json("run/student_alone/stage.json", signed=True)
    long = {**record, "seconds": 5000.0}
    write_json("run/student_alone/stage.json", long, signed=True)
    assert tiny.run(*ALONE, "--out", "run", "--resume") == 0
    assert read_json("run/results.json")["seconds"] >= 5000
    assert read_json("run/results.json")["models"][0]["seconds"] == 5000.0


# two processes


@pytest.mark.slow
def test_who_comes_second_leaves_everything_to_the_first(no_training, capsys):
    Path("run").mkdir()
    with locked("run", "train.py --name theirs"):
        before = contents("run")
        code = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, ALONE), "--out", "run"], capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        assert code.returncode == 1
        said = " ".join(code.stderr.split())
        assert f"run is in use: process {os.getpid()} on" in said
        assert "(train.py --name theirs)" in said
        assert contents("run") == before


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"}
PROGRAM = "import sys; from keras_snnkd.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
def test_a_killed_run_goes_on(monkeypatch):
    died = "import os, signal, keras_snnkd as kd; kd.Distiller.fit = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL); " + PROGRAM
    command = [sys.executable, "-c", died, *map(str, ALONE), "--out", "run"]
    assert subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False).returncode == -signal.SIGKILL
    assert Path("run", LOCK).exists()
    assert tiny.run(*ALONE, "--out", "run", "--resume") == 0
    assert not Path("run", LOCK).exists()


@pytest.mark.slow
def test_a_chain_and_a_cache_are_locked_too():
    data = kd.data.load("digits", limit=60, batch_size=20)
    network = kd.models.build("mlp:4", (8, 8, 1), 10, timesteps=2)
    Path("run").mkdir()
    environment = {**ENVIRONMENT, "KERAS_BACKEND": "numpy"}  # which is imported soonest
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {process.pid}"):
            kd.Chain([kd.Stage("student", lambda: network, epochs=1)], "run").run(data)
        with pytest.raises(BusyError):
            kd.TeacherCache(network, data, ["logits"], "run").build()
        process.kill()


HOLDS = "import time; from keras_snnkd.files.lock import locked\nwith locked('run'):\n    print('held', flush=True)\n    time.sleep(600)"


# what fails late


def odd_teacher(path="odd.keras"):
    """With a layer whose operations nobody counts."""
    image = keras.Input((8, 8, 1))
    hidden = keras.layers.ConvLSTM1D(2, 3, name="odd")(keras.layers.Reshape((2, 4, 8))(image))
    keras.Model(image, keras.layers.Dense(10, name="classifier")(keras.layers.Flatten()(hidden)), name="odd").save(path)
    return path


@pytest.mark.slow
def test_an_unknown_cost_is_a_dash_with_a_reason_in_table_report_and_card(capsys, monkeypatch):
    monkeypatch.setattr(teachers, "judge", lambda *arguments: None)  # of a teacher that was not trained
    options = [*tiny.TINY, "--teacher-neuron", "relu", "--objective", "soft_targets", "--teacher", odd_teacher(), "--out", "run"]
    assert tiny.run(*options) == 0
    said, _ = told(capsys)
    content = read_json("run/results.json")
    teacher = content["models"][0]
    assert teacher["synaptic_operations"] is None
    assert teacher["accuracy"] is not None
    (note,) = [note for note in content["notes"] if "synaptic operations" in note]
    assert note.startswith("teacher, synaptic operations were not counted: ")
    assert "odd" in note
    assert f"note: {note}" in said
    assert "synaptic operations were not counted" in Path("run/report.html").read_text("utf-8")
    assert tiny.run("--mode", "export", "--model", "odd.keras", "--target", "nir", "--limit", 200, "--out", "edge") in (0, 1)
    card = read_card("edge/model.keras")
    assert card["cost"]["energy"] is card["cost"]["synaptic_operations"] is None
    assert any("synaptic operations were not counted" in text for text in card["notes"])
    assert "synaptic operations were not counted" in Path("edge/card.html").read_text("utf-8")


AFTER_TRAINING = [
    (evaluation.metrics, "activity"),
    (evaluation.metrics, "synaptic_operations"),
    (evaluation.metrics, "raster"),
    (evaluation, "timesteps"),
    (report, "write_report"),
    (report, "write_card_page"),
]


@pytest.mark.slow
@pytest.mark.parametrize("broken", sampled(AFTER_TRAINING, *AFTER_TRAINING[1::3]), ids=lambda broken: broken[1])
def test_nothing_that_fails_after_training_takes_it_along(broken, trained, monkeypatch, capsys):
    def fail(*arguments, **more):
        raise RuntimeError("a layer nobody knows")

    monkeypatch.setattr(*broken, fail)
    shutil.rmtree("saved_models")
    assert tiny.run(*AGAIN) == 0
    said, error = told(capsys)
    assert not error
    noted = [read_json(path)["notes"] for path in ("run/results.json", "saved_models/run/card.json")]
    assert "a layer nobody knows" in f"{said} {noted}"
    assert Path("saved_models/run/model.keras").is_file()


@pytest.mark.slow
def test_an_error_of_a_runtime_in_the_gate_ends_in_a_report(monkeypatch, capsys):
    def fail(*arguments, **more):
        raise RuntimeError("tensorflow/lite/kernels/conv.cc:343 bias size != 4")

    monkeypatch.setattr(kd.export, "export_all", fail)
    assert tiny.run(*ALONE, "--out", "run") == 1
    said, error = told(capsys)
    assert "error: student alone: RuntimeError: tensorflow/lite/kernels/conv.cc:343 bias size != 4 Everything else is in" in error
    assert "student alone" in said
    assert read_json("run/results.json")["exports"] == []
    assert "bias size" in Path("run/report.html").read_text("utf-8")
    monkeypatch.setattr(kd.export, "export_all", tiny.fake_export)
    assert tiny.run(*ALONE, "--out", "run", "--resume") == 0


@pytest.mark.slow
def test_a_full_disk_at_the_report_keeps_the_table_and_resume_does_the_rest(monkeypatch, capsys):
    def full(path, *arguments, **more):
        if Path(path).name == "results.json":
            raise OutputError(f"cannot write {path}: No space left on device")
        return write(path, *arguments, **more)

    write = experiment.write_json
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "write_json", full)
        assert tiny.run(*ALONE, "--out", "run") == 1
    said, error = told(capsys)
    assert "cannot write run/results.json: No space left" in error
    assert "student alone" in said
    monkeypatch.setattr(kd.Distiller, "fit", lambda *arguments, **more: pytest.fail("it trained again"))
    assert tiny.run(*ALONE, "--out", "run", "--resume") == 0


@pytest.mark.merge
def test_every_step_after_training_says_what_it_is_doing(trained, capsys):
    assert tiny.run(*AGAIN) == 0
    said = capsys.readouterr().out.splitlines()
    steps = [line for line in said if line.endswith(" ...")]
    assert steps == [
        "[1/1] measuring student_alone ...",
        "[1/1] exporting student_alone, and running its files on the test images ...",
        "writing run/report.html ...",
        "putting the student into saved_models ...",
    ]


@pytest.mark.slow
def test_brackets_in_paths_and_an_ascii_terminal_end_in_a_student(tmp_path):
    place = tmp_path / "a[b]"
    place.mkdir()
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", PROGRAM, *map(str, ALONE), "--out", "run[/1]", "--saved-models", "shelf[*]"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "student: shelf[*]/1]" in done.stdout
    shelf = place / "shelf[*]" / "1]"
    assert (shelf / "model_dynamic.tflite").is_file()
    assert json.loads((shelf / MANIFEST).read_text())["kind"] == "finished student"
