"""Export to LiteRT (TensorFlow Lite)."""

import json
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.errors import ExportError, unknown_name
from keras_snnkd.export import _convert
from keras_snnkd.export.contents import check_contents
from keras_snnkd.export.freeze import freeze
from keras_snnkd.export.parity import EXACT, QUANTIZED, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.files import staged
from keras_snnkd.processes import run_script

QUANTIZATIONS = {"float32": EXACT, "dynamic": QUANTIZED}
"""What can be written, and the limits it has to keep."""

TIMEOUT_SECONDS = 600
"""How long the converter may take."""


def litert(model: keras.Model, path: str | Path, quantize: str = "float32", *, samples: np.ndarray) -> ExportReport:
    """Write one `.tflite` file, compare it with the model, and only then give it its name.

    The file takes one image, float32 `[1, ...]`, gives `logits` `[1, C]`, and needs LiteRT's built-in operators only.

    Args:
        model: A functional Keras model with one input and one output.
        path: The file; one that exists is replaced.
        quantize: `"float32"`, or `"dynamic"`: weights in int8, computed with float membranes. Spikes are 0 and 1, so nothing but the
            weights is rounded. Layers of fewer than 1,024 weights stay float.
        samples: Real images to compare on, float `[N, ...]`.

    Returns:
        What the comparison found.

    Raises:
        UnknownNameError: For an unknown `quantize`.
        ExportError: If the model cannot be exported, or the file does not do what the model does. Nothing is written then.
        ShapeError: If the samples do not fit the model.
        OutputError: If the file cannot be written.

    Example:
        >>> kd.export.litert(student, "student.tflite", quantize="dynamic", samples=images)
    """
    if quantize not in QUANTIZATIONS:
        raise unknown_name("quantization", quantize, QUANTIZATIONS)
    reference = Reference(model, samples)
    with staged(path) as (file,):
        (report,) = write_litert(reference, {quantize: file}, [Path(path)])
    return report


def write_litert(reference: Reference, files: dict[str, Path], finals: list[Path]) -> list[ExportReport]:
    """Write and verify a file for each quantization, which will be renamed to `finals`."""
    with tempfile.TemporaryDirectory() as work:
        archives = {"plain": Path(work, "plain")}
        write_archive(freeze(reference.model, batch_size=1), archives["plain"], batch_size=1)
        if reference.taps:
            archives["tapped"] = Path(work, "tapped")
            write_archive(freeze(reference.model, batch_size=1, taps=reference.taps), archives["tapped"], batch_size=1)
        converted = {(kind, quantize): Path(work, f"{kind}_{quantize}.tflite") for kind in archives for quantize in files}
        convert([{"folder": archives[kind], "quantize": quantize, "output": path} for (kind, quantize), path in converted.items()])
        reports = []
        for (quantize, file), final in zip(files.items(), finals, strict=True):
            file.write_bytes(converted["plain", quantize].read_bytes())
            contents = check_contents(file, reference.kernel_elements, final)
            reports.append(
                verify(
                    reference,
                    target=f"litert {quantize}",
                    path=final,
                    size=file.stat().st_size,
                    operators=contents.operators,
                    predict=LiteRT(file).predict,
                    outputs=LiteRT(converted["tapped", quantize]).outputs if reference.taps else None,
                    limits=QUANTIZATIONS[quantize],
                )
            )
        return reports


def convert(jobs: list[dict]) -> None:
    """Run the converter in a process of its own.

    Args:
        jobs: Of each conversion the SavedModel `folder`, how to `quantize`, and the `output` file.

    Raises:
        ExportError: If the process fails, crashes or takes longer than `TIMEOUT_SECONDS`; with the last lines it wrote.
    """
    order = json.dumps([{"endpoint": "serve", **{name: str(value) for name, value in job.items()}} for job in jobs])
    if failure := run_script(_convert.__file__, order, seconds=TIMEOUT_SECONDS):
        raise ExportError(f"the LiteRT converter {failure}")
    missing = [str(job["output"]) for job in jobs if not Path(job["output"]).is_file()]
    if missing:
        raise ExportError(f"the LiteRT converter ended without an error but did not write {', '.join(missing)}.")
