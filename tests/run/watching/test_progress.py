"""What a person sees of a training that goes on."""

import io

import pytest
from rich.console import Console

from keras_snnkd.run.watching.progress import Counter, Progress, clock


def test_progress_in_a_log_is_one_line_an_epoch():
    screen = io.StringIO()
    progress = Progress("[seed 1/3] teacher", Console(file=screen, width=40))  # not taken for markup of rich's
    progress.set_params({"epochs": 2, "steps": 3})
    progress.on_train_begin()
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        progress.on_epoch_end(epoch, {"loss": 0.25, "val_accuracy": 1.0})
    first, second = screen.getvalue().splitlines()
    assert first.startswith("[seed 1/3] teacher epoch 1/2: loss 0.2500, val_accuracy 1.0000, ")
    assert second == "[seed 1/3] teacher epoch 2/2: loss 0.2500, val_accuracy 1.0000, 0:00 left in this stage"


def test_a_stage_that_goes_on_says_once_at_which_epoch():
    screen = io.StringIO()
    progress = Progress("[1/3] teacher", Console(file=screen, width=120))
    progress.set_params({"epochs": 9, "steps": 3})
    progress.on_train_begin()
    for epoch in (1, 2):
        progress.on_epoch_begin(epoch)
    assert screen.getvalue() == "[1/3] teacher: resumed at epoch 2 of 9\n"


def test_counting_in_a_log_is_one_line_at_the_end():
    screen = io.StringIO()
    counter = Counter("{}: {:,} of {:,}", Console(file=screen, width=40))
    for done in (0, 1500, 3000):
        counter("[seed 1/3] student", done, 3000)
    assert screen.getvalue() == "[seed 1/3] student: 3,000 of 3,000\n"
    assert counter.status is None


def test_titles_on_a_terminal_keep_their_brackets():
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True)
    counter = Counter("{}: {:,} of {:,}", console)
    counter("[seed 1/3] student", 0, 3000)
    counter.close()
    progress = Progress("[seed 2/3] student", console)
    progress.set_params({"epochs": 2, "steps": 3})
    progress.on_train_begin()
    progress.on_epoch_begin(0)
    progress.close()
    assert "[seed 1/3] student" in screen.getvalue()
    assert "[seed 2/3] student" in screen.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (83, "1:23"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text
