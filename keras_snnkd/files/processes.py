"""Programs in processes of their own, for what may crash or hang: converters, and readers of files from elsewhere."""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from keras_snnkd.errors import ExportError
from keras_snnkd.files import _warm

IMPORT_SECONDS = 600.0
"""How long a module may take to be imported."""


def run_script(script: str, *arguments: str, seconds: float, imported: str | None = None) -> str | None:
    """Run a Python script that needs no GPU.

    Args:
        script: Its file.
        *arguments: Of its command line.
        seconds: How long it may take.
        imported: A module that takes long to import and that the script needs. On Linux one process keeps it imported for all scripts,
            and each script runs in a fork of it.

    Returns:
        `None` if it ended well, else what happened, as the rest of a sentence.

    Example:
        >>> if failure := run_script("convert.py", "model", seconds=600):
        ...     raise ExportError(f"the converter {failure}")
    """
    try:
        if imported and sys.platform == "linux":
            status, said = _in_a_fork(script, arguments, seconds, imported)
        else:
            status, said = _in_a_new_process(script, arguments, seconds)
    except TimeoutError:
        return f"took longer than {seconds:g} s and was stopped."
    if status == 0:
        return None
    how = f"was killed by signal {-status}" if status < 0 else f"failed with exit code {status}"
    last = "\n".join(said.strip().splitlines()[-8:])[-2000:]
    return f"{how}. Its last lines:\n{last or '(none)'}"


def prepare(imported: str) -> None:
    """Begin to import a module for `run_script`, which then need not wait for it; nothing where scripts run by themselves.

    Example:
        >>> prepare("tensorflow")  # and train, and then run_script("convert.py", "model", seconds=600, imported="tensorflow")
    """
    if sys.platform == "linux":
        with _one_at_a_time:
            _warm_process(imported)


def run_converter(kind: str, script: str, jobs: list[dict[str, Any]], seconds: float) -> None:
    """Run a script that converts models with TensorFlow.

    Args:
        kind: What it makes, for messages.
        script: Its file; it gets the jobs as JSON.
        jobs: Of each conversion what the script needs, and its `output` file.
        seconds: How long it may take.

    Raises:
        ExportError: If it fails, crashes, takes longer or does not write a file; with the last lines that it wrote.

    Example:
        >>> run_converter("ONNX", "convert.py", [{"folder": "archive", "output": "model.onnx"}], seconds=600)
    """
    order = json.dumps([{name: str(value) for name, value in job.items()} for job in jobs])
    if failure := run_script(script, order, seconds=seconds, imported="tensorflow"):
        raise ExportError(f"the {kind} converter {failure}")
    missing = [str(job["output"]) for job in jobs if not Path(job["output"]).is_file()]
    if missing:
        raise ExportError(f"the {kind} converter ended without an error but did not write {', '.join(missing)}.")


def _in_a_new_process(script: str, arguments: tuple[str, ...], seconds: float) -> tuple[int, str]:
    """The exit status of a script, negative for a signal, and the last that it wrote."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-P", script, *arguments],
        env=_environment(),
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            _end(process.pid)
    return process.returncode, said


def _in_a_fork(script: str, arguments: tuple[str, ...], seconds: float, imported: str) -> tuple[int, str]:
    """As `_in_a_new_process`, in a fork of the process that has imported a module."""
    with _one_at_a_time:
        return _warm_process(imported).run(script, arguments, seconds)


def _warm_process(imported: str) -> "_Warm":
    """The process that has imported a module, or is about to."""
    key = (os.getpid(), imported)  # a fork of this process has none yet
    warm = _warm_processes.get(key)
    if warm is None or not warm.lives():
        warm = _warm_processes[key] = _Warm(imported)
    return warm


class _Warm:
    """A process that keeps a module imported, see `keras_snnkd.files._warm`."""

    def __init__(self, imported: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", _warm.__file__, imported],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # so that no answer waits in a buffer, where select does not see it
            start_new_session=True,
        )
        self._ready = False
        atexit.register(self.end)

    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        _end(self._process.pid)
        self._process.wait()

    def run(self, script: str, arguments: tuple[str, ...], seconds: float) -> tuple[int, str]:
        with tempfile.NamedTemporaryFile() as said:
            order = {"script": script, "arguments": arguments, "folder": os.getcwd(), "environment": _environment(), "said": said.name}
            child = None
            try:
                if not self._ready:
                    self._answer(IMPORT_SECONDS)
                    self._ready = True
                self._order(json.dumps(order).encode() + b"\n")
                child = self._answer(seconds)["process"]
                status = self._answer(seconds)["status"]
            except BaseException:  # whatever it is doing now, its next answer would not be to the next order
                self.end()
                raise
            finally:
                if child is not None:
                    _end(child)
            return status, said.read().decode(errors="replace")

    def _order(self, line: bytes) -> None:
        orders = self._process.stdin
        assert orders is not None
        while line:
            line = line[orders.write(line) :]

    def _answer(self, seconds: float) -> dict[str, Any]:
        answers = self._process.stdout
        assert answers is not None
        if not select.select([answers], [], [], seconds)[0]:
            raise TimeoutError
        line = answers.readline()
        if not line:
            raise ExportError(f"a helper process ended with exit code {self._process.wait()}; is there enough memory?")
        return json.loads(line)


_warm_processes: dict[tuple[int, str], _Warm] = {}
_one_at_a_time = threading.Lock()


def _environment() -> dict[str, str]:
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def _end(process: int) -> None:
    """End a process that leads a session, and with it those that it started."""
    if os.name == "nt":
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGTERM)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL)
