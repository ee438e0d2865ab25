"""Export to everything a device may want."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_snnkd.export.freeze import takes_padding, timesteps
from keras_snnkd.export.litert import UNROLLED_STEPS, check_form, write_litert
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.saved_model import check_replaceable, write_saved_model
from keras_snnkd.export.stepper import write_streaming
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import staged


def why_one_step(model: keras.Model, quantizations: Sequence[str]) -> str | None:
    """Why a model has to be written as one step, with its state in and out; `None` if a file of all its steps can be written."""
    T = timesteps(model)
    if T is not None and T > UNROLLED_STEPS:
        return f"{model.name} has T = {T}, and files that hold every step end at {UNROLLED_STEPS}"
    if "int8" in quantizations and takes_padding(model):
        return f"{model.name} takes padded series, and a file of integers that holds every step cannot tell padding"
    return None


def export_all(
    model: keras.Model,
    folder: str | Path,
    samples: Samples,
    name: str = "model",
    quantizations: Sequence[str] = ("float32", "dynamic"),
    calibration: Samples | None = None,
    io: str = "float32",
) -> list[ExportReport]:
    """Write `saved_model/` and `<name>_<quantization>.tflite` for each quantization, all of them or, if one fails its check, none.

    A model of more than `UNROLLED_STEPS` time steps gets `<name>_streaming_<quantization>.tflite` in place of all these: files of one
    step, whose size does not depend on T; so does one of padded series in integers, which cannot tell padding. A warning says so.

    Args:
        model: A functional Keras model with one output.
        folder: Where to; made if need be.
        samples: Real images to compare on, float `[N, ...]`; of several inputs as in `litert`.
        name: Start of the files' names.
        quantizations: Which `.tflite` files to write; see `litert`.
        calibration, io: For `"int8"`; see `litert`.

    Returns:
        What the comparisons found, in this order.

    Raises:
        UnknownNameError: For an unknown form, or `io`.
        ValueError: For integers in and out without a file of integers.
        ExportError, ShapeError, OutputError: See `litert` and `saved_model`.

    Example:
        >>> for report in kd.export.export_all(student, "edge", images):
        ...     print(report.target, report.bytes, report.agreement)
    """
    for quantize in quantizations:
        check_form(quantize, "float32")
    check_form("int8" if "int8" in quantizations else "float32", io)
    reference = Reference(model, samples)
    why = why_one_step(model, quantizations)
    if why:
        warnings.warn(
            f"{why}: it is written as one step (keras_snnkd.export.streaming), which keras_snnkd.edge.Runner runs T times.", stacklevel=2
        )
        finals = [Path(folder, f"{name}_streaming_{quantize}.tflite") for quantize in quantizations]
        with staged(*finals) as files:
            return write_streaming(reference, dict(zip(quantizations, files, strict=True)), finals, calibration, io)
    finals = [Path(folder, "saved_model"), *(Path(folder, f"{name}_{quantize}.tflite") for quantize in quantizations)]
    check_replaceable(finals[0])
    with staged(*finals) as (archive, *files):
        reports: list[ExportReport] = []

        def meanwhile() -> None:
            reports.append(write_saved_model(reference, archive, finals[0]))

        of_files = write_litert(reference, dict(zip(quantizations, files, strict=True)), finals[1:], calibration, io, meanwhile)
        return reports + of_files
