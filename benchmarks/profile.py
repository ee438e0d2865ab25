"""Where a training step's time goes: `python -m benchmarks.profile --precision bf16`."""

import argparse
import collections
import contextlib
import tempfile
from pathlib import Path

from benchmarks.contenders import ours
from benchmarks.machine import vector_width

STEPS = 4
COMPILED = "CpuExecutable::ExecuteAsyncOnStream"
"""The event of a kernel that XLA compiled."""

KINDS = {
    "convolutions": ("Conv2D",),
    "scan over time (compiled)": ("ExecuteAsyncOnStream",),
    "batch norm": ("FusedBatchNorm",),
    "pooling": ("MaxPool", "AvgPool"),
    "casts and copies": ("Cast", "Transpose", "Reshape", "Pack", "Unpack"),
    "optimizer": ("Assign", "Resource", "ReadVariable", "sgd"),
}


def kind(operation: str) -> str:
    """The row of the table to which a TensorFlow operation belongs."""
    return next((name for name, parts in KINDS.items() if any(part in operation for part in parts)), "other")


def durations(folder: Path) -> collections.Counter:
    """Milliseconds of each TensorFlow operation in a profile, over all threads that ran one."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(max(folder.glob("plugins/profile/*/*.xplane.pb")).read_bytes())
    found: collections.Counter = collections.Counter()
    for plane in space.planes:
        names = {number: event.name for number, event in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name, _, operation = names[event.metadata_id].rpartition(":")
                if "/" in name or names[event.metadata_id] == COMPILED:
                    found[operation] += event.duration_ps / 1e9
    return found


def main(arguments: list[str] | None = None) -> int:
    """Profile some steps of conv4 and print the table."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    p.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    options = p.parse_args(arguments)
    step = ours.training(options.precision).step
    import tensorflow as tf

    for _ in range(3):
        step()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.ExitStack() as stack:
            tf.profiler.experimental.start(folder)
            stack.callback(tf.profiler.experimental.stop)
            for _ in range(STEPS):
                step()
        found = durations(Path(folder))
    rows: collections.Counter = collections.Counter()
    for operation, milliseconds in found.items():
        rows[kind(operation)] += milliseconds / STEPS
    total = sum(rows.values())
    print(f"| conv4, training step, {options.precision}, {vector_width()} | ms | share |\n| --- | ---: | ---: |")
    for name, milliseconds in rows.most_common():
        print(f"| {name} | {milliseconds:.1f} | {milliseconds / total:.0%} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
