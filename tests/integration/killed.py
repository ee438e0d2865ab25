"""A program that runs as ever and is killed at a chosen moment: `python -m tests.integration.killed MOMENT train.py ARGUMENTS`.

MOMENT is JSON: `{"event": "os.rename", "path": "*/model.keras", "count": 2, "delay": 0.01}` kills with SIGKILL, which nothing can catch,
so many seconds after Python is about to do that to such a path for the second time (see `sys.addaudithook`). The path is relative to the
folder in which the program starts; of a rename it is the new one.
"""

import fnmatch
import json
import os
import runpy
import signal
import sys
import threading

PLACE = {"os.rename": 1}
"""Which argument of an event is its path; the first by default."""


def arm(event: str, path: str, count: int = 1, delay: float = 0.0) -> None:
    """Kill this process when the event comes for the `count`-th time."""
    start, left = os.getcwd(), [count]

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def hear(name, arguments):
        if name != event or not isinstance(arguments[PLACE.get(name, 0)], (str, bytes, os.PathLike)):
            return
        if name == "open" and "w" not in str(arguments[1]) and "+" not in str(arguments[1]):
            return
        if not fnmatch.fnmatch(os.path.relpath(os.fsdecode(arguments[PLACE.get(name, 0)]), start), path):
            return
        left[0] -= 1
        if left[0] == 0 and delay:
            timer = threading.Timer(delay, die)
            timer.daemon = True
            timer.start()
        elif left[0] == 0:
            die()

    sys.addaudithook(hear)


if __name__ == "__main__":
    moment, script, *arguments = sys.argv[1:]
    arm(**json.loads(moment))
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")
