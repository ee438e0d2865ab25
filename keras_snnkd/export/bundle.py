"""Export to everything a device may want."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.export.litert import write_litert
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.saved_model import write_saved_model
from keras_snnkd.files import staged


def export_all(
    model: keras.Model,
    folder: str | Path,
    samples: np.ndarray,
    name: str = "model",
    quantizations: Sequence[str] = ("float32", "dynamic"),
    calibration: np.ndarray | None = None,
    io: str = "float32",
) -> list[ExportReport]:
    """Write `saved_model/` and `<name>_<quantization>.tflite` for each quantization, all of them or, if one fails its check, none.

    Args:
        model: A functional Keras model with one input and one output.
        folder: Where to; made if need be.
        samples: Real images to compare on, float `[N, ...]`.
        name: Start of the files' names.
        quantizations: Which `.tflite` files to write; see `litert`.
        calibration, io: For `"int8"`; see `litert`.

    Returns:
        What the comparisons found, in this order.

    Raises:
        ExportError, ShapeError, OutputError: See `litert` and `saved_model`.

    Example:
        >>> for report in kd.export.export_all(student, "edge", images):
        ...     print(report.target, report.bytes, report.agreement)
    """
    reference = Reference(model, samples)
    finals = [Path(folder, "saved_model"), *(Path(folder, f"{name}_{quantize}.tflite") for quantize in quantizations)]
    with staged(*finals) as (archive, *files):
        reports = [write_saved_model(reference, archive, finals[0])]
        return reports + write_litert(reference, dict(zip(quantizations, files, strict=True)), finals[1:], calibration, io)
