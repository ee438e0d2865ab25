"""What is measured of a model once it is trained: its row in the tables of results, its files, and where all that was done."""

import contextlib
import dataclasses
import os
import platform
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import data as datasets
from keras_snnkd import export, graphs, metrics
from keras_snnkd._types import Array
from keras_snnkd._version import __version__
from keras_snnkd.distill.named_inputs import check_inputs
from keras_snnkd.errors import ExportError, ShapeError
from keras_snnkd.export.freeze import timesteps
from keras_snnkd.files.samples import Samples, arrays, rows
from keras_snnkd.files.staging import staged
from keras_snnkd.metrics.firing import shown_neurons
from keras_snnkd.run.watching.attempt import attempt
from keras_snnkd.training.compilation import outside_xla
from keras_snnkd.weights.transfer import restart_random_layers

MEASURED_IMAGES = 1000
"""Test images on which spikes and operations are counted."""

PARITY_SAMPLES = 200
"""Test images on which an exported file is compared with Keras before it gets its name."""


def measure(model: keras.Model, data: datasets.Data) -> tuple[dict[str, Any], dict[str, Any]]:
    """Accuracy, or errors of numbers, and size and activity of one model on the test set.

    Args:
        model: A functional model.
        data: The data set.

    Returns:
        A row of the results' table, and the activity. What is not known of this kind of model is `None`, or empty, and the row's `notes`
        tell why.

    Raises:
        ShapeError: If the model does not fit the data.
        InputError: If it gives NaN.
    """
    check_fits(model, data)
    images, labels = shown_to(model, data)
    restart_random_layers(model, 0)
    few = rows(images, slice(MEASURED_IMAGES))
    notes: list[str] = []
    row: dict[str, Any] = {
        **quality(predict(model, images), labels),
        "parameters": model.count_params(),
        "timesteps": None,
        "spikes_per_image": None,
        "synaptic_operations": None,
        "twin_dense": None,
    }
    found: dict[str, Any] = {}
    with attempt("the number of time steps is not known", notes):
        row["timesteps"] = timesteps(model)
    with attempt("spikes were not counted", notes):
        activity = metrics.activity(model, few)
        row["spikes_per_image"] = activity.spikes_per_image if activity.rates else None
        found = activity.to_dict()
    with attempt("synaptic operations were not counted", notes):
        row["synaptic_operations"] = metrics.synaptic_operations(model, few).to_dict()
    with attempt("the operations of the ANN twin were not counted", notes):
        row["twin_dense"] = metrics.twin_operations(model)
    if notes:
        row["notes"] = notes
    return row, found


def quality(outputs: Array, labels: Array) -> dict[str, Any]:
    """What a model's answers are worth: its `accuracy`, or where labels are numbers `None`, and beside it the `errors` of these."""
    if labels.dtype.kind != "f":
        return {"accuracy": metrics.accuracy(outputs, labels)}
    return {"accuracy": None, "errors": metrics.number_errors(outputs, labels)}


def check_fits(model: keras.Model, data: datasets.Data, called: str = "") -> None:
    """Refuse a model that does not take a data set's images and give a logit for each of its classes.

    Args:
        model: Any model.
        data: The data set.
        called: What to call the model; its name by default.

    Raises:
        ShapeError: If it does not fit, or is not built.
    """
    shape = dict(data.image_shape) if data.is_named else tuple(data.image_shape)
    called, expected = called or f"the model {model.name}", f"{data.kind} {shape} of {data.labels_told}"
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise ShapeError(f"{called} is not built, so that its shapes are not known; call it on a batch, or give it a keras.Input")
    if len(outputs) > 1 or (len(inputs) > 1 and not data.is_named):
        raise ShapeError(f"{called} has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each, for {expected}")
    image, logits = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    if data.is_named:
        check_inputs(model, called, data.image_shape)
    fits = data.is_named or (
        len(image) == len(data.image_shape) and all(size in (None, want) for size, want in zip(image, data.image_shape, strict=True))
    )
    if data.gives_numbers:
        if not fits or logits != data.train_arrays[1].shape[1:]:
            raise ShapeError(f"{called} makes {logits} of samples {image}; {data.name} has {expected}")
        return
    if len(logits) != 1:
        raise ShapeError(f"{called} gives {list(logits)} for an image; expected one logit for each of {data.num_classes} classes, [C]")
    if not fits or logits[0] != data.num_classes:
        raise ShapeError(
            f"{called} takes images {image} and knows {logits[0]} classes, {data.name} has {expected}; name the model's data set "
            "(--dataset)"
        )


def export_checked(
    model: keras.Model, data: datasets.Data, run: Path, name: str = "", quantizations: Sequence[str] = ("float32", "dynamic")
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Export one model, and run the `.tflite` files on the whole test set.

    Args:
        model: A functional model.
        data: The data set.
        run: Folder of the run; the files go to `export/<name>` in it, which is replaced as a whole.
        name: Of the model.
        quantizations: Which `.tflite` files to write.

    Returns:
        More of the results' row (`bytes` and `exported_accuracy` of each file), and one entry for each file, whose `path` starts in `run`.

    Raises:
        ExportError: If an exported file does not do what the model does.
    """
    images, labels = shown_to(model, data)
    logits = predict(model, images)
    row: dict[str, Any] = {"bytes": {}, "exported_accuracy": {}}
    found = []
    place = Path("export", name)
    with staged(run / place) as (folder,), _final_names(folder, place):
        folder.mkdir()
        for entry in export.export_all(model, folder, rows(images, slice(PARITY_SAMPLES)), quantizations=quantizations):
            content = {**entry.to_dict(), "path": (place / Path(entry.path).name).as_posix()}
            if entry.path.endswith(".tflite"):
                kind = entry.target.split()[-1]
                found_of_file = quality_of_file(export.LiteRT(entry.path).predict(images), labels, logits)
                row["bytes"][kind], row["exported_accuracy"][kind] = entry.bytes, found_of_file["test_accuracy"]
                content.update(found_of_file)
            found.append(content)
    return row, found


def quality_of_file(theirs: Array, labels: Array, logits: Array) -> dict[str, Any]:
    """What a file's answers are worth on the test set, and how often they are Keras'; of numbers their errors."""
    found = {f"test_{name}": value for name, value in quality(theirs, labels).items()}
    agreement = {} if "test_errors" in found else {"test_agreement": metrics.agreement(theirs, logits)}
    return {**found, **agreement, "test_images": len(labels)}


@contextlib.contextmanager
def _final_names(folder: Path, place: Path) -> Iterator[None]:
    """Errors of exports name the final place of a file in place of the hidden one."""
    try:
        yield
    except ExportError as error:
        raise type(error)(str(error).replace(str(folder), str(place))) from error


def test_images(data: datasets.Data) -> tuple[Samples, np.ndarray]:
    """The test set, images as float32 in [0, 1), `[N, H, W, C]`, or a mapping of several inputs, and labels `[N]`."""
    return data.sample(len(data.test_arrays[1]))


def shown_to(model: keras.Model, data: datasets.Data) -> tuple[Samples, np.ndarray]:
    """As `test_images`, of several inputs those that a model takes."""
    images, labels = test_images(data)
    return graphs.taken(model, images), labels


def predict(model: keras.Model, images: Samples, batch_size: int = 128) -> np.ndarray:
    """Logits `[N, C]`, in float32, in batches of the size with which `keras_snnkd.metrics` counts: neurons are compiled for each size."""
    return np.asarray(outside_xla(model).predict(graphs.in_order(model, images), batch_size=batch_size, verbose=0), dtype="float32")


def raster(model: keras.Model, data: datasets.Data, name: str) -> dict[str, Any] | None:
    """The spikes of one test image, for the report; `None` for an ANN."""
    images, labels = data.sample(1)
    images = graphs.taken(model, images)
    trains = metrics.raster(model, rows(images, 0), neurons=None)
    picture = _shown(images)
    if not trains or data.is_text or picture is None:  # token ids are no picture
        return None
    shown = {
        "image": _as_picture(picture).round(3).tolist(),
        "model": name.replace("_", " "),
        "layers": {layer: train[:, shown_neurons(train)].tolist() for layer, train in trains.items()},
        "never_fire": {layer: [int((~train.any(axis=0)).sum()), train.shape[1]] for layer, train in trains.items()},
    }
    if data.gives_numbers:
        return shown
    (guess,) = metrics.predictions(predict(model, images))
    return {**shown, "label": data.class_names[int(labels[0])], "predicted": data.class_names[guess]}


def _shown(images: Samples) -> np.ndarray | None:
    """The one sample that is to be seen: of several inputs the first that is an image, or else a series; `None` where all are vectors."""
    found = sorted((values[0] for values in arrays(images) if values.ndim > 2 or not isinstance(images, dict)), key=np.ndim, reverse=True)
    return found[0] if found else None


def _as_picture(sample: np.ndarray) -> np.ndarray:
    """A sample as an image in 0..1: of a series its channels from top to bottom, of events what became brighter and what darker."""
    if sample.ndim == 2:
        low, high = sample.min(axis=0), sample.max(axis=0)
        return ((sample - low) / np.where(high > low, high - low, 1)).T
    if sample.ndim == 4:
        change = sample[..., 1].sum(axis=0) - sample[..., 0].sum(axis=0)
        return 0.5 + change / (2 * max(1.0, float(np.abs(change).max())))
    return sample


def describe_data(data: datasets.Data) -> dict[str, Any]:
    """Name, shape, classes and numbers of images, as plain data; `described` is that in text."""
    counts = {part: len(getattr(data, f"{part}_arrays")[1]) for part in ("train", "validation", "test")}
    shape = {name: list(one) for name, one in data.image_shape.items()} if data.is_named else list(data.image_shape)
    about: dict[str, Any] = {"name": data.name, "image_shape": shape, "num_classes": data.num_classes}
    if data.gives_numbers:
        about["task"] = datasets.REGRESSION
    if data.is_text:
        about["vocabulary"] = list(data.vocabulary)
    resize = {"resize": dataclasses.asdict(data.resize)} if data.resize else {}
    return {**about, "class_names": list(data.class_names), **counts, **resize, "described": datasets.describe(data)}


def machine() -> str:
    """The class of machine: processor and cores."""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return f"{found[1]}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Of what decides the results."""
    backend = keras.backend.backend()
    theirs = __import__(backend).__version__
    return {"keras_snnkd": __version__, "keras": keras.__version__, backend: theirs, "python": platform.python_version()}
