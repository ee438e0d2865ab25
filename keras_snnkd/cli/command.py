"""The command line from its words to its exit status: whatever goes wrong is one line."""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

from keras_snnkd.errors import KDError, unknown_name
from keras_snnkd.files.output import unread_output
from keras_snnkd.run.recipes.modes import WITHOUT_TRAINING
from keras_snnkd.run.watching.json_log import Lines
from keras_snnkd.run.watching.terminal import make_console
from keras_snnkd.training.ctrl_c import listening


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        The exit status: 0, 1 for an error that the message explains, 130 after Ctrl-C.
    """
    with unread_output():
        return _main(sys.argv[1:] if arguments is None else arguments)


def _main(arguments: list[str]) -> int:
    console: Any = make_console(width=None if sys.stdout.isatty() else 140)
    complain = _on_standard_error(console.width)
    options = None
    try:
        from keras_snnkd.cli.options import JSON, LOGS, joined, parser  # here, so that Ctrl-C meanwhile is no traceback

        options = parser().parse_args(joined(arguments))
        if options.log not in LOGS:
            raise unknown_name("form of --log", options.log, LOGS)
        if options.log == JSON:
            console = Lines()
            complain = console.emit_text
        logging.getLogger("tensorflow").setLevel("ERROR")
        with listening(), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: complain("warning", str(message))
            from keras_snnkd.cli.dispatch import dispatch

            return _ended(dispatch(options, arguments, console), console)
    except KeyboardInterrupt:
        trains = options is None or options.mode not in WITHOUT_TRAINING
        console.print(f"\nstopped; what is finished is kept.{' Go on with the same command and --resume' if trains else ''}")
        return _ended(130, console)
    except (KDError, ValueError, OSError) as error:
        complain("error", str(error))
        return _ended(1, console)
    except Exception as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != TENSORFLOWS_MEMORY_ERROR:
            raise
        complain("error", f"{OUT_OF_MEMORY} ({next(iter(str(error).splitlines()), 'the system tells no more')[:200]})")
        return _ended(1, console)


def _ended(status: int, console: Any) -> int:
    """The exit status, which a program is told."""
    if isinstance(console, Lines):
        console.emit("end", status=status)
    return status


def _on_standard_error(width: int) -> Callable[[str, str], None]:
    """Says warnings and errors to a person."""
    console = make_console(stderr=True, width=width)

    def complain(event: str, text: str) -> None:
        console.print(f"{event}: {text}", style=STYLES[event], highlight=False, markup=False)

    return complain


TENSORFLOWS_MEMORY_ERROR = "ResourceExhaustedError"
"""Known by its name, so that TensorFlow is not imported for it."""

OUT_OF_MEMORY = (
    "there is not enough memory; what is finished is kept. Make the images smaller (--resize), the batches (--batch-size) or the networks, "
    "or take fewer images (--limit)"
)

STYLES = {"warning": "yellow", "error": "bold red"}
