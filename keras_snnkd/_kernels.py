"""Which kernels TensorFlow uses on this processor; to be chosen before TensorFlow is imported."""

import contextlib
import os
from collections.abc import MutableMapping
from pathlib import Path

PROCESSOR = Path("/proc/cpuinfo")
"""Linux' list of what the processor can do."""

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow's environment variable: 1 for oneDNN's kernels, 0 for its own."""


def choose_kernels(environment: MutableMapping[str, str] = os.environ, processor: Path = PROCESSOR) -> None:
    """Have TensorFlow use oneDNN's kernels on every processor with AVX2, unless the environment says otherwise.

    By itself it does so only where there are instructions for neural networks, such as those of AVX-512 VNNI. Elsewhere it takes its own
    kernels, which are built for older instructions; oneDNN makes its kernels for the processor that it finds. In a process that has
    imported TensorFlow already this changes nothing.

    Args:
        environment: Where the switch is set.
        processor: The file that lists the processor's instructions; without it nothing changes.
    """
    with contextlib.suppress(OSError):
        if "avx2" in processor.read_text("utf-8", errors="replace").split():
            environment.setdefault(SWITCH, "1")
