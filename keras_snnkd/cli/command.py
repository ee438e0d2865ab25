"""The command line from its words to its exit status: whatever goes wrong is one line."""

import functools
import logging
import sys
import warnings

from keras_snnkd.errors import KDError
from keras_snnkd.files.output import unread_output
from keras_snnkd.run.modes import WITHOUT_TRAINING


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
    from keras_snnkd.run.terminal import make_console  # it imports rich

    console = make_console(width=None if sys.stdout.isatty() else 140)
    tell = functools.partial(make_console(stderr=True, width=console.width).print, highlight=False, markup=False)
    options = None
    try:
        from keras_snnkd.cli.options import joined, parser  # here, so that Ctrl-C meanwhile is no traceback

        options = parser().parse_args(joined(arguments))
        logging.getLogger("tensorflow").setLevel("ERROR")
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: tell(f"warning: {message}", style="yellow")
            from keras_snnkd.cli.dispatch import dispatch

            return dispatch(options, arguments, console)
    except KeyboardInterrupt:
        trains = options is None or options.mode not in WITHOUT_TRAINING
        console.print(f"\nstopped; what is finished is kept.{' Go on with the same command and --resume' if trains else ''}")
        return 130
    except (KDError, ValueError, OSError) as error:
        tell(f"error: {error}", style="bold red")
        return 1
