"""Whether distillation has something to give, said before it is paid for."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_snnkd import data as datasets
from keras_snnkd import graphs
from keras_snnkd.files.samples import rows
from keras_snnkd.training.compilation import outside_xla

LEAD = 3.0
"""Points on validation images; a teacher that is ahead by less has little to give."""

GAP = 1.0
"""Points between training and validation images; a student with less of a gap may fit its labels badly already."""

FAR = 10.0
"""Points by which a student that is behind its teacher even on its own training images has not learned them yet."""

ROOM = 3.0
"""Points from a student's training images to the teacher's validation images; one that is nearer has fitted what there is to fit."""

WAYS = (
    "a larger student (--student), a smaller weight of the teacher, few labels (--labels), or fewer spikes as the gain instead of accuracy"
)


def measured(
    teacher: keras.Model,
    alone: keras.Model,
    twin: keras.Model | None,
    data: datasets.Data,
    labels: float,
    given: bool = False,
    called: str = "the teacher",
) -> list[str]:
    """`outlook`, and `outlook_of_twin` where there is a twin, of trained models.

    Args:
        teacher: From images to logits.
        alone: The student that was trained alone.
        twin: Its ANN twin that learned from labels.
        data: Of the run. As many of its training images are looked at as there are validation images, spread over all, since one class
            may come after the other.
        labels: The share of training images whose labels are known; of these the student alone has learned.
        given: Whether the teacher was trained elsewhere, perhaps on what validates here.
        called: What the teacher is called, where there are several.
    """
    images, classes = data.labelled(labels).train_arrays
    shown = np.unique(np.linspace(0, len(classes) - 1, len(data.validation_arrays[1])).astype(int))
    training = dataclasses.replace(data, validation_arrays=(rows(images, shown), classes[shown])).validation
    of_teacher = _accuracy(teacher, data.validation)
    lines = outlook(of_teacher, _accuracy(alone, data.validation), _accuracy(alone, training), called)
    if given:
        lines[0] += "; if the teacher has learned these validation images, its lead on new ones is smaller"
    return lines if twin is None else [*lines, *outlook_of_twin(of_teacher, _accuracy(twin, data.validation), called)]


def _accuracy(model: keras.Model, batches: Any) -> float:
    """The share of right answers."""
    outside_xla(model)
    hits = [np.asarray(model.predict_on_batch(graphs.in_order(model, x))).argmax(-1) == np.asarray(y) for x, y in batches]
    return float(np.mean(np.concatenate(hits)))


def outlook(teacher: float, alone: float, alone_on_training: float, called: str = "the teacher") -> list[str]:
    """What the accuracies before distillation say, in lines; a warning begins with `warning:`.

    Args:
        teacher: Of the teacher on validation images, from 0 to 1.
        alone: Of the student alone on validation images.
        alone_on_training: Of the student alone on training images, not augmented.
        called: What the teacher is called.

    Example:
        >>> outlook(0.92, 0.89, 0.99)
    """
    lead, gap, room = 100 * (teacher - alone), 100 * (alone_on_training - alone), 100 * (teacher - alone_on_training)
    lines = [
        f"on validation images {called} has {100 * teacher:.1f} %, the student alone {100 * alone:.1f} %: a lead of {lead:.1f} points; "
        f"on training images the student alone has {100 * alone_on_training:.1f} %"
    ]
    if lead < LEAD:
        lines.append(f"warning: a teacher that is ahead by less than {LEAD:g} points has little to give. Try {WAYS}, or a better teacher")
    elif room >= FAR:
        lines.append(
            f"warning: even on its training images the student alone is {room:.1f} points behind the teacher: it has not learned them yet. "
            "Try more epochs (--epochs), another learning rate (--learning-rate), or a larger or deeper student (--student)"
        )
    elif gap < GAP and room >= ROOM:
        lines.append(
            f"warning: the student alone underfits: it is hardly better on its training images ({gap:+.1f} points), and soft targets "
            f"ask more of a network that cannot fit the labels. Try {WAYS}"
        )
    return lines


def outlook_of_twin(teacher: float, twin: float, called: str = "the teacher") -> list[str]:
    """The same where the student's ANN twin was trained by labels first: how much of the lead is not lost by spikes and time steps.

    Args:
        teacher: Accuracy of the teacher on validation images, from 0 to 1.
        twin: Of the twin.
        called: What the teacher is called.
    """
    lead = 100 * (teacher - twin)
    lines = [f"the student's ANN twin has {100 * twin:.1f} % there by labels alone: {called} is {lead:.1f} points ahead of it"]
    if lead < LEAD:
        lines.append(
            f"warning: the teacher is less than {LEAD:g} points ahead of the student's ANN twin: the rest of its lead is the price "
            "of spikes and time steps, which no teacher gives back. Try more time steps (--timesteps), a larger student (--student), or a "
            "better teacher"
        )
    return lines


def warnings_of(lines: Sequence[str]) -> list[str]:
    """The warnings among the lines, without the word."""
    return [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
