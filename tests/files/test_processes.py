"""Scripts in processes of their own."""

import os
import sys
import time
from pathlib import Path

import pytest

from keras_snnkd.errors import ExportError
from keras_snnkd.files import processes
from keras_snnkd.files.processes import run_script


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return str(path)


@pytest.fixture(params=[None, "json"], ids=["new process", "fork"])
def imported(request):
    """The module that is imported already."""
    return request.param


def test_a_script_that_ends_well_is_none_and_one_that_fails_is_told(imported, tmp_path):
    assert run_script(script(tmp_path, "import sys\nassert sys.argv[1:] == ['a', 'b']"), "a", "b", seconds=60, imported=imported) is None
    failure = run_script(script(tmp_path, "raise RuntimeError('no such operator')"), seconds=60, imported=imported)
    assert failure.startswith("failed with exit code 1. Its last lines:")
    assert failure.endswith("RuntimeError: no such operator")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_crash_is_told_with_its_signal(imported, tmp_path):
    failure = run_script(script(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"), seconds=60, imported=imported)
    assert failure.startswith("was killed by signal 11.")


@pytest.mark.every(2)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks the process up in /proc")
def test_what_a_stopped_script_had_started_ends_with_it(imported, tmp_path):
    text = """
import os, sys, time
child = os.fork()
if child:
    with open(sys.argv[1], "w") as file:
        file.write(str(child))
time.sleep(600)
"""
    noted = tmp_path / "child"
    assert run_script(script(tmp_path, text), str(noted), seconds=3, imported=imported) == "took longer than 3 s and was stopped."
    for _ in range(100):
        state = Path("/proc", noted.read_text(), "stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"process {noted.read_text()} is still there")


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_forks_of_one_process_find_what_it_imported_and_nothing_of_one_another(tmp_path, monkeypatch):
    text = """
import os, pathlib, sys
pathlib.Path("found").write_text(f"{os.getppid()} {'json' in sys.modules} {'colorsys' in sys.modules} {os.environ['WHERE']}")
import colorsys
"""
    parents = set()
    for where in ("here", "there"):
        folder = tmp_path / where
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("WHERE", where)
        assert run_script(script(tmp_path, text), seconds=60, imported="json") is None
        parent, *found = (folder / "found").read_text().split()
        parents.add(parent)
        assert found == ["True", "False", where]
    assert len(parents) == 1
    assert str(os.getpid()) not in parents


@pytest.mark.parametrize(
    ("program", "status"), [("import sys; sys.exit()", 0), ("import sys; sys.exit(3)", 3), ("import sys; sys.exit('no')", 1)]
)
def test_a_script_ends_with_the_status_that_it_gives(program, status, imported, tmp_path):
    failure = run_script(script(tmp_path, program), seconds=60, imported=imported)
    assert failure is None if status == 0 else failure.startswith(f"failed with exit code {status}.")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each script imports what it needs")
def test_a_module_can_be_imported_ahead_of_the_script_that_needs_it(tmp_path, monkeypatch):
    """One that cannot be imported fails where it is needed, not where it was begun."""
    monkeypatch.setattr(processes, "_warm_processes", {})
    processes.prepare("colorsys")
    (ahead,) = processes._warm_processes.values()
    text = "import gc, sys\nassert 'colorsys' in sys.modules and gc.isenabled() and gc.get_freeze_count()"
    assert run_script(script(tmp_path, text), seconds=60, imported="colorsys") is None
    assert list(processes._warm_processes.values()) == [ahead]
    processes.prepare("no_such_module")
    with pytest.raises(ExportError, match="a helper process ended with exit code 1"):
        run_script(script(tmp_path, ""), seconds=60, imported="no_such_module")
