"""Contenders in processes of their own, kept alive and measured in turn."""

import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.contenders import CLOCK, Contender, UnavailableError, clock

WARM_UP = 3
"""Steps before the first measurement; they also compile."""

PATIENCE = 1800
"""Seconds that a worker may take for one answer; compiling may take minutes."""


def environment(threads: int, read: str = "wall") -> dict[str, str]:
    """What makes all frameworks use as many threads, and waiting threads sleep, so that an idle worker costs the others nothing."""
    libraries = ("OMP", "MKL", "OPENBLAS")
    return {
        **{f"{library}_NUM_THREADS": str(threads) for library in libraries},
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "NPROC": str(threads),  # XLA's
        "OMP_WAIT_POLICY": "PASSIVE",
        "KMP_BLOCKTIME": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        CLOCK: read,
    }


class Worker:
    """A contender in a process of its own, prepared and waiting.

    Args:
        prepare: Makes the contender, in that process.
        arguments: Of `prepare`.
        threads: See `environment`; `None` leaves the environment as it is, for accelerators.
        verbose: Whether to show what it prints.
        read: The clock, one of `benchmarks.contenders.CLOCKS`.

    Raises:
        UnavailableError: If it cannot be prepared, or the process ends.
    """

    def __init__(
        self,
        prepare: Callable[..., Contender],
        arguments: Mapping[str, Any],
        threads: int | None,
        verbose: bool = False,
        read: str = "wall",
    ):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, prepare, dict(arguments), environment(threads, read) if threads else {}, verbose), daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            self.facts = self._answer()
        except UnavailableError:
            self.close()
            raise

    def run(self, steps: int) -> None:
        """Run `steps` steps."""
        self._ask("run", steps)

    def seconds(self, at_least: float) -> float:
        """Run steps for `at_least` seconds; the median step's seconds."""
        return self._ask("seconds", at_least)

    def memory(self, steps: int) -> int:
        """Run `steps` steps; the bytes of resident memory at the highest moment, beyond what was resident before them."""
        return self._ask("memory", steps)

    def close(self) -> None:
        """End the process: it ends by itself when nobody listens any more, unless it hangs."""
        self._connection.close()
        self._process.join(timeout=20)
        self._process.kill()

    def _ask(self, *order):
        try:
            self._connection.send(order)
        except OSError:
            raise UnavailableError(self._ending()) from None
        return self._answer()

    def _answer(self):
        if not self._connection.poll(PATIENCE):
            raise UnavailableError(f"no answer for {PATIENCE} s")
        try:
            kind, value = self._connection.recv()
        except EOFError:
            raise UnavailableError(self._ending()) from None
        if kind == "error":
            raise UnavailableError(value)
        return value

    def _ending(self):
        self._process.join()
        return f"its process ended with {self._process.exitcode}; {-signal.SIGKILL} means out of memory"


def take_turns(workers: Mapping[str, Worker], rounds: int, at_least: float) -> list[dict[str, float]]:
    """Measure all workers in each round, beginning with another one each time, so that drift of the machine meets all alike.

    Returns:
        Of each round the seconds per step, by worker.
    """
    names, found = list(workers), []
    for turn in range(rounds if names else 0):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        seconds = {name: workers[name].seconds(at_least) for name in order}
        found.append({name: seconds[name] for name in names})
    return found


def _serve(connection, prepare, arguments, variables, verbose):
    """The process: prepare, then do what is asked until the parent closes."""
    os.environ.update(variables)  # before any framework is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    if not verbose:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    try:
        contender = prepare(**arguments)
        connection.send(("ready", contender.facts))
        while True:
            order, value = connection.recv()
            connection.send(("done", {"run": _run, "seconds": _seconds, "memory": _memory}[order](contender, value)))
    except EOFError:
        pass
    except UnavailableError as error:
        connection.send(("error", str(error)))
    except ModuleNotFoundError as error:
        connection.send(("error", f"{error.name} is not installed"))
    except Exception as error:
        connection.send(("error", f"{type(error).__name__}: {error}"[:500]))
        if verbose:
            raise


def _run(contender, steps):
    for _ in range(steps):
        contender.step()


def _seconds(contender, at_least):
    found, start = [], time.perf_counter()
    while time.perf_counter() - start < at_least:
        before = clock()
        contender.step()
        found.append((clock() - before) / contender.repeats)
    return statistics.median(found)


def _memory(contender, steps):
    before = _status("VmRSS")
    _run(contender, steps)
    return _status("VmHWM") - before


def _status(name):
    """A size in bytes from Linux' list about this process."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{name}:"))
