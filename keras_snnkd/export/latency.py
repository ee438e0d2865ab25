"""How long an exported file takes for one image, by running it."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_snnkd.errors import FileFormatError
from keras_snnkd.export import _clock
from keras_snnkd.files.processes import run_script
from keras_snnkd.files.staging import as_path

TIMEOUT_SECONDS = 300
"""How long the measurement of one file may take."""


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long one run of a file takes, batch 1.

    A run of a file with all its time steps is one image; of a streaming file it is one time step.

    Args:
        threads: Number of threads.
        p50_ms: Median time of a run in milliseconds; the median of the rounds' medians, so that one disturbed round does not count.
        p95_ms: Likewise the time that 95 % of the runs keep.
        runs: Number of runs measured.
        memory_bytes: Memory that one more such file in the same process holds after a run: tensors, packed weights and graph, not the file
            itself. Counted in the system's pages, so that small figures are coarse; `None` where the system does not tell.
    """

    threads: int
    p50_ms: float
    p95_ms: float
    runs: int
    memory_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def latency(path: str | Path, threads: Sequence[int] = (1, 2), rounds: int = 5, seconds: float = 0.1) -> list[Latency]:
    """Run a file again and again, in a process of its own, and time it.

    Each number of threads has `rounds` rounds of `seconds` (and at least five runs), after a warm-up; they take turns. Inputs are random
    numbers: what the file computes does not depend on them. Runtimes on a CPU skip no zeros, so that few spikes do not make it faster.

    Args:
        path: A `.tflite` or `.onnx` file, or the folder of a SavedModel, of which TensorFlow can take the first of `threads` only.
        threads: Numbers of threads.
        rounds: Number of rounds for each.
        seconds: Length of a round.

    Returns:
        One `Latency` for each number of threads.

    Raises:
        FileFormatError: If the file cannot be run; with the last line that its runtime wrote.
        ValueError: For numbers of threads or rounds below 1.

    Example:
        >>> kd.export.latency("student.tflite", threads=[1])[0].p50_ms
    """
    path, threads = as_path(path, "the file to be timed"), [int(number) for number in threads]
    if min(threads, default=0) < 1 or rounds < 1:
        raise ValueError(f"threads and rounds must be at least 1, got {threads} and {rounds}")
    if not path.exists():
        raise FileFormatError(f"there is no file {path}; write it with keras_snnkd.export.litert(model, path, samples=...)")
    if path.is_dir():
        threads = threads[:1]
    with tempfile.TemporaryDirectory() as work:
        output = Path(work, "rows.json")
        order = {"path": str(path.absolute()), "threads": threads, "rounds": rounds, "seconds": seconds, "output": str(output)}
        if failure := run_script(_clock.__file__, json.dumps(order), seconds=TIMEOUT_SECONDS):
            raise FileFormatError(f"{path} cannot be timed: its runs {failure}")
        return [Latency(**row) for row in json.loads(output.read_text())]
