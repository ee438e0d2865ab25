"""A search on many machines: who is who, by keras-tuner's environment variables."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_snnkd.errors import KDError
from keras_snnkd.run.watching.progress import working

VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")
"""The chief's address, and the name of this process, which is the chief if its name holds "chief"."""


def role() -> str:
    """`"alone"`, `"chief"` or `"worker"`.

    Raises:
        KDError: If only some of the variables are set.
    """
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if len(missing) == len(VARIABLES):
        return "alone"
    if missing:
        raise KDError(f"a search on many machines needs {', '.join(VARIABLES)}; {', '.join(missing)} is not set")
    return "chief" if "chief" in os.environ["KERASTUNER_TUNER_ID"] else "worker"


def address() -> str:
    """Where the chief is."""
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"


def wait_for(files: Iterable[Path], console: Any) -> None:
    """Return once all files are there, which the chief writes."""
    files = list(files)
    with working(f"waiting for the chief, who writes {files[-1]}", console):
        while not all(file.exists() for file in files):
            time.sleep(0.5)
