"""Ctrl-C is heard, also where a library loses it."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import keras

from keras_snnkd._types import Logs

_heard = threading.Event()


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """In this block Ctrl-C raises `KeyboardInterrupt`, as always, and is remembered, so that it ends the block in any case.

    Python raises that error wherever the program happens to be. A library may make another error of it, which is then taken back here; or
    it may lose it, as C code does that asks whether an object has some attribute and takes the error for a no. Then `CtrlC` raises it anew.

    Raises:
        KeyboardInterrupt: After Ctrl-C, in place of any other error.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # someone else's to say what it means
        yield
        return
    _heard.clear()
    signal.signal(signal.SIGINT, _hear)
    try:
        yield
    except Exception as error:
        raise_if_heard(error)
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _heard.clear()


def _hear(number: int, frame: FrameType | None) -> None:
    _heard.set()
    raise KeyboardInterrupt


def raise_if_heard(error: Exception | None = None) -> None:
    """For who would go on after an error, or after a while: stops if Ctrl-C has been pressed in a block of `listening`.

    Args:
        error: What Ctrl-C may have become.

    Raises:
        KeyboardInterrupt: As Ctrl-C itself does.
    """
    if _heard.is_set():
        raise KeyboardInterrupt from error


class CtrlC(keras.callbacks.Callback):
    """Ends training, after the batch, if Ctrl-C has been pressed in a block of `listening` and training still goes on.

    Raises:
        KeyboardInterrupt: As Ctrl-C itself does.
    """

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        raise_if_heard()
