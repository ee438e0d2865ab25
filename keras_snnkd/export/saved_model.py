"""Export to a TensorFlow SavedModel."""

import os
from pathlib import Path
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ForeignFolderError, OutputError
from keras_snnkd.export.freeze import freeze
from keras_snnkd.export.parity import EXACT, Reference, verify
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import SavedModel
from keras_snnkd.files.logits import LOGITS, NUMBERS
from keras_snnkd.files.samples import Samples
from keras_snnkd.files.staging import scratch, staged
from keras_snnkd.neurons.dynamics import export_form

MEMBERS = ("saved_model.pb", "variables", "assets", "assets.extra", "fingerprint.pb", "keras_metadata.pb")
"""What TensorFlow writes into the folder of a SavedModel."""

DEFAULT_ENDPOINT = "serving_default"
"""The signature that those who serve a SavedModel look for."""


def saved_model(model: keras.Model, path: str | Path, *, samples: Samples) -> ExportReport:
    """Write a SavedModel that TensorFlow loads without this package, compare it with the model, and only then give it its name.

    Its signature `serving_default` (also `serve`) takes `image`, float32 `[B, ...]` with any B, or several inputs by the names of the input
    layers, and gives `logits`, `[B, C]`. The neurons
    are written in plain operators: the folder is for inference, training goes on from the `.keras` file.

    Args:
        model: A functional Keras model with one output.
        path: The folder; one that holds a SavedModel and nothing else is replaced.
        samples: Real images to compare on, float `[N, ...]`; of several inputs as in `litert`.

    Returns:
        What the comparison found.

    Raises:
        ExportError: If the model cannot be exported, or the folder does not do what the model does. Nothing is written then.
        ShapeError, UnknownNameError: If the samples do not fit the model.
        OutputError: If the folder cannot be written, or holds anything but a SavedModel.

    Example:
        >>> kd.export.saved_model(student, "student", samples=images)
        >>> serve = tf.saved_model.load("student").signatures["serving_default"]
        >>> serve(image=images)["logits"]
    """
    check_replaceable(path)
    reference = Reference(model, samples)
    with staged(path) as (folder,):
        return write_saved_model(reference, folder, Path(path))


def check_replaceable(path: str | Path) -> None:
    """Raise a `ForeignFolderError` for a folder that holds anything but a SavedModel."""
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    foreign = [name for name in names if name not in MEMBERS]
    if foreign:
        raise ForeignFolderError(
            f"{path} would be replaced by a SavedModel, and holds {', '.join(foreign[:5])}, which is no part of one; name a new folder"
        )


def write_saved_model(reference: Reference, folder: Path, final: Path) -> ExportReport:
    """Write and verify `folder`, which will be renamed to `final`."""
    write_archive(freeze(reference.model), folder)
    exported = SavedModel(folder)
    with scratch(folder.parent) as twin:
        if reference.taps:
            write_archive(freeze(reference.model, taps=reference.taps), twin)
        return verify(
            reference,
            target="saved_model",
            path=final,
            size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
            operators=_operators(exported.signature),
            predict=exported.predict,
            outputs=SavedModel(twin).outputs if reference.taps else None,
            limits=EXACT,
        )


def write_archive(model: keras.Model, folder: Path, batch_size: int | None = None, endpoint: str = "serve", spike: str = "floor") -> None:
    """Write a frozen model as SavedModel with one endpoint, its neurons in plain operators.

    Args:
        model: From `freeze` or `one_step`; the inputs keep their names.
        folder: Where to.
        batch_size: Fixed batch size, or `None`.
        endpoint: Name of the signature.
        spike: The operators of the step; see `keras_snnkd.neurons.dynamics.export_form`.

    Raises:
        OutputError: If the folder cannot be written.
    """
    import tensorflow as tf

    name = NUMBERS if graphs.gives_numbers(model) else LOGITS

    def serve(*inputs: Tensor) -> dict[str, Tensor]:
        outputs = model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return outputs if isinstance(outputs, dict) else {name: outputs}

    specs = [tf.TensorSpec((batch_size, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in model.inputs]
    try:
        with export_form(spike):
            traced = tf.function(serve).get_concrete_function(*specs)  # once; keras.export.ExportArchive does it three times
        archive = tf.Module()
        archive.kept = traced.variables
        setattr(archive, endpoint, traced)
        tf.saved_model.save(archive, str(folder), signatures={endpoint: traced, DEFAULT_ENDPOINT: traced})
    except tf.errors.OpError as error:
        raise OutputError(f"cannot write {folder}: {error.message}. Check free space and permissions, or choose another folder.") from error


def _operators(signature: Any) -> dict[str, int]:
    from collections import Counter

    found = Counter(node.op for node in signature.graph.as_graph_def().node)
    for function in signature.graph.as_graph_def().library.function:
        found.update(node.op for node in function.node_def)
    return dict(sorted(found.items()))
