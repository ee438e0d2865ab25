"""What fills the memory at a training step's peak: `python -m benchmarks.memory_profile --timesteps 8 --remat`.

TensorFlow's profiler tells of each allocation and release in a step; the table shows what is allocated when most is. What lives before the
step begins (weights, momentum) does not count.
"""

import argparse
import collections
import contextlib
import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.contenders import ours
from benchmarks.machine import vector_width

WARM_UP = 2


@dataclasses.dataclass(frozen=True)
class Event:
    """An allocation (`size` in bytes) or a release (`None`) at an address, `at` picoseconds."""

    at: int
    address: int
    size: int | None
    operation: str = ""
    shape: str = ""


def events(folder: Path) -> list[Event]:
    """The allocations and releases in a profile, in the order in which they happened."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(max(folder.glob("plugins/profile/*/*.xplane.pb")).read_bytes())
    found = []
    for plane in space.planes:
        names = {number: event.name for number, event in plane.event_metadata.items()}
        stats = {number: stat.name for number, stat in plane.stat_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name = names[event.metadata_id]
                if name not in ("MemoryAllocation", "MemoryDeallocation"):
                    continue
                facts = {}
                for stat in event.stats:
                    kind = stat.WhichOneof("value")
                    value = getattr(stat, kind)
                    facts[stats[stat.metadata_id]] = stats.get(value) if kind == "ref_value" else value
                size = facts["allocation_bytes"] if name == "MemoryAllocation" else None
                operation = facts.get("tf_op") or "compiled neurons"
                at = line.timestamp_ns * 1000 + event.offset_ps
                found.append(Event(at, facts["addr"], size, operation, facts.get("shape") or ""))
    return sorted(found, key=lambda event: event.at)


def peak(timeline: Iterable[Event]) -> list[Event]:
    """What is allocated when most is; the largest first."""
    alive: dict[int, Event] = {}
    now = most = 0
    found: list[Event] = []
    for event in timeline:
        before = alive.pop(event.address, None)
        now -= before.size if before else 0
        if event.size is not None:
            alive[event.address] = event
            now += event.size
        if now > most:
            most, found = now, list(alive.values())
    return sorted(found, key=lambda event: -event.size)


def main(arguments: list[str] | None = None) -> int:
    """Profile one step of conv4 and print the table."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.memory_profile", description=__doc__.split("\n")[0])
    p.add_argument("--precision", choices=tuple(ours.POLICIES), default="fp32")
    p.add_argument("--timesteps", type=int, default=8)
    p.add_argument("--remat", action="store_true")
    options = p.parse_args(arguments)
    step = ours.training(options.precision, timesteps=options.timesteps, remat=options.remat).step
    import tensorflow as tf

    for _ in range(WARM_UP):
        step()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.ExitStack() as stack:
            tf.profiler.experimental.start(folder)
            stack.callback(tf.profiler.experimental.stop)
            step()
        found = peak(events(Path(folder)))
    rows: collections.Counter = collections.Counter()
    for event in found:
        rows[f"{'/'.join(event.operation.split('/')[-2:])} {event.shape}".strip()] += event.size
    remat = ", remat" if options.remat else ""
    print(f"| conv4, T = {options.timesteps}, {options.precision}{remat}, {vector_width()} | MB |\n| --- | ---: |")
    print(f"| all | {sum(rows.values()) / 1e6:.0f} |")
    for name, size in rows.most_common(12):
        print(f"| {name} | {size / 1e6:.0f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
