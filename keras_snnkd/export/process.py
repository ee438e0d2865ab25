"""Scripts of this package run in processes of their own: what a runtime or converter does there, crash or hang, cannot hurt this one."""

import json
import os
import subprocess
import sys
from types import ModuleType
from typing import Any


def run_script(script: ModuleType, order: Any, timeout: float) -> subprocess.CompletedProcess:
    """Run a module of this package as a script.

    Args:
        script: The module, which reads its order as JSON from its first argument and imports nothing of ours.
        order: What it is to do.
        timeout: In seconds.

    Returns:
        How it ended, with what it wrote.

    Raises:
        subprocess.TimeoutExpired: If it takes longer; it is stopped then.
    """
    return subprocess.run(
        [sys.executable, "-P", script.__file__, json.dumps(order)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


def how_it_ended(done: subprocess.CompletedProcess) -> str:
    """`"failed with exit code 1"`, or the signal that killed it."""
    return f"was killed by signal {-done.returncode}" if done.returncode < 0 else f"failed with exit code {done.returncode}"


def last_lines(done: subprocess.CompletedProcess, count: int = 8) -> str:
    """The end of what it wrote to standard error."""
    return "\n".join(done.stderr.strip().splitlines()[-count:])[-2000:] or "(none)"
