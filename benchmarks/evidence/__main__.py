"""Command line: `python -m benchmarks.evidence collect digits runs/a runs/b:"T = 2"`, and `python -m benchmarks.evidence pages`."""

import argparse
import json
from pathlib import Path

from benchmarks.evidence import ways
from benchmarks.evidence.pages import rebuild

ROOT = Path(__file__).parents[2]


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description="Evidence in docs/results, see docs/results/README.md.")
    commands = p.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect", help="figures of finished runs into docs/results/data/NAME.json")
    collect.add_argument("name", metavar="NAME", help="of the file")
    collect.add_argument("runs", metavar="RUN[:WORDS]", nargs="+", help="folder of a run, and what to call its arms beside their names")
    found = commands.add_parser("ways", help="rows of python -m benchmarks.compression into docs/results/data/NAME.json")
    found.add_argument("name", metavar="NAME", help="of the file")
    found.add_argument("rows", metavar="ROWS", type=Path, help="what that appended its rows to")
    found.add_argument("--of", metavar="COMMAND", required=True, help="the command that made them")
    found.add_argument("--about", metavar="WORDS", required=True, help="the images and the machine, in a sentence")
    commands.add_parser("pages", help="tables and pictures of all pages from these files")
    return p


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    if options.command == "collect":
        from benchmarks.evidence.collect import collect

        print(collect(options.name, options.runs, ROOT))
    if options.command == "ways":
        rows = [json.loads(line) for line in options.rows.read_text("utf-8").splitlines()]
        print(ways.collect(options.name, rows, options.of, options.about, ROOT))
    for path in rebuild(ROOT):
        print(path)


if __name__ == "__main__":
    main()
