"""The help: one screen, a page for each group of options, and tables of names."""

import pytest

import keras_snnkd as kd
from keras_snnkd.cli import main
from keras_snnkd.cli.options import parser
from keras_snnkd.run.recipes.modes import Mode
from tests.cli.said import refused, told
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def helped(capsys, *words):
    """What `--help` says, with these words behind it."""
    with pytest.raises(SystemExit) as stopped:
        main(["--help", *words])
    assert stopped.value.code == 0
    said, error = capsys.readouterr()
    assert not error
    return said


def test_help_is_one_screen_with_examples_and_the_groups(capsys):
    said = helped(capsys)
    assert len(said.splitlines()) <= 40
    assert max(map(len, said.splitlines())) <= 80
    assert "python train.py --mode compare --rivals" in said
    for group in ("run", "data", "models", "distillation", "training", "search", "export"):
        assert f"  --help {group} " in said


def test_the_help_of_all_groups_names_every_mode_option_data_set_and_objective(capsys):
    said = " ".join(helped(capsys, "all").split())
    for name in (*Mode, *kd.data.names(), *kd.neurons.names(), *kd.objectives.names()):
        assert name in said
    for action in parser()._actions:
        assert action.option_strings[0] in said or action.option_strings[0] in ("--help", "--list", "--version")


def test_the_help_of_a_group_holds_its_options_alone(capsys):
    said = helped(capsys, "training")
    assert "--learning-rate R" in said
    assert "--teacher MODEL" not in said
    assert "unknown group of options 'trainig'. Did you mean 'training'?" in refused(capsys, "--help", "trainig")


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"keras_snnkd {kd.__version__}\n"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("methods", ["bkdsnn", "official code", "Sun et al., CVPR 2024", "Soft targets on the mean logits", "With an ANN teacher"]),
        ("objectives", ["spike_train", "neurons"]),
        ("presets", ["digits_student", "8-pool-16"]),
        ("datasets", ["cifar10", "to prepare it", "your own"]),
        ("neurons", ["plif", "PLIF", "relu"]),
        ("targets", ["float32", "model_float32.tflite"]),
    ],
)
def test_lists_are_tables_of_every_name(kind, words, capsys):
    assert tiny.run("--list", kind) == 0
    said, error = told(capsys)
    assert not error
    for word in words:
        assert word in said
    known = {"methods": kd.methods.names(), "objectives": kd.objectives.names(), "datasets": kd.data.names(), "neurons": kd.neurons.names()}
    assert not [name for name in known.get(kind, ()) if name not in said]
    assert "Did you mean 'methods'?" in refused(capsys, "--list", "method")
