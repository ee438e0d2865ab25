"""What the command line refuses before anything is trained, and what it warns of."""

import errno
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.cli import main
from keras_snnkd.run.experiment import Experiment
from tests.cli.said import refused, told
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


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
        (["-T", "4,8"], "each number of steps must be below the one before, got '4,8'"),
        (["-T", "four"], "expected a whole number of steps"),
        (["--compress", "stds:sparsity=1.0"], "above 0 and below 1, got 1.0"),
        (["--compress", "stsd"], "Did you mean 'stds'"),
        (["--compress", "tt:rank=0"], "rank must be a whole number above 0"),
        (["--max-spikes", "1.5"], "above 0 and below 1, got 1.5"),
        (
            ["--objective", "soft_target"],
            "unknown objective 'soft_target'. Did you mean 'soft_targets'? All: python train.py --list objectives, or methods.",
        ),
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
        (["--student", "convnet:16,pool,32,pol"], "The word 'pol' is unknown. Did you mean 'pool'?"),
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many'; see python train.py --help"),
        (["--epoch-count", "3"], "unrecognized arguments: --epoch-count 3. Did you mean '--epochs'? See python train.py --help"),
        (["--temprature", "4"], "--temprature 4. Did you mean '--objective soft_targets:temperature=...'?"),
        (["--label_wieght=2"], "--label_wieght=2. Did you mean '--label-weight'?"),
        (["-mode", "export"], "-mode export. Did you mean '--mode'?"),
        (["--zzz"], "unrecognized arguments: --zzz. See"),
        (
            ["--teacher", "mine.h5"],
            "mine.h5 is a file of the older HDF5 format; make a .keras file of it: keras.saving.load_model('mine.h5'",
        ),
        (["--teacher", "mine.weights.h5"], "mine.weights.h5 holds weights alone; build the model"),
        (["--student", "mine.tflite"], "mine.tflite is a file for devices, which has no layers any more"),
        (["--mode", "evaluate", "--model", "mine.pth"], "mine.pth is of another framework"),
        (["--teacher", "MINE.KERAS"], "rename it to MINE.keras"),
        (["--recipe", "none.json"], "there is no file none.json"),
        (["--teacher", "none.keras"], "there is no model file none.keras; train one first"),
        (["--mode", "evaluate"], "--mode evaluate needs --model FILE.keras"),
        (["--mode", "export", "--model", "none.keras"], "there is no model file none.keras"),
        (["--mode", "export", "--model", "none.keras", "--target", "flot32"], "unknown export target 'flot32'. Did you mean 'float32'?"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_trained(arguments, message, capsys, no_training):
    assert message in refused(capsys, *tiny.TINY, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--teacher", "mine/train_mine.py"], "train_mine.py is a file, and no .keras file"),
        (["--teacher", "mine/teachr.keras"], "there is no model file mine/teachr.keras"),
        (["--teacher", "mine/teachr"], "there is no model mine/teachr"),
        (["--mode", "compare", "--teacher", "mine/teachr.keras"], "there is no model file mine/teachr.keras"),
        (["--mode", "evaluate", "--model", "mine/teachr.keras"], "there is no model file mine/teachr.keras"),
        (["--mode", "export", "--model", "mine/train_mine.py"], "mine/train_mine.py is not a .keras file"),
        (["--student", "mine/teachr.keras"], "there is no model file mine/teachr.keras"),
    ],
)
def test_a_wrong_file_of_a_model_is_refused_before_data_are_read(arguments, message, capsys, monkeypatch):
    Path("mine").mkdir()
    Path("mine/train_mine.py").write_text("a program")
    Path("mine/teacher.keras").write_bytes(b"")
    monkeypatch.setattr(kd.data, "load", lambda *_, **__: pytest.fail("data were read"))
    before = set(os.listdir())
    assert main(arguments) == 1
    said, error = told(capsys)
    assert message in error
    assert "Did you mean 'mine/teacher.keras'?" in error
    assert "run folder" not in said
    assert set(os.listdir()) == before


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


@pytest.mark.every(3)
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


@pytest.mark.parametrize("shelf", ["run", "run/student", "elsewhere/../run/student"])
def test_a_shelf_in_the_runs_folder_is_refused_and_makes_nothing(shelf, no_training, capsys):
    assert tiny.run(*tiny.TINY, "--out", "run", "--saved-models", shelf) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"--saved-models {shelf} lies in the folder of the run, run, which holds nothing else" in said
    assert not Path("run").exists()


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


class ResourceExhaustedError(Exception):
    """Called as TensorFlow's."""


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("Unable to allocate"), ResourceExhaustedError("OOM when allocating\nx")])
def test_too_little_memory_is_one_line(error, capsys, monkeypatch):
    def run(*arguments):
        raise error

    monkeypatch.setattr(Experiment, "run", run)
    told = refused(capsys, *tiny.TINY)
    assert "there is not enough memory; what is finished is kept. Make the images smaller (--resize)" in told
    assert next(iter(str(error).splitlines()), "tells no more") in told


def test_the_script_is_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--mode", "distil"])
    assert main() == 1
    assert "Did you mean 'distill'?" in told(capsys)[1]
