"""Training steps of conv4 in seconds of processor time: `python -m benchmarks.processor_time --precision bf16`.

For machines that others use at the same time, where seconds of the clock say little. Contenders take turns in one process; ratios are
those of the medians. Peers are not here: `python -m benchmarks` measures them, by the clock.
"""

import argparse
import statistics
import time

from benchmarks.contenders import floor, ours

WARM_UP = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.processor_time", description=__doc__)
    p.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    p.add_argument("--rounds", type=int, default=5)
    options = p.parse_args(arguments)
    steps = {
        "convolutions alone": floor.training(options.precision).step,
        "backpropagation through time": ours.training(options.precision).step,
        "by rates": ours.training(options.precision, gradient="rate").step,
    }
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            started = time.process_time()
            step()
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    lowest = medians["convolutions alone"]
    print(f"| conv4, training step, {options.precision} | s | of its convolutions alone |\n| --- | ---: | ---: |")
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / lowest:.2f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
