"""Command line: `python -m benchmarks.evidence runs mnist`, `collect digits runs/a runs/b:"T = 2"`, and `pages`."""

import argparse
import json
from pathlib import Path

from benchmarks.evidence import runs, ways
from benchmarks.evidence.pages import rebuild

ROOT = Path(__file__).parents[2]


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description="Evidence in docs/results, see docs/results/README.md.")
    commands = p.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect", help="figures of finished runs into docs/results/data/NAME.json")
    collect.add_argument("name", metavar="NAME", help="of the file")
    collect.add_argument(
        "runs", metavar="RUN[,RUN...][:WORDS]", nargs="+",
        help="folder of a run, or several that differ in their seed alone, and what to call the arms beside their names",
    )  # fmt: skip
    collect.add_argument("--more", action="store_true", help="keep the file's arms; the same ones get these runs' seeds too")
    found = commands.add_parser("ways", help="rows of python -m benchmarks.compression into docs/results/data/NAME.json")
    found.add_argument("name", metavar="NAME", help="of the file")
    found.add_argument("rows", metavar="ROWS", type=Path, help="what that appended its rows to")
    found.add_argument("--of", metavar="COMMAND", required=True, help="the command that made them")
    found.add_argument("--about", metavar="WORDS", required=True, help="the images and the machine, in a sentence")
    planned = commands.add_parser("runs", help="the runs of a data set that make its evidence: their commands, or with --run themselves")
    planned.add_argument("name", choices=list(runs.PLANS), help="of the data set")
    planned.add_argument("--run", action="store_true", help="start them one after the other; what has finished is passed over")
    planned.add_argument("--only", metavar="NAME,NAME", default="", help="some of them")
    planned.add_argument(
        "--size", choices=runs.SIZES, default="full", help="small: 5,000 images, five epochs, minutes a run; tiny: 200 images, one epoch"
    )
    planned.add_argument("--dry-run", action="store_true", help="build everything and train nothing: stages and estimated time")
    commands.add_parser("pages", help="tables and pictures of all pages from these files")
    return p


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    if options.command == "runs":
        _runs(options)
        return
    if options.command == "collect":
        from benchmarks.evidence.collect import collect

        print(collect(options.name, options.runs, ROOT, options.more))
    if options.command == "ways":
        rows = [json.loads(line) for line in options.rows.read_text("utf-8").splitlines()]
        print(ways.collect(options.name, rows, options.of, options.about, ROOT))
    for path in rebuild(ROOT):
        print(path)


def _runs(options: argparse.Namespace) -> None:
    """Start planned runs, or tell them."""
    only = [name for name in options.only.split(",") if name]
    plan = runs.plan(options.name, options.size).runs()
    if unknown := set(only) - {planned.name for planned in plan}:
        raise SystemExit(f"{options.name} has no run {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in plan)}")
    if options.run or options.dry_run:
        raise SystemExit(runs.start(options.name, only, options.size, ["--dry-run"] if options.dry_run else []))
    for planned in plan:
        if not only or planned.name in only:
            print(f"# {planned.name}: {planned.shows}")
            print("\n".join(run.command for run in runs.runs(options.name, planned, options.size)))
    print(f"# the table\n{runs.collecting(options.name, options.size)}")


if __name__ == "__main__":
    main()
