"""How rows are measured, and what they find."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import arithmetic
from benchmarks.contenders import Contender, UnavailableError
from benchmarks.targets import TARGETS
from benchmarks.worker import WARM_UP, Worker, take_turns

Contenders = Mapping[str, tuple[Callable[..., Contender], Mapping[str, Any]]]
"""By name, what prepares a contender, and with which arguments."""


@dataclasses.dataclass
class Row:
    """What a row found.

    Args:
        values: By contender (or point), the measured numbers: seconds per step of each round, or bytes.
        measures: By name in `TARGETS`, the numbers to be judged, one for each round or just one.
        facts: By contender, what it tells about itself.
        skipped: By contender, why it did not take part.
        unit: Of `values`.
    """

    values: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    measures: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    unit: str = "s"

    def ratio(self, name: str, above: Sequence[str], below: Sequence[str]) -> None:
        """Judge the time of `above` divided by that of `below`, if all of them took part."""
        if all(who in self.values for who in (*above, *below)):
            self.measures[name] = arithmetic.ratios(self.rounds, above, below)

    def best_of(self, name: str, those: Sequence[str], below: str) -> None:
        """Judge the time of the fastest of `those` that took part divided by that of `below`."""
        those = [who for who in those if who in self.values]
        if those:
            self.ratio(name, [arithmetic.fastest(self.rounds, those)], [below])

    def against_best(self, name: str, above: str, those: Sequence[str]) -> None:
        """Judge the time of `above` divided by that of the fastest of `those` that took part."""
        those = [who for who in those if who in self.values]
        if those:
            self.ratio(name, [above], [arithmetic.fastest(self.rounds, those)])

    @property
    def rounds(self) -> list[dict[str, float]]:
        """The values by round."""
        return [dict(zip(self.values, values, strict=True)) for values in zip(*self.values.values(), strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON data, with medians, quartiles, targets and whether they are met."""
        measures = {}
        for name, values in self.measures.items():
            found, target = arithmetic.summary(values), TARGETS[name]
            judged = {"title": target.title, "unit": target.unit, "comparison": target.comparison, "limit": target.limit}
            measures[name] = {**judged, **found, "met": target.met(found["median"])}
        values = {name: {**arithmetic.summary(numbers), "all": numbers} for name, numbers in self.values.items()}
        return {"unit": self.unit, "values": values, "measures": measures, "facts": self.facts, "skipped": self.skipped}


@dataclasses.dataclass(frozen=True)
class Bench:
    """How to measure.

    Args:
        quick: Few rounds, and the peers without compiling.
        rounds: How often each contender has its turn.
        turn: Seconds of a turn at least.
        threads: Of every contender.
        verbose: Whether to show what the workers print.
        peers: Whether the peers take part.
        clock: `"wall"`, or `"processor"` for machines that others use at the same time.
    """

    quick: bool = False
    rounds: int = 15
    turn: float = 1.0
    threads: int = 2
    verbose: bool = False
    peers: bool = True
    clock: str = "wall"

    def worker(self, prepare: Callable[..., Contender], arguments: Mapping[str, Any], threads: int | None = None) -> Worker:
        """One contender in a process of its own."""
        return Worker(prepare, arguments, threads or self.threads, self.verbose, self.clock)

    def compare(self, contenders: Contenders, threads: int | None = None) -> Row:
        """Prepare the contenders one after the other, then measure them in turn. Who fails is left out."""
        row, workers = Row(), {}
        try:
            for name, (prepare, arguments) in contenders.items():
                if not self.peers and "library" in arguments:
                    row.skipped[name] = "left out (--no-peers)"
                    continue
                self.say(f"  preparing {name}")
                try:
                    workers[name] = self.worker(prepare, arguments, threads)
                    workers[name].run(WARM_UP)
                    row.facts[name] = workers[name].facts
                except UnavailableError as error:
                    row.skipped[name] = str(error)
                    if name in workers:
                        workers.pop(name).close()
            if workers:
                self.say(f"  measuring {', '.join(workers)}")
            rounds = take_turns(workers, self.rounds, self.turn)
        finally:
            for worker in workers.values():
                worker.close()
        row.values = {name: [times[name] for times in rounds] for name in workers}
        return row

    def settings(self, known: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """The argument of a peer that says which settings to try: all that are known, or one in the quick form."""
        return {"settings": ("channels_last",) if self.quick else known}

    def say(self, text: str) -> None:
        """Tell the user what goes on."""
        print(text, file=sys.stderr, flush=True)
