"""What may fail once a model is trained becomes a note."""

import pytest

from keras_snnkd.errors import OutputError, UnsupportedError
from keras_snnkd.run.watching.attempt import attempt


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no kernel\nfor this"), "it was not counted: RuntimeError: no kernel"),
        (ValueError("layer 'a' is unknown"), "it was not counted: layer 'a' is unknown"),
        (UnsupportedError("two\n  lines"), "it was not counted: two lines"),
        (MemoryError(), "it was not counted: MemoryError"),
    ],
)
def test_an_error_is_a_note_told_once(error, said):
    notes = []
    for _ in range(2):
        with attempt("it was not counted", notes):
            raise error
    assert notes == [said]


@pytest.mark.parametrize("error", [OutputError("the disk is full"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_are_raised(error):
    notes = []
    with pytest.raises(type(error)), attempt("it was not written", notes):
        raise error
    assert notes == []
