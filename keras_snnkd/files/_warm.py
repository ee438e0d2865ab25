"""Runs scripts in forks of a process that has imported what they need, which takes longer than they do. Run as a script, on Linux.

python -P _warm.py tensorflow

Each line of standard input is an order, as JSON: `script`, `arguments`, `folder` (where it runs), `environment`, and `said`, the file that
takes what it writes. A line says that everything is imported; two answer each order: the number of the process, and what it ended with.
"""

import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from typing import Any, NoReturn


def run(script: str, arguments: list[str], folder: str, environment: dict[str, str], said: str) -> NoReturn:
    """Be the process of a script."""
    os.setsid()
    silence, page = os.open(os.devnull, os.O_RDONLY), os.open(said, os.O_WRONLY)
    os.dup2(silence, 0)
    os.dup2(page, 1)
    os.dup2(page, 2)
    status = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = [script, *arguments]
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = _status(end)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _status(end: SystemExit) -> int:
    """The exit status that Python gives a process that ends so."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    print(end.code, file=sys.stderr)
    return 1


def answer(**content: Any) -> None:
    """Write a line for the process that gave the order."""
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    gc.disable()  # what is imported stays: no collection, neither now nor in a script, need look through it
    importlib.import_module(sys.argv[1])
    gc.freeze()
    gc.enable()
    answer(imported=sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(**json.loads(line))
        answer(process=child)
        answer(status=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
