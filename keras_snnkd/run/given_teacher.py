"""A teacher that is trained already: read from its file, and made to fit the data."""

from pathlib import Path
from typing import Any

import keras

from keras_snnkd import data as datasets
from keras_snnkd import models
from keras_snnkd.distill import teachers
from keras_snnkd.distill.samples import samples_of_data
from keras_snnkd.errors import KDError
from keras_snnkd.run.finished.card import read_card
from keras_snnkd.run.recipes.recipe import Recipe, is_file


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
    scale = recipe.teacher_scale if trained_on is None else None  # one with our card was trained on this data
    samples = samples_of_data(data)
    found = teachers.adapted(models.load(file), recipe.teacher_outputs, scale, data.image_shape, samples, data.num_classes)
    for change in found.changes:
        console.print(f"teacher {file}: {change}", highlight=False, markup=False, soft_wrap=True)
    teachers.judge(str(file), found, samples)
    found.model.name = name
    return found.model


def size_for(teacher: Any) -> str | None:
    """The size of the pictures that a teacher's file takes, as `Recipe.resize` has it; `None` if the teacher is no file or takes any."""
    shape = teachers.taken_shape(models.load(teacher)) if is_file(teacher) else None
    if shape is None or len(shape) != 3 or None in shape:
        return None
    return f"{shape[1]}x{shape[0]}"
