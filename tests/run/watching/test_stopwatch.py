"""How long a run took, over all the times that it was started."""

from pathlib import Path

from keras_snnkd.distill.chain import StageResult
from keras_snnkd.run.watching import progress


def stage(name, before=0.0, here=0.0):
    """One that trained so long in earlier processes and in this one."""
    return StageResult(name, None, Path(name), [], {"seconds": before + here}, here)


def test_seconds_of_earlier_processes_are_added_and_those_of_this_one_counted_once(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watch = progress.Stopwatch()
    now[0] += 90.0  # of which 60 in training
    assert watch.total([]) == 90.0
    assert watch.total([stage("finished before", 500.0), stage("interrupted", 200.0, 40.0), stage("new", 0.0, 20.0)]) == 790.0
