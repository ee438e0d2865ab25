"""Command line: `python -m benchmarks`. Measures nothing itself: every contender is a process of its own."""

import argparse
import datetime
import sys
import time
from pathlib import Path

from benchmarks import output
from benchmarks.bench import Bench, Row
from benchmarks.contenders import CLOCKS
from benchmarks.machine import machine, versions
from benchmarks.rows import QUICK, ROWS
from benchmarks.worker import environment


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Speed and memory of keras_snnkd beside its floor and its peers, see docs/benchmarks.md."
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="folder of results.json, .md and .svg (default: benchmarks/results/<date>)")
    p.add_argument("--only", type=select, metavar="ROW,...", help=f"these rows, or those whose names begin so: {', '.join(ROWS)}")
    p.add_argument(
        "--quick", action="store_true", help=f"few rounds, peers not compiled; rows {', '.join(QUICK)} unless --only names others"
    )
    p.add_argument("--rounds", type=int, metavar="N", help="turns of each contender (default: 15; quick: 5)")
    p.add_argument("--threads", type=int, default=2, metavar="N", help="of each contender (default: 2)")
    p.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="of what is timed: seconds that pass (default), or of the processor's work"
    )
    p.add_argument("--no-peers", dest="peers", action="store_false", help="leave out SpikingJelly and snnTorch")
    p.add_argument("--verbose", action="store_true", help="show what the contenders print")
    return p


def select(text: str) -> list[str]:
    """The rows that are meant by names or beginnings of names, in the order in which they run."""
    wanted = [part.strip() for part in text.split(",")]
    unknown = [part for part in wanted if not part or not any(name.startswith(part) for name in ROWS)]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]!r}; the rows are {', '.join(ROWS)}")
    return [name for name in ROWS if any(name.startswith(part) for part in wanted)]


def main(arguments: list[str] | None = None) -> int:
    """Run the rows, and write what they found after each of them."""
    options = parser().parse_args(arguments)
    bench = Bench(
        quick=options.quick,
        rounds=options.rounds or (5 if options.quick else 15),
        turn=0.5 if options.quick else 1.0,
        threads=options.threads,
        verbose=options.verbose,
        peers=options.peers,
        clock=options.clock,
    )
    now = datetime.datetime.now(datetime.UTC)
    folder = options.out or Path(__file__).parent / "results" / f"{now:%Y-%m-%d-%H%M}"
    result = {
        "date": f"{now:%Y-%m-%d}",
        "command": "python -m benchmarks " + " ".join(sys.argv[1:] if arguments is None else arguments),
        "machine": machine(),
        "versions": versions(),
        "settings": {
            **{name: getattr(bench, name) for name in ("quick", "rounds", "turn", "threads", "peers", "clock")},
            "environment": environment(bench.threads, bench.clock),
        },
        "rows": {},
    }
    bench.say(f"every contender runs with {result['settings']['environment']}")
    for name in options.only or (QUICK if options.quick else ROWS):
        begin = time.monotonic()
        bench.say(name)
        try:
            row = ROWS[name](bench)
        except Exception as error:
            row = Row(skipped={"all": f"{type(error).__name__}: {error}"})
        result["rows"][name] = {**row.to_dict(), "took seconds": round(time.monotonic() - begin, 1)}
        text = output.write(result, folder)
    print(text)
    bench.say(f"written to {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
