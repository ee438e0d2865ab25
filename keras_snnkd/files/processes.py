"""Programs in processes of their own, for what may crash or hang: converters, and readers of files from elsewhere."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from keras_snnkd.errors import ExportError


def run_script(script: str, *arguments: str, seconds: float) -> str | None:
    """Run a Python script that needs no GPU.

    Args:
        script: Its file.
        *arguments: Of its command line.
        seconds: How long it may take.

    Returns:
        `None` if it ended well, else what happened, as the rest of a sentence.

    Example:
        >>> if failure := run_script("convert.py", "model", seconds=600):
        ...     raise ExportError(f"the converter {failure}")
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-P", script, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"took longer than {seconds:g} s and was stopped."
        finally:
            _end(process)
    if process.returncode == 0:
        return None
    how = f"was killed by signal {-process.returncode}" if process.returncode < 0 else f"failed with exit code {process.returncode}"
    last = "\n".join(said.strip().splitlines()[-8:])[-2000:]
    return f"{how}. Its last lines:\n{last or '(none)'}"


def run_converter(kind: str, script: str, jobs: list[dict[str, Any]], seconds: float) -> None:
    """Run a script that converts models.

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
    if failure := run_script(script, order, seconds=seconds):
        raise ExportError(f"the {kind} converter {failure}")
    missing = [str(job["output"]) for job in jobs if not Path(job["output"]).is_file()]
    if missing:
        raise ExportError(f"the {kind} converter ended without an error but did not write {', '.join(missing)}.")


def _end(process: subprocess.Popen[Any]) -> None:
    """End a process, and with it those that it started."""
    if os.name == "nt":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
