"""Where a run goes: a new folder, or that of the run to go on with."""

import argparse
import shutil
from pathlib import Path

import pytest

from keras_snnkd.cli.folders import run_folder
from keras_snnkd.run.recipes.recipe import Recipe
from tests.cli.said import told
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def test_a_second_run_gets_a_number_and_resume_takes_the_newest(runs):
    for arguments in ([], [], ["--mode", "teacher"], ["--name", "mine"], [], ["--resume"], ["--resume", "--name", "mine"]):
        assert tiny.run(*arguments) == 0
    names = ["digits_distill", "digits_distill-2", "digits_teacher", "mine", "digits_distill-3", "digits_distill-3", "mine"]
    assert [folder for _, folder in runs] == [Path("runs", name) for name in names]


def test_a_run_on_the_folder_here_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path / "pictures")
    options = argparse.Namespace(out=None, name=None, resume=False)
    for dataset in (".", "../pictures/", str(tmp_path / "pictures")):
        assert run_folder(options, Recipe(dataset=dataset)) == Path("runs/pictures_distill")


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
