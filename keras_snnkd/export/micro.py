"""Whether a `.tflite` file runs on a microcontroller, and in how much memory."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.edge import Runner, read_contents
from keras_snnkd.errors import ExportError, UnsupportedError
from keras_snnkd.export import _micro
from keras_snnkd.export.c_array import hybrid_weights
from keras_snnkd.files.extras import extra
from keras_snnkd.files.processes import run_script
from keras_snnkd.files.staging import as_path

TIMEOUT_SECONDS = 60
"""How long the interpreter may take."""

TOLERANCE = 1e-5
"""Largest difference of an output that counts as none, as a share of the outputs' range, of a file that computes with floats."""

ROUNDING = 0.01
"""The same of a file that computes with integers: some kernels round a half up and others down."""

AGREEMENT = 0.9
"""Smallest share of samples with equal outputs; a spike that falls otherwise changes those of its sample."""


@dataclasses.dataclass(frozen=True)
class MicroReport:
    """What a file needs on a microcontroller, and how it compares there with LiteRT.

    Args:
        path: The file.
        arena_bytes: Smallest tensor arena (RAM) in which it runs, found by trying. Pointers take 8 bytes here and 4 on most
            microcontrollers, so that the figure is an upper bound.
        file_bytes: Size of the file, which lies in flash beside the interpreter's code.
        samples: Number of samples compared.
        agreement: Share of samples in which all outputs are those of LiteRT's reference kernels, up to `TOLERANCE`, or `ROUNDING`.
        max_difference: Largest difference of an output, in the output's own numbers.
    """

    path: str
    arena_bytes: int
    file_bytes: int
    samples: int
    agreement: float
    max_difference: float

    def fits(self, ram_kib: float, flash_kib: float | None = None) -> bool:
        """Whether the arena fits in so many KiB (1,024 bytes) of RAM, and the file in so many of flash."""
        return self.arena_bytes <= 1024 * ram_kib and (flash_kib is None or self.file_bytes <= 1024 * flash_kib)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def micro(path: str | Path, samples: np.ndarray) -> MicroReport:
    """Run a file in the host interpreter of LiteRT for Microcontrollers (extra `micro`) and compare its outputs with LiteRT's.

    They are compared with those of LiteRT's reference kernels, which round integers as a microcontroller does. LiteRT's fast kernels for
    CPUs round some of them to the neighbouring one, so that a neuron at its threshold may fire in one and not in the other.
    Of a streaming file, the first time step is run. It takes place in a process of its own, which is stopped after `TIMEOUT_SECONDS`:
    versions of that interpreter run some `WHILE` loops for ever.

    Args:
        path: A `.tflite` file.
        samples: Real images, float `[N, ...]`.

    Returns:
        What it needs and how it compares.

    Raises:
        MissingPackageError: Without the extra `micro`.
        UnsupportedError: For a file with int8 weights and float activations (`quantize="dynamic"`), which that interpreter does not run.
        ExportError: For a file that does not end, needs an operator that it lacks, or gives other outputs.
        FileFormatError: If the file is missing, truncated or foreign.

    Example:
        >>> kd.export.micro("student_int8.tflite", images[:20]).fits(ram_kib=256)
    """
    path = as_path(path, "the .tflite file")
    if path.is_file() and len(shapes := Runner(path).input_shapes) > 1:
        raise UnsupportedError(
            f"{path} takes the inputs {', '.join(shapes)}, and this comparison shows one; run the file with keras_snnkd.edge.Runner, or "
            "compare it on the device"
        )
    samples = np.asarray(samples, "float32")
    if hybrid := hybrid_weights(path):
        raise UnsupportedError(
            f"{path} has int8 weights and float activations (quantize='dynamic'; {hybrid}), which LiteRT for Microcontrollers does not "
            "run; export it with quantize='int8' or 'float32'."
        )
    extra("micro", "tflite_micro")
    with tempfile.TemporaryDirectory() as work:
        images, output = Path(work, "samples.npy"), Path(work, "found.npz")
        np.save(images, samples)
        order = {"path": str(path.absolute()), "samples": str(images), "output": str(output)}
        if failure := run_script(_micro.__file__, json.dumps(order), seconds=TIMEOUT_SECONDS):
            loop = " It holds a WHILE loop: export it unrolled." if "WHILE" in read_contents(path).operators else ""
            raise ExportError(f"{path} in LiteRT for Microcontrollers: it {failure}{loop}")
        with np.load(output) as found:
            integers = bool({"QUANTIZE", "DEQUANTIZE"} & set(read_contents(path).operators)) or str(found["kind"]) == "i"
            return _compare(path, int(found["arena"]), found["micro"], found["litert"], ROUNDING if integers else TOLERANCE)


def _compare(path: Path, arena: int, ours: Array, litert: Array, tolerance: float) -> MicroReport:
    difference = np.abs(ours - litert).max(1)
    allowed = tolerance * np.ptp(litert)
    agreement = float(np.mean(difference <= allowed))
    if not agreement >= AGREEMENT:
        raise ExportError(
            f"{path} gives other outputs in LiteRT for Microcontrollers than in LiteRT: {agreement:.2%} of {len(ours)} samples agree, "
            f"demanded are {AGREEMENT:.0%}; the largest difference is {difference.max():.3g}."
        )
    return MicroReport(str(path), arena, path.stat().st_size, len(ours), agreement, float(difference.max()))
