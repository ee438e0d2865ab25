"""What a run says when it has ended."""

from pathlib import Path

from keras_snnkd.cli.dispatch import _better_alone
from keras_snnkd.run.plan import ALONE


def test_files_of_the_student_alone_are_told_where_it_is_the_better_one():
    rows = [{"name": "teacher", "accuracy": 0.99}, {"name": ALONE, "accuracy": 0.9}, {"name": "student_distilled", "accuracy": 0.8}]
    (sentence,) = _better_alone(rows, Path("runs/a"))
    assert str(Path("runs/a/export/student_alone")) in sentence
    for alone, last in [(0.8, 0.9), (0.9, 0.9), (None, 0.9), (0.9, None)]:
        rows[1]["accuracy"], rows[2]["accuracy"] = alone, last
        assert not _better_alone(rows, Path("runs/a"))
    assert not _better_alone(rows[:1], Path("runs/a"))
