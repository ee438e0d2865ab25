"""Export to LiteRT (TensorFlow Lite)."""

import json
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.errors import ExportError, unknown_name
from keras_snnkd.export import _convert
from keras_snnkd.export.contents import check_contents
from keras_snnkd.export.freeze import freeze, timesteps
from keras_snnkd.export.parity import EXACT, QUANTIZED, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.files import staged
from keras_snnkd.processes import run_script

QUANTIZATIONS = {"float32": EXACT, "dynamic": QUANTIZED}
"""What can be written, and the limits it has to keep."""

UNROLLED_STEPS = 64
"""Largest T of a file that holds every time step; its size and the time to convert it grow with T."""

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
    T = timesteps(reference.model)
    if T is not None and T > UNROLLED_STEPS:
        raise ExportError(
            f"{finals[0]} not written: {reference.model.name} has T = {T}, and a file that holds every step grows with T; the limit is "
            f"{UNROLLED_STEPS}. Write the file of one step: keras_snnkd.export.streaming(model, path, samples=...)."
        )
    models = {"plain": freeze(reference.model, batch_size=1)}
    if reference.taps:
        models["tapped"] = freeze(reference.model, batch_size=1, taps=reference.taps)
    return write_files(reference, models, files, finals, target="litert", endpoint="serve")


def write_files(
    reference: Reference, models: dict[str, keras.Model], files: dict[str, Path], finals: list[Path], *, target: str, endpoint: str
) -> list[ExportReport]:
    """Convert and verify a file for each quantization.

    Args:
        reference: What the files should do.
        models: `"plain"`, of which the files are made, and, where layers fire, its twin `"tapped"` with their spikes as further outputs.
        files: By quantization; will be renamed to `finals`.
        finals: The names for messages and reports.
        target: First word of the reports' `target`.
        endpoint: Name of the signature.
    """
    with tempfile.TemporaryDirectory(dir=next(iter(files.values())).parent) as work:
        jobs = []
        for kind, model in models.items():
            write_archive(model, Path(work, kind), batch_size=1, endpoint=endpoint)
            jobs += [
                {"folder": Path(work, kind), "endpoint": endpoint, "quantize": quantize, "output": Path(work, f"{kind}_{quantize}.tflite")}
                for quantize in files
            ]
        convert(jobs)
        reports = []
        for (quantize, file), final in zip(files.items(), finals, strict=True):
            file.write_bytes(Path(work, f"plain_{quantize}.tflite").read_bytes())
            contents = check_contents(file, reference.kernel_elements, final)
            reports.append(
                verify(
                    reference,
                    target=f"{target} {quantize}",
                    path=final,
                    size=file.stat().st_size,
                    operators=contents.operators,
                    predict=LiteRT(file).predict,
                    outputs=LiteRT(Path(work, f"tapped_{quantize}.tflite")).outputs if "tapped" in models else None,
                    limits=QUANTIZATIONS[quantize],
                )
            )
        return reports


def convert(jobs: list[dict]) -> None:
    """Run the converter in a process of its own.

    Args:
        jobs: Of each conversion the SavedModel `folder`, its `endpoint`, how to `quantize`, and the `output` file.

    Raises:
        ExportError: If the process fails, crashes or takes longer than `TIMEOUT_SECONDS`; with the last lines it wrote.
    """
    order = json.dumps([{name: str(value) for name, value in job.items()} for job in jobs])
    if failure := run_script(_convert.__file__, order, seconds=TIMEOUT_SECONDS):
        raise ExportError(f"the LiteRT converter {failure}")
    missing = [str(job["output"]) for job in jobs if not Path(job["output"]).is_file()]
    if missing:
        raise ExportError(f"the LiteRT converter ended without an error but did not write {', '.join(missing)}.")
