"""Whether a stream's memory stays as it is: `python -m benchmarks.stream_memory FILE.tflite --samples 100000`.

Runs a file of one time step on random frames, without end as a sensor gives them, and compares the process' resident memory after the
warm-up with that at the end. The exit status is 1 if memory grew by more than `LIMIT`.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from keras_snnkd.edge import Runner

WARM_UP = 1_000
"""Steps before memory is read for the first time: what is allocated once is allocated by then."""

LIMIT = 1 << 20
"""Bytes by which memory may grow: allocators keep some pages back, whatever is streamed. A stream of 100,000 samples that kept ten bytes
of each would be at the limit."""

FRAMES = 256
"""Different frames, shown again and again."""


@dataclasses.dataclass(frozen=True)
class Stream:
    """What a stream did.

    Args:
        samples: Steps behind the warm-up.
        before: Resident bytes after the warm-up.
        after: Resident bytes at the end.
        p50_ms: Median time of a step in milliseconds, the runner's checks included.
        p95_ms: What 95 % of the steps keep.
    """

    samples: int
    before: int
    after: int
    p50_ms: float
    p95_ms: float

    @property
    def growth(self) -> int:
        """Bytes by which memory grew."""
        return self.after - self.before


def stream(runner: Runner, samples: int) -> Stream:
    """Give a runner so many frames, one after the other, without a reset."""
    random = np.random.default_rng(0)
    frames = random.normal(size=(FRAMES, *runner.image_shape)).astype("float32")
    seconds = np.full(samples, np.nan)  # written once, so that it is in memory before it is read for the first time
    for index in range(WARM_UP):
        runner.step(frames[index % FRAMES])
    before = resident()
    for index in range(samples):
        start = time.perf_counter()
        runner.step(frames[index % FRAMES])
        seconds[index] = time.perf_counter() - start
    after = resident()
    p50, p95 = 1e3 * np.percentile(seconds, [50, 95])
    return Stream(samples, before, after, float(p50), float(p95))


def resident() -> int:
    """Bytes of this process that are in memory, from Linux' list about it."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def main(arguments: list[str] | None = None) -> int:
    """Run the stream and say what it did."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.stream_memory", description=(__doc__ or "").partition("\n")[0])
    p.add_argument("file", type=Path, help="a file of one time step (keras_snnkd.export.streaming)")
    p.add_argument("--samples", type=int, default=100_000)
    given = p.parse_args(arguments)
    found = stream(Runner(given.file), given.samples)
    print(
        f"{given.file.name}: {found.samples:,} samples, memory {found.before / 2**20:.1f} MiB after the first {WARM_UP:,} and "
        f"{found.after / 2**20:.1f} MiB at the end ({found.growth / 1024:+.0f} KiB); "
        f"a step takes {found.p50_ms:.3f} ms (p95 {found.p95_ms:.3f})"
    )
    return int(found.growth > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
