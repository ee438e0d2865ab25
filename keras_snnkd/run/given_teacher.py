"""A teacher that is trained already: read from its file, and made to fit the data."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import data as datasets
from keras_snnkd import graphs, models
from keras_snnkd.distill import teachers
from keras_snnkd.distill.samples import LOOKED_AT, Samples, samples_of_data
from keras_snnkd.distill.taps import tap_names
from keras_snnkd.errors import KDError
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers import in_units
from keras_snnkd.run.finished.card import read_card
from keras_snnkd.run.networks import READOUT, units
from keras_snnkd.run.recipes.recipe import Recipe, is_file

LOST = 0.1
"""Share of right answers; a teacher that loses more of it by augmentation was trained without that."""

NO_SPIKES = "it has no spiking neurons, so that its student learns from its logits and from no spike trains; --objective gives others"
"""Said of a user's own ANN, without a word from the user on how it teaches."""


def load_teacher(file: Path, data: datasets.Data, recipe: Recipe, console: Any, name: str = "teacher") -> keras.Model:
    """A trained teacher from its file, as a model from the data's images to logits (see `keras_snnkd.adapt_teacher`).

    Raises:
        KDError: If the card beside it names another data set than `data`, or the teacher knows no more of the data than guessing does.
        FileFormatError: If it cannot be read; see `keras_snnkd.models.load`.
    """
    trained_on = ((read_card(file) or {}).get("dataset") or {}).get("name")
    if trained_on not in (None, data.name):
        raise KDError(
            f"the teacher {file} was trained on {trained_on}, and the students on {data.name}; give a teacher of {data.name}, or train one "
            "(--teacher train)"
        )
    if data.is_text:
        _check_vocabulary(file, data)
    ours = trained_on is not None or data.is_text  # one with our card was trained on this data, and token ids have no scale
    scale = None if ours and not data.is_named else recipe.teacher_scale
    outputs = "numbers" if data.gives_numbers and recipe.teacher_outputs == "auto" else recipe.teacher_outputs
    samples = samples_of_data(data)
    found = teachers.adapted(models.load(file), outputs, scale, data.image_shape, samples, data.num_outputs)
    unasked = recipe.teacher_neuron == "relu" and is_file(recipe.teacher)
    changes = [*found.changes, *([NO_SPIKES] if unasked and not _spikes(found.model) else [])]
    for change in changes:
        console.print(f"teacher {file}: {change}", highlight=False, markup=False, soft_wrap=True)
    teachers.judge(str(file), found, samples)
    model = _in_deviations(found.model, data) if data.gives_numbers else found.model
    model.name = name
    return model


def lost_by_augmentation(teacher: keras.Model, data: datasets.Data) -> str:
    """What there is to say of a teacher that is wrong about augmented images; nothing of one that bears them.

    At most 256 training images are looked at, as they are and in their first view. A teacher that was trained without the augmentation is
    often wrong about it, and a student learns its mistakes.

    Args:
        teacher: From the data's images to logits or numbers.
        data: Of the run.
    """
    labels = data.train_arrays[1]
    chosen = np.unique(np.linspace(0, len(labels) - 1, LOOKED_AT).astype(int))

    def fit(augment: str) -> float | None:
        shown = np.asarray(dataclasses.replace(data, augment=augment, mixup=0.0).view(0, chosen))
        return Samples(shown, labels[chosen]).fit(teachers.predict(teacher, shown))

    clean, changed = fit("none"), fit(data.augment)
    if clean is None or changed is None or clean - changed < LOST:
        return ""
    return (
        f"the teacher is right on {clean:.1%} of {len(chosen)} training images as they are, and on {changed:.1%} as {data.augment} changes "
        "them: it was trained without that, and a student would learn its mistakes"
    )


def _spikes(teacher: keras.Model) -> bool:
    return any(graphs.fires(layer) for layer in all_layers(teacher))


def _check_vocabulary(file: Path, data: datasets.Data) -> None:
    """Raise a `KDError` for a teacher that has learned other token ids than those of the data."""
    told = ((read_card(file) or {}).get("dataset") or {}).get("vocabulary")
    table = next((layer for layer in all_layers(models.load(file)) if isinstance(layer, keras.layers.Embedding)), None)
    if (told is not None and list(told) != list(data.vocabulary)) or (table is not None and table.input_dim != len(data.vocabulary)):
        size = len(told or ()) if table is None else table.input_dim
        raise KDError(
            f"the teacher {file} has learned {size:,} token ids, and these are not the {len(data.vocabulary):,} of {data.name}; train it "
            "on the same sentences with the same --vocabulary, --tokens and --limit, or train one here (--teacher train)"
        )


def _in_deviations(model: keras.Model, data: datasets.Data) -> keras.Model:
    """A teacher of numbers that gives them in deviations of the labels at its tap `readout`, as students do; itself, if it does."""
    if READOUT in tap_names(model):
        return model
    deviation, mean = units(data)
    scale, offset = [1 / one for one in deviation], [-low / one for low, one in zip(mean, deviation, strict=True)]
    readout = keras.layers.Rescaling(scale, offset, dtype="float32", name=READOUT)(model.outputs[0])
    return in_units(keras.Model(graphs.inputs_of(model), readout, name=model.name), deviation, mean)


def size_for(teacher: Any) -> str | None:
    """The size of the pictures that a teacher's file takes, as `Recipe.resize` has it; `None` if the teacher is no file or takes any."""
    shape = teachers.taken_shape(models.load(teacher)) if is_file(teacher) else None
    if shape is None or len(shape) != 3 or None in shape:
        return None
    return f"{shape[1]}x{shape[0]}"
