"""What a program is told: one JSON object a line, and nothing else."""

import json
from pathlib import Path

import pytest

from tests.cli.said import refused
from tests.integration import tiny

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which Python hides outside of tests


def lines(capsys):
    """The events on standard output; nothing else may be there."""
    said, error = capsys.readouterr()
    assert not error
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.filterwarnings("ignore:--mode .* does not use")
def test_a_run_is_told_to_a_program_line_by_line(capsys):
    assert tiny.run(*tiny.TINY, "--mode", "baseline", "--log", "json") == 0
    events = lines(capsys)
    by_kind = {event["event"]: event for event in events}
    assert {"message", "folder", "epoch", "working", "table", "student", "report", "end"} <= set(by_kind)
    assert events[-1] == {**events[-1], "event": "end", "status": 0}
    epoch = by_kind["epoch"]
    assert (epoch["epoch"], epoch["epochs"]) == (1, 1)
    assert 0 <= epoch["metrics"]["val_accuracy"] <= 1
    assert Path(by_kind["report"]["file"]).is_file()
    assert by_kind["table"]["columns"][0] == "model"
    assert [row[0] for row in by_kind["table"]["rows"]] == ["student alone"]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)


@pytest.mark.filterwarnings("default::UserWarning")
def test_an_error_and_a_warning_are_told_to_a_program(capsys, no_training):
    assert tiny.run(*tiny.TINY, "--log", "json", "--objective", "soft_target") == 1
    *_, error, end = lines(capsys)
    assert error["event"] == "error"
    assert "Did you mean 'soft_targets'?" in error["text"]
    assert end["status"] == 1
    assert tiny.run(*tiny.TINY, "--log", "json", "--dry-run", "--student", "mlp:30") == 0
    events = lines(capsys)
    assert [event["text"] for event in events if event["event"] == "warning" and "is not smaller than its teacher" in event["text"]]
    assert [event["seconds"] > 0 for event in events if event["event"] in ("stage", "estimate")] == [True] * 4
    assert "Did you mean 'json'?" in refused(capsys, "--log", "jsn")
