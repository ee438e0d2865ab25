import errno
import os

import pytest

from keras_snnkd.errors import ExportError, FileFormatError, OutputError
from keras_snnkd.files.staging import UNFINISHED, read_json, remove_unfinished, staged


def test_a_file_appears_only_when_the_block_is_left_without_an_error(tmp_path):
    with staged(tmp_path / "new" / "a", tmp_path / "new" / "b") as (a, b):
        a.write_text("1")
        b.mkdir()
        assert not (tmp_path / "new" / "a").exists()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a", "b"]


def test_after_an_error_the_old_file_stands_and_nothing_else(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail():
        with staged(tmp_path / "a") as (a,):
            a.write_text("half")
            raise ExportError("no")

    with pytest.raises(ExportError):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_an_old_file_and_an_old_folder_are_replaced(tmp_path):
    for content in ("first", "second"):
        with staged(tmp_path / "folder", tmp_path / "file") as (folder, file):
            folder.mkdir()
            (folder / content).touch()
            file.write_text(content)
    assert os.listdir(tmp_path / "folder") == ["second"]
    assert (tmp_path / "file").read_text() == "second"
    assert len(os.listdir(tmp_path)) == 2


def test_a_full_disk_and_a_folder_that_cannot_be_made_name_the_path(tmp_path):
    with pytest.raises(OutputError, match=r"student\.tflite: No space left on device"), staged(tmp_path / "student.tflite"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/student\.tflite"), staged(tmp_path / "file" / "student.tflite"):
        pass


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    rename, sync = os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda path, final: done.append(f"rename to {final.name}") or rename(path, final))
    monkeypatch.setattr(os, "fsync", lambda number: done.append(f"flush {os.fstat(number).st_size}") or sync(number))
    with staged(tmp_path / "a", tmp_path / "b") as (a, b):
        a.write_bytes(b"x" * 1111)
        b.mkdir()
        (b / "part").write_bytes(b"x" * 2222)
    assert done == ["flush 1111", "flush 2222", "rename to a", "rename to b"]


def test_what_a_killed_process_left_is_removed_wherever_it_is(tmp_path):
    for place in (tmp_path, tmp_path / "run" / "stage"):
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{UNFINISHED}a1").mkdir()
        (place / f"{UNFINISHED}a1" / "half").touch()
        (place / f"{UNFINISHED}probe").touch()
        (place / "whole").touch()
    remove_unfinished(tmp_path)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["run", "stage", "whole", "whole"]


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="it is a folder"), staged(tmp_path / "a") as (a,):
        a.write_text("1")
    assert (tmp_path / "a").is_dir()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "there is no file"), (b"{", "is not a JSON file"), (b"\xff\xfe", "is not a JSON file")]
)
def test_what_is_no_json_is_told_with_its_path(content, said, tmp_path):
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"settings\.json") as refused:
        read_json(path)
    assert said in str(refused.value)
