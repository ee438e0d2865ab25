"""Training steps in seconds of processor time: `python -m benchmarks.processor_time --precision bf16`, by default of conv4.

For machines that others use at the same time, where seconds of the clock say little. Contenders take turns in one process; ratios are
those of each round, to the faster of the two floors. Peers are not here: `python -m benchmarks --clock processor` measures them.
"""

import argparse
import time

from benchmarks import arithmetic, network
from benchmarks.contenders import floor, ours
from benchmarks.machine import vector_width
from benchmarks.rows import FLOOR, TORCH_FLOOR

WARM_UP = 2


def main(arguments: list[str] | None = None) -> int:
    """Measure and print the table."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.processor_time", description=__doc__)
    p.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--widths", type=_widths, default=network.CONV4, metavar="N,N,pool,...", help="of another network (default: conv4's)")
    p.add_argument("--batch", type=int, default=network.BATCH, metavar="N", help=f"images of a step (default: {network.BATCH})")
    options = p.parse_args(arguments)
    what = {"precision": options.precision, "widths": options.widths, "batch": options.batch}
    contenders = {
        FLOOR: floor.training(**what),
        "backpropagation through time": ours.training(**what),
        "by rates": ours.training(**what, gradient="rate"),
    }
    try:
        contenders[TORCH_FLOOR] = floor.training_in_pytorch(**what)
    except ModuleNotFoundError:
        print("PyTorch is not installed: its convolutions are left out\n")
    for contender in contenders.values():
        for _ in range(WARM_UP):
            contender.step()
    rounds = [{name: _seconds(contender.step) for name, contender in contenders.items()} for _ in range(options.rounds)]
    lowest = arithmetic.fastest(rounds, [name for name in (FLOOR, TORCH_FLOOR) if name in contenders])
    name = "conv4" if options.widths == network.CONV4 else " - ".join(map(str, options.widths))
    print(f"| {name}, training step, {options.precision}, {vector_width()} | s | of {lowest} | quartiles |\n| --- | ---: | ---: | ---: |")
    for name in contenders:
        seconds = arithmetic.summary([times[name] for times in rounds])["median"]
        ratio = arithmetic.summary(arithmetic.ratios(rounds, [name], [lowest]))
        print(f"| {name} | {seconds:.3f} | {ratio['median']:.2f} | {ratio['q1']:.2f} to {ratio['q3']:.2f} |")
    return 0


def _widths(text: str) -> tuple[int | str, ...]:
    return tuple(part if part == "pool" else int(part) for part in text.split(","))


def _seconds(step):
    started = time.process_time()
    step()
    return time.process_time() - started


if __name__ == "__main__":
    raise SystemExit(main())
