"""Every terminal gets every table."""

import io
import sys

import pytest

from keras_snnkd.run.watching.progress import working
from keras_snnkd.run.watching.terminal import make_console


@pytest.mark.parametrize(
    ("encoding", "said"), [("ascii", "12 uJ -, a cafe?, [/red] ?"), ("latin-1", "12 \xb5J -, a caf\xe9?, [/red] ?"), ("utf-8", None)]
)
def test_what_an_encoding_lacks_is_written_with_letters_that_it_has(encoding, said, monkeypatch):
    text = "12 \xb5J \N{EN DASH}, a caf\xe9\N{SNOWMAN}, [/red] \N{SNOWMAN}"
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))
    make_console(width=80).print(text)
    sys.stdout.flush()
    assert screen.getvalue().decode(encoding).strip() == (said or text)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_going_on_is_told_whatever_its_name(terminal):
    screen = io.StringIO()
    console = make_console(file=screen, width=100, force_terminal=terminal)
    with working("measuring a[/b] of [red] in :cat:", console):
        pass
    console.print("runs/:cat:/[b]", highlight=False)
    assert "measuring a[/b] of [red] in :cat:" in screen.getvalue()
    assert "runs/:cat:/[b]" in screen.getvalue()
