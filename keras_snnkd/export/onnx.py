"""Export to ONNX."""

from pathlib import Path
from typing import Any

import keras

from keras_snnkd.export import _convert_onnx
from keras_snnkd.export.freeze import freeze
from keras_snnkd.export.onnx_file import ONNX, check_onnx_contents, seal_onnx
from keras_snnkd.export.parity import EXACT, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.files.extras import extra
from keras_snnkd.files.processes import run_converter
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import scratch, staged

TIMEOUT_SECONDS = 600
"""How long the converter may take."""


def onnx(model: keras.Model, path: str | Path, *, samples: Samples) -> ExportReport:
    """Write one `.onnx` file, compare it with the model in onnxruntime, and only then give it its name.

    The file takes `image`, float32 `[batch, ...]` with any batch size, or several inputs by the names of the input layers, gives
    `logits` `[batch, C]`, and needs ONNX' own operators only, in their version 18. It ends in its SHA-256, which `ONNX` compares.

    Args:
        model: A functional Keras model with one output.
        path: The file; one that exists is replaced.
        samples: Real images to compare on, float `[N, ...]`; of several inputs as in `litert`.

    Returns:
        What the comparison found.

    Raises:
        ExportError: If the model cannot be exported, or the file does not do what the model does. Nothing is written then.
        ShapeError, UnknownNameError: If the samples do not fit the model.
        OutputError: If the file cannot be written.
        MissingPackageError: Without the packages of the extra `onnx`.

    Example:
        >>> kd.export.onnx(student, "student.onnx", samples=images)
    """
    extra("onnx", "onnx", "onnxruntime", "tf2onnx")
    reference = Reference(model, samples)
    with staged(path) as (file,):
        return write_onnx(reference, file, Path(path))


def write_onnx(reference: Reference, file: Path, final: Path) -> ExportReport:
    """Write and verify `file`, which will be renamed to `final`."""
    with scratch(file.parent) as work:
        twin = Path(work, "tapped.onnx")
        write_archive(freeze(reference.model), Path(work, "plain"))
        jobs = [{"folder": f"{work}/plain", "output": str(file)}]
        if reference.taps:
            write_archive(freeze(reference.model, taps=reference.taps), Path(work, "tapped"))
            jobs.append({"folder": f"{work}/tapped", "output": str(twin)})
        convert(jobs)
        contents = check_onnx_contents(file, reference.kernel_elements, final)
        seal_onnx(file)
        return verify(
            reference,
            target="onnx",
            path=final,
            size=file.stat().st_size,
            operators=contents.operators,
            predict=ONNX(file).predict,
            outputs=ONNX(twin).outputs if reference.taps else None,
            limits=EXACT,
        )


def convert(jobs: list[dict[str, Any]]) -> None:
    """Run the converter in a process of its own.

    Args:
        jobs: Of each conversion the SavedModel `folder` and the `output` file.

    Raises:
        ExportError: If the process fails, crashes, takes longer than `TIMEOUT_SECONDS` or writes nothing; with the last lines it wrote.
    """
    run_converter("ONNX", _convert_onnx.__file__, [{"endpoint": "serve", **job} for job in jobs], TIMEOUT_SECONDS)
