"""Programs in processes of their own, for what may crash or hang: converters, and readers of files from elsewhere."""

import os
import subprocess
import sys


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
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"took longer than {seconds:g} s and was stopped."
    if done.returncode == 0:
        return None
    how = f"was killed by signal {-done.returncode}" if done.returncode < 0 else f"failed with exit code {done.returncode}"
    last = "\n".join(done.stderr.strip().splitlines()[-8:])[-2000:]
    return f"{how}. Its last lines:\n{last or '(none)'}"
