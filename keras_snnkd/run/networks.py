"""Networks for a data set: built from a specification, or taken from a user's own file."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import graphs, models
from keras_snnkd.data.series import statistics
from keras_snnkd.distill.taps import tap_names
from keras_snnkd.errors import ShapeError
from keras_snnkd.files.padding import lengths
from keras_snnkd.layers import in_units
from keras_snnkd.run.finished.evaluation import check_fits

READOUT = "readout"
"""The tap at which students and teachers of numbers have them in deviations of the labels."""

READS = {"SequenceNet": "series", "SpikingTransformer": "sentences"}
"""What builders read that do not read images."""

USUAL = {"series": "sequence:64,64", "sentences": "transformer:32/1", "images": "convnet:16,pool,32"}
"""What to take instead of a network that reads something else."""


def build_for(data: datasets.Data, spec: dict[str, Any], name: str) -> keras.Model:
    """A new model for a data set. One for series takes the steps of the series for its own, and the scale of the training part.

    Raises:
        UnknownNameError, ShapeError, ValueError: If the specification does not fit; see `keras_snnkd.models.build`.
    """
    _check_kind(data, spec["builder"])
    if spec["builder"] != "SequenceNet":
        words = {"vocabulary": len(data.vocabulary)} if data.is_text else {}
        model = models.build(spec, data.image_shape, data.num_outputs, name=name, **words)
        return in_units(model, *units(data)) if data.gives_numbers else model
    spec = {setting: value for setting, value in spec.items() if setting != "timesteps"}
    padded = bool((lengths(data.train_arrays[0]) < data.image_shape[0]).any()) if data.is_series else False
    if padded and spec.get("padded") is False:
        raise ShapeError(
            f"{data.name} holds series of fewer than T = {data.image_shape[0]} steps, and the network {name} takes whole ones "
            "(padded=False); leave that out, or cut windows that all series fill (window, --window)"
        )
    model = models.build({"padded": padded, **spec}, data.image_shape, data.num_classes, name=name)
    model.get_layer("standardize").set_statistics(*statistics(data.train_arrays))
    return model


def _check_kind(data: datasets.Data, builder: str) -> None:
    """Raise a `ShapeError` for a network of data of another kind."""
    reads, kind = READS.get(builder, "images"), "images" if data.is_events else data.kind
    if reads != kind:
        raise ShapeError(f"{data.name} holds {data.kind} {data.image_shape}, and {builder} takes {reads}; take {USUAL[kind]}")
    if data.gives_numbers and (builder == "EncoderDecoder") != (data.train_arrays[1].ndim > 2):
        instead = "maps:8,16,32" if builder != "EncoderDecoder" else "convnet:16,pool,32"
        raise ShapeError(f"{data.name} has {data.labels_told} to learn, which {builder} does not give; take {instead}")


def units(data: datasets.Data) -> tuple[list[float], list[float]]:
    """The deviation and the mean of the training labels, one for each of their numbers."""
    labels = data.train_arrays[1].reshape(-1, data.num_outputs).astype("float64")
    return labels.std(axis=0).tolist(), labels.mean(axis=0).tolist()


def own_network(file: str, data: datasets.Data, name: str) -> keras.Model:
    """The network of a `.keras` file for a data set, with the weights that are in it.

    Of numbers it learns them in deviations of the training labels, at the tap `readout`, unless it says that it gives them in their unit.

    Args:
        file: Its path.
        data: The data set.
        name: Of the model.

    Raises:
        FileFormatError: If it cannot be read; see `keras_snnkd.models.load`.
        ShapeError: If it does not fit the data.
    """
    model = models.load(file)
    check_fits(model, data, f"the network {file}")
    model = graphs.sized(model, data.image_shape)
    if data.gives_numbers and not graphs.gives_numbers(model):
        last = model.outputs[0]
        if READOUT not in tap_names(model):
            last = keras.layers.Identity(name=READOUT)(last)
        model = in_units(keras.Model(graphs.inputs_of(model), last, name=name), *units(data))
    model.name = name
    return model


@contextlib.contextmanager
def in_policy(precision: str) -> Iterator[None]:
    """Keras' dtype policy for the models made in the block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
