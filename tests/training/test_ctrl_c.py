"""Ctrl-C that was lost in a library ends training all the same."""

import contextlib
import os
import signal

import keras
import numpy as np
import pytest

from keras_snnkd.run.finished.measuring import Measuring
from keras_snnkd.run.recipes.recipe import Recipe
from keras_snnkd.run.watching.attempt import attempt
from keras_snnkd.training.ctrl_c import CtrlC, listening

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def _python_hears_it():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores it
    yield
    signal.signal(signal.SIGINT, before)


class Loses(keras.callbacks.Callback):
    """Presses Ctrl-C at the third batch, and takes the error for something else, as C code may."""

    seen = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.seen += 1
        if self.seen == 3:
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)


def fit(*callbacks):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.zeros((10, 2)), np.zeros(10), batch_size=1, callbacks=callbacks, verbose=0)


def test_training_ends_after_the_batch():
    loses = Loses()
    with listening(), pytest.raises(KeyboardInterrupt):
        fit(loses, CtrlC())
    assert loses.seen == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def take_it_for_another_error():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        raise AssertionError


def test_another_error_that_a_library_makes_of_it_is_taken_back():
    with pytest.raises(KeyboardInterrupt), listening():
        take_it_for_another_error()
    with pytest.raises(AssertionError), listening():
        raise AssertionError


def test_what_goes_on_after_errors_does_not_after_ctrl_c():
    notes = []
    with pytest.raises(KeyboardInterrupt), listening(), attempt("it was not measured", notes):
        take_it_for_another_error()
    assert notes == []


def test_it_is_forgotten_with_the_block():
    with listening(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with listening():
        fit(CtrlC())


def test_who_has_a_handler_keeps_it():
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    with listening():
        os.kill(os.getpid(), signal.SIGINT)
        fit(CtrlC())
    assert pressed == [True]


def test_an_export_that_it_broke_is_no_note(tmp_path, monkeypatch):
    def export(*arguments):
        take_it_for_another_error()

    monkeypatch.setattr("keras_snnkd.run.finished.measuring.export_checked", export)
    measuring = Measuring(Recipe(dataset="digits"), None, tmp_path, None)
    with pytest.raises(KeyboardInterrupt), listening():
        measuring.export(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "student")
    assert measuring.notes == []
