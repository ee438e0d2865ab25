"""The targets of export by name, each with its file's name and how it is written and run."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_snnkd.errors import ExportError, unknown_name
from keras_snnkd.export.c_array import c_array, read_c_array
from keras_snnkd.export.litert import write_litert
from keras_snnkd.export.nir import nir
from keras_snnkd.export.onnx import onnx
from keras_snnkd.export.onnx_file import ONNX
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT, SavedModel
from keras_snnkd.export.saved_model import write_saved_model
from keras_snnkd.export.stepper import write_streaming
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import staged
from keras_snnkd.models import from_nir

Predict = Callable[[Samples], np.ndarray]
"""Images `[N, ...]`, or a mapping by input, to logits `[N, C]`."""


Arithmetic = Literal["float32", "int8"]
"""In which a file multiplies."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What targets are written from.

    Args:
        reference: The model and the samples that a file is compared on.
        calibration: Images for the ranges of integers, float `[N, ...]`.
        io: `"float32"`, or `"int8"` for int8 files that take and give integers.
        aware: For the int8 files another model and its samples: the quantization-aware one.
        written: By name, what was written before in the same folder.
        refused: By name, why a target was not written.
    """

    reference: Reference
    calibration: Samples
    io: str = "float32"
    aware: Reference | None = None
    written: dict[str, ExportReport] = dataclasses.field(default_factory=dict)
    refused: dict[str, ExportError] = dataclasses.field(default_factory=dict)

    def source(self, quantize: str) -> Reference:
        """The model that a file of this form is written from."""
        return self.aware if self.aware and quantize == "int8" else self.reference


@dataclasses.dataclass(frozen=True)
class Target:
    """One target of export.

    Args:
        label: What people call it.
        file: Name of its file or folder.
        write: Writes a file through its check.
        open: Opens a file to run it.
        arithmetic: In which it multiplies; see `keras_snnkd.metrics.energy`.
        one_step: Whether a run is one time step.
        unrolled: Whether it holds every time step, so that it is left out for T above `UNROLLED_STEPS`.
        micro: Whether it may run on microcontrollers.
        timed: Whether `keras_snnkd.export.latency` runs it.
        runnable: From its path to that of the file that is run, which may be there for a while only.
    """

    label: str
    file: str
    write: Callable[[Order, Path], ExportReport]
    open: Callable[[Path], Predict]
    arithmetic: Arithmetic = "float32"
    one_step: bool = False
    unrolled: bool = True
    micro: bool = False
    timed: bool = True
    runnable: Callable[[Path], AbstractContextManager[Path]] = nullcontext


def _saved_model(order: Order, path: Path) -> ExportReport:
    with staged(path) as (folder,):
        return write_saved_model(order.reference, folder, path)


def _litert(quantize: str, order: Order, path: Path) -> ExportReport:
    with staged(path) as (file,):
        (report,) = write_litert(order.source(quantize), {quantize: file}, [path], order.calibration, order.io)
    return report


def _streaming(quantize: str, order: Order, path: Path) -> ExportReport:
    with staged(path) as (file,):
        (report,) = write_streaming(order.source(quantize), {quantize: file}, [path], order.calibration, order.io)
    return report


def _by(export: Callable[..., ExportReport], order: Order, path: Path) -> ExportReport:
    """By a function of the model that knows nothing of an order."""
    return export(order.reference.model, path, samples=order.reference.samples)


def _c_array(order: Order, path: Path) -> ExportReport:
    """The int8 file as an array, which has its size: the text of the header is longer."""
    if "int8" in order.refused:
        raise order.refused["int8"]
    with tempfile.TemporaryDirectory() as work:
        report = order.written.get("int8") or _litert("int8", order, Path(work, TARGETS["int8"].file))
        c_array(report.path, path)
    return dataclasses.replace(report, target="c_array", path=str(path))


@contextmanager
def _unpacked(header: Path) -> Iterator[Path]:
    """The file in a header, for a while."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work, header.name).with_suffix(".tflite")
        path.write_bytes(read_c_array(header.read_text("ascii")))
        yield path


def _run_litert(path: Path) -> Callable[..., Any]:
    return LiteRT(path).predict


def _run_saved_model(path: Path) -> Callable[..., Any]:
    return SavedModel(path).predict


def _run_onnx(path: Path) -> Callable[..., Any]:
    return ONNX(path).predict


def _run_nir(path: Path) -> Callable[..., Any]:
    return partial(from_nir(path).predict, batch_size=128, verbose=0)


def _litert_target(quantize: str, arithmetic: Arithmetic = "float32", **more: Any) -> Target:
    write = partial(_litert, quantize)
    return Target(f"LiteRT {quantize}", f"model_{quantize}.tflite", write, _run_litert, arithmetic, **more)


def _streaming_target(quantize: str, arithmetic: Arithmetic = "float32", **more: Any) -> Target:
    more = {"one_step": True, "unrolled": False, **more}
    write = partial(_streaming, quantize)
    return Target(f"LiteRT streaming {quantize}", f"model_streaming_{quantize}.tflite", write, _run_litert, arithmetic, **more)


TARGETS = {
    "saved_model": Target("SavedModel", "saved_model", _saved_model, _run_saved_model),
    "float32": _litert_target("float32", micro=True),
    "float16": _litert_target("float16"),
    "dynamic": _litert_target("dynamic", "int8"),
    "int8": _litert_target("int8", "int8", micro=True),
    "streaming": _streaming_target("float32", micro=True),
    "streaming_dynamic": _streaming_target("dynamic", "int8"),
    "streaming_int8": _streaming_target("int8", "int8", micro=True),
    "onnx": Target("ONNX", "model.onnx", partial(_by, onnx), _run_onnx),
    "c_array": Target("C array of int8", "model_int8.h", _c_array, _run_litert, "int8", micro=True, timed=False, runnable=_unpacked),
    "nir": Target("NIR", "model.nir", partial(_by, nir), _run_nir, unrolled=False, timed=False),
}
"""In the order in which they are written and shown."""


OF_INTEGERS = {"int8", "streaming_int8", "c_array"}
"""Those that compute with integers."""


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
