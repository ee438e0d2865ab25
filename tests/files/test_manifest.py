"""Nothing is replaced or removed but what carries our mark."""

import os

import pytest

from keras_snnkd.errors import ForeignFolderError, OutputError
from keras_snnkd.files.manifest import MANIFEST, RUN, STUDENT, Manifest, claimed, place_for, renewed
from keras_snnkd.files.staging import UNFINISHED, clear_up, remove_unfinished, write_json


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def claim(folder, *names, kind=RUN):
    with claimed(folder, kind) as manifest:
        manifest.take(*names)
    return manifest


def test_an_empty_folder_is_taken_and_found_again(tmp_path):
    first = claim(tmp_path / "run", "results.json")
    again = claim(tmp_path / "run", "report.html")
    assert again.id == first.id
    assert Manifest.read(tmp_path / "run").entries == {"results.json", "report.html"}
    assert os.listdir(tmp_path / "run") == [MANIFEST]


@pytest.mark.parametrize("manifest", [None, "{}", '{"made_by": "keras_snnkd", "kind": "run", "id": "1", "entries": []}'])
def test_a_folder_with_anything_else_in_it_is_refused_and_stays_as_it_is(manifest, tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "mine").write_text("mine")
    (tmp_path / "results.json").write_text("mine")
    if manifest:
        (tmp_path / MANIFEST).write_text(manifest)  # without our checksum
    before = contents(tmp_path)
    with pytest.raises(ForeignFolderError, match=r"holds .*\.cache, .*which this package did not make.*Choose a new or an empty one"):
        claim(tmp_path, "results.json")
    assert contents(tmp_path) == before


def test_a_run_of_an_earlier_version_is_known_by_its_signed_records(tmp_path):
    for name in ("teacher/settings.json", "mine/settings.json"):
        write_json(tmp_path / name, {"epochs": 1}, signed=name.startswith("teacher"))
    (tmp_path / "results.json").write_text("{}")
    assert claim(tmp_path, "report.html").entries == {"teacher", "results.json", "report.html"}
    with pytest.raises(ForeignFolderError, match="mine in"):
        claim(tmp_path, "mine")


def test_a_name_that_something_else_has_in_a_folder_of_ours_is_refused(tmp_path):
    claim(tmp_path, "results.json")
    (tmp_path / "seed1").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ForeignFolderError, match=r"seed1 in .* would be replaced, and this run did not make it"):
        claim(tmp_path, "seed1")
    assert Manifest.read(tmp_path).entries == {"results.json"}


def test_a_folder_of_another_kind_is_refused(tmp_path):
    claim(tmp_path, "model.keras", kind=STUDENT)
    with pytest.raises(ForeignFolderError, match="is a finished student, and a run may not touch it"):
        claim(tmp_path)


def test_below_a_folder_of_ours_all_is_ours(tmp_path):
    with claimed(tmp_path, RUN), claimed(tmp_path / "seed0", RUN) as below:
        below.take("teacher")
        assert below.whole
    assert not (tmp_path / "seed0").exists()


def test_only_what_is_ours_is_cleared_up(tmp_path):
    manifest = claim(tmp_path, "stage")
    for place in ("stage", "mine"):
        (tmp_path / place / f"{UNFINISHED}1").mkdir(parents=True)
    manifest.clear_up()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [f"{UNFINISHED}1", MANIFEST, "mine", "stage"]


# a folder and its card are one thing


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    manifest = Manifest(tmp_path / "edge", STUDENT)
    for name in ("first", "second"):
        with renewed(manifest, "edge-", keep=("kept",)) as folder:
            (folder / name).write_text(name)
            if name == "first":
                (folder / "kept").write_text("kept")
    assert set(contents(tmp_path)) == {"edge/second", "edge/kept", f"edge/{MANIFEST}"}
    assert Manifest.read(tmp_path / "edge").entries == {"second", "kept"}


def test_after_an_error_the_old_folder_stands(tmp_path):
    manifest = Manifest(tmp_path / "edge", STUDENT)
    with renewed(manifest, "edge-") as folder:
        (folder / "first").write_text("first")
    before = contents(tmp_path)

    def fail():
        with renewed(manifest, "edge-") as folder:
            (folder / "first").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_moved_into_place_leaves_the_old_one(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "edge", STUDENT)
    with renewed(manifest, "edge-") as folder:
        (folder / "first").write_text("first")
    before, replace = contents(tmp_path), os.replace

    def fail(source, final):
        if str(final).endswith("edge"):
            raise PermissionError(13, "busy")
        replace(source, final)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="busy"), renewed(manifest, "edge-") as folder:
        (folder / "second").write_text("second")
    assert contents(tmp_path) == before


def test_a_folder_with_something_of_the_users_in_it_is_not_replaced(tmp_path):
    manifest = Manifest(tmp_path / "edge", STUDENT)
    with renewed(manifest, "edge-") as folder:
        (folder / "first").write_text("first")
    (tmp_path / "edge" / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ForeignFolderError, match=r"holds notes.txt, which this package did not make"), renewed(manifest, "edge-"):
        pytest.fail("it was begun")
    assert contents(tmp_path) == before


def test_what_a_kill_between_the_two_renames_took_away_comes_back(tmp_path):
    half = tmp_path / f"{UNFINISHED}edge-x"
    (half / "old-edge").mkdir(parents=True)
    (half / "old-edge" / "card.json").write_text("old")
    (half / "edge").mkdir()
    (tmp_path / f"{UNFINISHED}other").mkdir()
    clear_up(tmp_path, "edge-")
    assert contents(tmp_path) == {"edge/card.json": "old"}
    assert (tmp_path / f"{UNFINISHED}other").is_dir()  # of another process


def test_links_are_not_followed(tmp_path):
    (tmp_path / "mine" / f"{UNFINISHED}1").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "run" / f"{UNFINISHED}2").symlink_to(tmp_path / "mine")
    remove_unfinished(tmp_path / "run")
    assert (tmp_path / "mine" / f"{UNFINISHED}1").is_dir()
    assert os.listdir(tmp_path / "run") == ["link"]


# two of one name


def test_each_owner_keeps_a_place_of_its_own(tmp_path):
    (tmp_path / "run-2").mkdir()
    (tmp_path / "run-2" / "notes.txt").write_text("mine")
    (tmp_path / "run-3").write_text("a file")
    names = [place_for(tmp_path / "run", STUDENT, owner).folder.name for owner in ("a", "b", "a", "c", "b")]
    assert names == ["run", "run-4", "run", "run-5", "run-4"]
    assert contents(tmp_path)["run-2/notes.txt"] == "mine"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(UNFINISHED)]
