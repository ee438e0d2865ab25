"""The targets of export by name, each with its file's name and how it is written and run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from keras_snnkd.errors import unknown_name
from keras_snnkd.export.litert import write_litert
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT, SavedModel
from keras_snnkd.export.saved_model import write_saved_model
from keras_snnkd.files import staged

Predict = Callable[[np.ndarray], np.ndarray]
"""Images `[N, ...]` to logits `[N, C]`."""

LONG = 64
"""T above which files with all their time steps are left out of `all`: their graph grows with T, that of a streaming file does not."""


@dataclass(frozen=True)
class Order:
    """What targets are written from.

    Args:
        reference: The model and the samples that a file is compared on.
        calibration: Images for the ranges of integers, float `[N, ...]`.
        io: `"float32"`, or `"int8"` for int8 files that take and give integers.
    """

    reference: Reference
    calibration: np.ndarray
    io: str = "float32"


@dataclass(frozen=True)
class Target:
    """One target of export.

    Args:
        label: What people call it.
        file: Name of its file or folder.
        write: Writes a file through its check.
        open: Opens a file to run it; `None` if it is no file that runs by itself.
        arithmetic: In which it multiplies; see `keras_snnkd.metrics.energy`.
        one_step: Whether a run is one time step.
        micro: Whether it is meant for microcontrollers too.
        timed: Whether `keras_snnkd.export.latency` can run it.
    """

    label: str
    file: str
    write: Callable[[Order, Path], ExportReport]
    open: Callable[[Path], Predict] | None
    arithmetic: Literal["float32", "int8"] = "float32"
    one_step: bool = False
    micro: bool = False
    timed: bool = True


def _saved_model(order: Order, path: Path) -> ExportReport:
    with staged(path) as (folder,):
        return write_saved_model(order.reference, folder, path)


def _litert(quantize: str, order: Order, path: Path) -> ExportReport:
    with staged(path) as (file,):
        (report,) = write_litert(order.reference, {quantize: file}, [path])
    return report


def _run_saved_model(path: Path) -> Predict:
    return SavedModel(path).predict


def _run_litert(path: Path) -> Predict:
    return LiteRT(path).predict


TARGETS = {
    "saved_model": Target("SavedModel", "saved_model", _saved_model, _run_saved_model),
    "float32": Target("LiteRT float32", "model_float32.tflite", partial(_litert, "float32"), _run_litert, micro=True),
    "dynamic": Target("LiteRT dynamic", "model_dynamic.tflite", partial(_litert, "dynamic"), _run_litert, "int8"),
}
"""In the order in which they are written and shown."""


def select(names: Sequence[str]) -> list[str]:
    """The names of targets, with `all` in place of each of them, in the order of `TARGETS`.

    Raises:
        UnknownNameError: For an unknown one.

    Example:
        >>> select(["dynamic", "float32"])
    """
    for name in names:
        if name not in (*TARGETS, "all"):
            raise unknown_name("export target", name, [*TARGETS, "all"])
    return list(TARGETS) if "all" in names else [name for name in TARGETS if name in names]
