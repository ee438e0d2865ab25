"""Command line of keras_snnkd; see `python train.py --help`."""

import contextlib
import gc
import importlib
import os
import sys


@contextlib.contextmanager
def kept():
    """Import what stays to the end: looking through it for garbage, now and later, takes seconds."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def quiet():
    """Keep TensorFlow's greetings off the screen: its C++ part writes them past Python, whatever the log level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    screen = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)


if __name__ == "__main__":
    try:
        with quiet(), kept():
            from keras_snnkd.cli import main

            importlib.import_module("tensorflow")  # for the data, whatever Keras runs on; the package chooses its kernels first
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(main())
