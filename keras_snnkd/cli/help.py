"""The help: one screen, and a page for each group of options behind it."""

import argparse
import textwrap
from typing import Any

from keras_snnkd.errors import unknown_name

INTRODUCTION = """\
Teach a small spiking network what a large network knows, spiking or an
ordinary one, and write it as files for edge devices.

  python train.py                                        digits, no network
  python train.py --dataset my_images/                   your own pictures
  python train.py --dataset my_images/ --teacher my.keras   your own teacher
  python train.py --dataset reviews.tsv                  rated sentences
  python train.py --dataset sizes.npz --task regression  numbers, or maps
  python train.py --mode multistage                      through an assistant
  python train.py --objective bkdsnn                     a published method
  python train.py --mode compare --seeds 5               methods, ranked
  python train.py --mode compare --rivals                is it worth it?
  python train.py --mode tune --max-params 4000          search in a budget
  python train.py --mode evaluate --model student.keras  measure a model
  python train.py --mode export --model student.keras    files for devices

A run leaves its models and report.html in runs/<name>, and a finished student
in saved_models/<name>.
"""

WIDTH = 80

ALL = "all"


class Help(argparse.Action):
    """`--help` prints one screen, `--help GROUP` the options of a group, `--help all` everything."""

    def __init__(self, option_strings: list[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs="?", default=argparse.SUPPRESS, metavar="GROUP")

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None) -> None:
        print(help_text(parser, values), end="")
        parser.exit()


def help_text(parser: argparse.ArgumentParser, group: str | None = None) -> str:
    """The one screen, or the options of a group.

    Args:
        parser: Its groups are titled by one word, or by one and a colon.
        group: A word; `None` for the screen, `"all"` for every group.

    Raises:
        UnknownNameError: For a group that there is not.
    """
    groups = {_word(found): found for found in parser._action_groups if found._group_actions and _word(found) != "options"}
    if group is None:
        return INTRODUCTION + "\n" + "\n".join(_line(word, found) for word, found in groups.items()) + _ending()
    if group != ALL and group not in groups:
        raise unknown_name("group of options", group, [*groups, ALL])
    formatter = argparse.HelpFormatter(prog="train.py", width=100)
    for word, found in groups.items():
        if group in (ALL, word):
            formatter.start_section(found.title)
            formatter.add_arguments(found._group_actions)
            formatter.end_section()
    return formatter.format_help()


def _word(group: Any) -> str:
    return str(group.title or "").partition(":")[0].partition(",")[0]


def _line(word: str, group: Any) -> str:
    """A group's options, as many as two lines have room for."""
    head = f"  --help {word:<13}"
    names = [action.option_strings[0] for action in group._group_actions]
    lines = textwrap.wrap(" ".join(names), WIDTH - len(head) - 2, break_on_hyphens=False)
    if len(lines) > 2:
        shown = textwrap.wrap(" ".join(names), WIDTH - len(head) - len("  ... 99 more"), break_on_hyphens=False)[:2]
        lines = [shown[0], f"{shown[1]} ... {len(names) - len(' '.join(shown).split())} more"]
    return "\n".join(f"{head if not number else ' ' * len(head)} {line}" for number, line in enumerate(lines))


def _ending() -> str:
    return (
        "\n\n  --list methods | objectives | presets | datasets | neurons | targets"
        "\n  --help all         every option; docs/command_line.md explains them\n"
    )
