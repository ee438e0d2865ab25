"""What takes part. Each contender is a function that prepares something in a worker process and returns a `Contender`."""

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

CLOCK = "KERAS_SNNKD_BENCHMARK_CLOCK"
"""The environment variable that tells a worker which clock to read."""

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}
"""By name: seconds that pass, or seconds in which the processor's cores work for this process, all threads together."""


def clock() -> float:
    """Seconds by the clock of this worker."""
    return CLOCKS[os.environ.get(CLOCK, "wall")]()


class UnavailableError(Exception):
    """A contender cannot take part, and why; the others go on."""


@dataclasses.dataclass
class Contender:
    """Something prepared and ready to be timed.

    Args:
        step: Does the work once and returns when it is done.
        facts: What is worth knowing about it, as JSON: parameters, chosen settings.
        repeats: How many times `step` does what is timed, such as 25 for one `fit` of 25 training steps.
    """

    step: Callable[[], Any]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    repeats: int = 1
