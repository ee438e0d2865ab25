"""Export to LiteRT (TensorFlow Lite)."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd.errors import UnsupportedError, unknown_name
from keras_snnkd.export import _convert
from keras_snnkd.export.contents import check_contents
from keras_snnkd.export.freeze import IMAGE, freeze, takes_padding, timesteps
from keras_snnkd.export.parity import EXACT, HALF, INTEGER, INTEGER_AWARE, QUANTIZED, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.files.processes import run_converter
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import scratch, seal, staged
from keras_snnkd.layers import Latency, Standardize
from keras_snnkd.models import is_quantize_aware

QUANTIZATIONS = {"float32": EXACT, "float16": HALF, "dynamic": QUANTIZED, "int8": INTEGER}
"""What can be written, and the limits it has to keep."""

IO = ("float32", "int8")
"""Types of a file's input and output."""

UNROLLED_STEPS = 64
"""Largest T of a file that holds every time step; its size and the time to convert it grow with T."""

TIMEOUT_SECONDS = 600
"""How long the converter may take."""


def litert(
    model: keras.Model,
    path: str | Path,
    quantize: str = "float32",
    *,
    samples: Samples,
    calibration: Samples | None = None,
    io: str = "float32",
) -> ExportReport:
    """Write one `.tflite` file, compare it with the model, and only then give it its name.

    The file takes one image, float32 `[1, ...]`, gives `logits` `[1, C]`, and needs LiteRT's built-in operators only. It ends in its
    SHA-256, which interpreters pass over and `LiteRT` compares. Of a model with several inputs it takes one sample of each, under the names
    of the input layers.

    Args:
        model: A functional Keras model with one output.
        path: The file; one that exists is replaced.
        quantize: `"float32"`;
            `"float16"`: weights stored in 16 bits, computed in float32;
            `"dynamic"`: weights in int8, computed with float membranes. Spikes are 0 and 1, so nothing but the weights is rounded. Layers
            of fewer than 1,024 weights stay float;
            `"int8"`: integers throughout, also membranes, for microcontrollers. Of a model that `keras_snnkd.models.quantize_aware` made
            the file computes the same numbers. Of any other model the ranges of all tensors are those seen on `calibration`, and rounded
            membranes change spikes: measure the accuracy.
        samples: Real images to compare on, float `[N, ...]`; of several inputs a mapping by the input's name, or a list in the order of
            the model's inputs.
        calibration: For `"int8"` of a model that is not quantization-aware, some hundred images of the training set, as `samples`; by
            default these.
        io: For `"int8"`: `"int8"` for a file whose input and output are integers, so that nothing in it is float.
            ``real = scale (integer - zero point)``, with both in the file; of images that are bytes / 256, ``integer = byte - 128``.

    Returns:
        What the comparison found.

    Raises:
        UnknownNameError: For an unknown `quantize` or `io`.
        ValueError: For integers in and out of a file that computes with floats.
        UnsupportedError: For integers of a model with latency encoding.
        ExportError: If the model cannot be exported, or the file does not do what the model does. Nothing is written then.
        ShapeError, UnknownNameError: If the samples do not fit the model.
        OutputError: If the file cannot be written.

    Example:
        >>> kd.export.litert(student, "student.tflite", quantize="dynamic", samples=images)
        >>> kd.export.litert(fused, "fused.tflite", samples={"left": left, "right": right})
    """
    check_form(quantize, io)
    reference = Reference(model, samples)
    with staged(path) as (file,):
        (report,) = write_litert(reference, {quantize: file}, [Path(path)], calibration, io)
    return report


def write_litert(
    reference: Reference,
    files: dict[str, Path],
    finals: list[Path],
    calibration: Samples | None = None,
    io: str = "float32",
    meanwhile: Callable[[], Any] = lambda: None,
) -> list[ExportReport]:
    """Write and verify a file for each quantization, which will be renamed to `finals`; `meanwhile` as in `write_files`."""
    T = timesteps(reference.model)
    if T is not None and T > UNROLLED_STEPS:
        raise UnsupportedError(
            f"{finals[0]} not written: {reference.model.name} has T = {T}, and a file that holds every step grows with T; the limit is "
            f"{UNROLLED_STEPS}. Write the file of one step: keras_snnkd.export.streaming(model, path, samples=...)."
        )
    if "int8" in files and takes_padding(reference.model):
        raise UnsupportedError(
            f"{finals[0]} not written: {reference.model.name} takes padded series, and a file of integers that holds every step cannot "
            "tell padding. Write the file of one step: keras_snnkd.export.streaming(model, path, 'int8', samples=...)."
        )
    models = {"plain": freeze(reference.model, batch_size=1)}
    if reference.taps:
        models["tapped"] = freeze(reference.model, batch_size=1, taps=reference.taps)
    seen = None
    if needs_calibration(reference, files):
        shown = calibration_samples(reference, calibration)
        seen = shown if isinstance(shown, dict) else {IMAGE: shown}
    return write_files(reference, models, files, finals, target="litert", endpoint="serve", calibration=seen, io=io, meanwhile=meanwhile)


def needs_calibration(reference: Reference, files: Iterable[str]) -> bool:
    """Whether one of these quantizations needs the ranges of all tensors, and the model does not tell them.

    Raises:
        UnsupportedError: If the model cannot be computed in integers, whatever the ranges.
    """
    latency = [layer.name for layer in reference.model.layers if isinstance(layer, Latency)]
    if "int8" in files and latency:
        raise UnsupportedError(
            f"{reference.model.name} encodes by the time of a spike (layer {latency[0]!r}, Latency), for which the converter has no "
            "integers. Build it with encoder='direct', or take quantize='dynamic'."
        )
    return "int8" in files and not is_quantize_aware(reference.model)


def calibration_samples(reference: Reference, calibration: Samples | None) -> Samples:
    """What the ranges are found on: the samples, if nothing else is given."""
    return reference.samples if calibration is None else reference.checked(calibration)


def check_form(quantize: str, io: str) -> None:
    """Refuse an unknown form of a file.

    Raises:
        UnknownNameError: For an unknown `quantize` or `io`.
        ValueError: For integers in and out of a file that computes with floats.
    """
    if quantize not in QUANTIZATIONS:
        raise unknown_name("quantization", quantize, QUANTIZATIONS)
    if io not in IO:
        raise unknown_name("type of input and output", io, IO)
    if io != "float32" and quantize != "int8":
        raise ValueError(f"io={io!r} needs quantize='int8': a file of the form {quantize!r} computes with floats")


def write_files(
    reference: Reference,
    models: dict[str, keras.Model],
    files: dict[str, Path],
    finals: list[Path],
    *,
    target: str,
    endpoint: str,
    calibration: dict[str, Any] | None = None,
    io: str = "float32",
    meanwhile: Callable[[], Any] = lambda: None,
) -> list[ExportReport]:
    """Convert and verify a file for each quantization.

    Args:
        reference: What the files should do.
        models: `"plain"`, of which the files are made, and, where layers fire, its twin `"tapped"` with their spikes as further outputs.
        files: By quantization; will be renamed to `finals`.
        finals: The names for messages and reports.
        target: First word of the reports' `target`.
        endpoint: Name of the signature.
        calibration: See `needs_calibration`: by name of the models' inputs, what they may get, `[N, ...]`.
        io: Of the file of integers.
        meanwhile: What to do here while the converter runs in its process.
    """
    aware = is_quantize_aware(reference.model)
    if io == "int8" and aware and any(isinstance(layer, Standardize) for layer in reference.model.layers):
        raise UnsupportedError(
            f"{finals[0]} not written: {reference.model.name} scales the channels of its series in float, and would take integers; "
            "take io='float32'."
        )
    with scratch(next(iter(files.values())).parent) as work:
        integers: dict[str, Any] = {"io": io}
        if calibration is not None:
            integers["calibration"] = Path(work, "calibration.npz")
            np.savez(integers["calibration"], **calibration)
        jobs = []
        for kind, model in models.items():
            for spike in sorted({_spike(quantize) for quantize in files}):
                write_archive(model, Path(work, f"{kind}_{spike}"), batch_size=1, endpoint=endpoint, spike=spike)
            jobs += [
                {
                    "folder": Path(work, f"{kind}_{_spike(quantize)}"),
                    "endpoint": endpoint,
                    "quantize": quantize,
                    "output": Path(work, f"{kind}_{quantize}.tflite"),
                    **(integers if quantize == "int8" else {}),
                }
                for quantize in files
            ]
        with ThreadPoolExecutor(1) as converter:
            converted = converter.submit(convert, jobs)
            meanwhile()
            converted.result()
        reports = []
        for (quantize, file), final in zip(files.items(), finals, strict=True):
            file.write_bytes(Path(work, f"plain_{quantize}.tflite").read_bytes())
            seal(file)  # the format has no checksum
            contents = check_contents(file, reference.kernel_elements, final, integers=quantize == "int8")
            reports.append(
                verify(
                    reference,
                    target=f"{target} {quantize}",
                    path=final,
                    size=file.stat().st_size,
                    operators=contents.operators,
                    predict=LiteRT(file).predict,
                    outputs=LiteRT(Path(work, f"tapped_{quantize}.tflite")).outputs if "tapped" in models else None,
                    limits=INTEGER_AWARE if aware and quantize == "int8" else QUANTIZATIONS[quantize],
                )
            )
        return reports


def _spike(quantize: str) -> str:
    """The operators of the step; see `keras_snnkd.neurons.dynamics.export_form`."""
    return "where" if quantize == "int8" else "floor"


def convert(jobs: list[dict[str, Any]]) -> None:
    """Run the converter in a process of its own.

    Args:
        jobs: Of each conversion the SavedModel `folder`, its `endpoint`, how to `quantize`, and the `output` file.

    Raises:
        ExportError: If the process fails, crashes or takes longer than `TIMEOUT_SECONDS`; with the last lines it wrote.
    """
    run_converter("LiteRT", _convert.__file__, jobs, TIMEOUT_SECONDS)
