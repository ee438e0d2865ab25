"""Export to NIR, the Neuromorphic Intermediate Representation, for simulators and neuromorphic hardware."""

from collections import Counter
from pathlib import Path

import keras
import numpy as np

from keras_snnkd.errors import ExportError, FileFormatError
from keras_snnkd.export.freeze import check_one_input, freeze, tapped
from keras_snnkd.export.nir_writer import Writer
from keras_snnkd.export.parity import EXACT, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.files.extras import extra
from keras_snnkd.files.logits import LOGITS
from keras_snnkd.files.staging import check_space, staged
from keras_snnkd.models.from_nir import from_nir
from keras_snnkd.training.compilation import outside_xla


def nir(model: keras.Model, path: str | Path, *, samples: np.ndarray) -> ExportReport:
    """Write a `.nir` file, compare it with the model, and only then give it its name.

    NIR is a graph of synapses and of neurons given by differential equations, in time steps of 0.1 ms by the convention of
    `keras_snnkd.models.nir_file`; Pedersen et al. (2024), Nature Communications 15:8122. Batch norms are folded into the synapses. Maps
    are channels first. What is repeated at every step in Keras' model (a static image behind direct encoding) has to be fed at every
    step: `[T, C, H, W]`. The readout (mean over time of what the last node gives) is left to the reader. Number of steps, encoder and
    readout are written as metadata, which `keras_snnkd.models.from_nir` reads.

    Args:
        model: A functional Keras model with one input and one output: convolutions, dense layers, batch norms behind them, average
            pooling, flattening, additions, and `LIF`, `PLIF`, `IF` with a hard reset, or `LeakyIntegrator`.
        path: The file; one that exists is replaced.
        samples: Real images to compare on, float `[N, ...]`.

    Returns:
        What the comparison of the file, as `from_nir` runs it, with the model found.

    Raises:
        UnsupportedError: If NIR cannot say what a layer does (soft reset, adaptive threshold, max pooling, ReLU, padding that is not the
            same on both sides, ...), with the layer's name.
        ExportError: If the file does not do what the model does. Nothing is written then.
        ShapeError: If the samples do not fit the model.
        OutputError: If the file cannot be written.
        MissingPackageError: Without the package nir.

    Example:
        >>> kd.export.nir(student, "student.nir", samples=images)
    """
    extra("nir", "nir")
    reference = Reference(model, samples)
    with staged(path) as (file,):
        return write_nir(reference, file, Path(path))


def write_nir(reference: Reference, file: Path, final: Path) -> ExportReport:
    """Write and verify `file`, which will be renamed to `final`."""
    (package,) = extra("nir", "nir")
    check_one_input(reference.model, "NIR", "export it with keras_snnkd.export.litert, saved_model or onnx")
    graph = Writer(package, freeze(reference.model), final).graph()
    check_space(file.parent, 2 * sum(weight.nbytes for weight in reference.model.get_weights()) + 2**20)
    package.write(file, graph)
    try:
        written = outside_xla(tapped(from_nir(file), reference.taps))
    except FileFormatError as error:
        raise ExportError(f"{final} not written: it cannot be read back; {error}") from error
    return verify(
        reference,
        target="nir",
        path=final,
        size=file.stat().st_size,
        operators=dict(sorted(Counter(type(node).__name__ for node in graph.nodes.values()).items())),
        predict=lambda images: written.predict_on_batch(images)[LOGITS],
        outputs=written.predict_on_batch if reference.taps else None,
        limits=EXACT,
    )
