"""Fine-tuning for integers: the student trained once more as the network that its 8-bit file will compute."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd.compress import is_pruned, keep_zeros
from keras_snnkd.distill.chain import Chain, StageResult
from keras_snnkd.distill.stage import Stage
from keras_snnkd.files.samples import Samples, of_each
from keras_snnkd.models import quantize_aware
from keras_snnkd.weights.transfer import fingerprint

CALIBRATION_IMAGES = 256
"""Training images on which the ranges of an 8-bit network are found."""

SOFT_TARGETS: dict[str, Any] = {"objective": "soft_targets", "temperature": 2.0, "weight": 1.0}


def calibration_images(data: Any, count: int = CALIBRATION_IMAGES) -> Samples:
    """Training images, spread over the set, as a network sees them: float32 `[count, H, W, C]`, or a mapping of several inputs.

    Args:
        data: As `keras_snnkd.data.load` returns it.
        count: How many; fewer if there are fewer.

    Example:
        >>> kd.export.litert(student, "student.tflite", "int8", samples=images, calibration=calibration_images(data))
    """
    total = len(data.train_arrays[1])
    return of_each(np.asarray, data.view(0, np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))))


def int8_stage(
    name: str,
    student: str | keras.Model,
    images: np.ndarray,
    *,
    teacher: str | keras.Model | None = None,
    objectives: Sequence[Any] = (SOFT_TARGETS,),
    epochs: int = 3,
    learning_rate: float = 5e-4,
    **settings: Any,
) -> Stage:
    """A stage of a chain that makes a trained student ready for 8-bit integers: `quantize_aware`, taught by its float self.

    Args:
        name: Of the stage.
        student: The trained student: an earlier stage's name, or a model.
        images: Training images to find the ranges on, float `[N, ...]`; see `calibration_images`.
        teacher: An earlier stage's name, or a model; the student itself, in float, by default.
        objectives: See `Stage`.
        epochs: Passes over the training data.
        learning_rate: At the start.
        **settings: More of `Stage`.

    Returns:
        The stage. Its model is to be exported by `keras_snnkd.export.litert(..., quantize="int8")`.

    Example:
        >>> stages = [kd.Stage("student", make), int8_stage("student_int8", "student", calibration_images(data))]
        >>> kd.Chain(stages, "runs/int8").run(data)["student_int8"].model
    """
    return Stage(
        name,
        functools.partial(_integers, images=images),
        teacher=student if teacher is None else teacher,
        objectives=objectives,
        epochs=epochs,
        learning_rate=learning_rate,
        start_from=student,
        transfer=None,
        **settings,
    )


def _integers(student: keras.Model, images: Any) -> keras.Model:
    """A student as the network of its 8-bit file, in which weights that were pruned stay 0."""
    made = quantize_aware(student, images)
    if is_pruned(student):
        keep_zeros(made)
    return made


def finetune_int8(
    student: keras.Model,
    data: Any,
    folder: str | Path,
    epochs: int = 3,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> keras.Model:
    """Train a finished student as the network that its 8-bit file will compute, taught by its float self.

    Args:
        student: The trained student. It is not changed.
        data: As `keras_snnkd.data.load` returns it.
        folder: For the stage's files; goes on where an interrupted call with the same student, data and settings stopped.
        epochs: Passes over the training data.
        callbacks: More Keras callbacks.
        **settings: More of `int8_stage`, such as `teacher` or `learning_rate`.

    Returns:
        The quantization-aware model, with the weights of the best validation epoch.

    Raises:
        KDError: If the folder holds a stage of another student, of other data or settings.

    Example:
        >>> student_int8 = finetune_int8(student, data, "runs/int8")
        >>> kd.export.litert(student_int8, "student_int8.tflite", quantize="int8", samples=images)
    """
    return finetuned_int8(student, data, folder, epochs, callbacks=callbacks, **settings).model


def finetuned_int8(
    student: keras.Model,
    data: Any,
    folder: str | Path,
    epochs: int = 3,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> StageResult:
    """As `finetune_int8`, with how the model came about."""
    name = f"{student.name}_int8"
    taught_by = settings.get("teacher") or student
    origin = {"student": fingerprint(student), "teacher": fingerprint(taught_by), "data": data.fingerprint, **settings.pop("settings", {})}
    stage = int8_stage(name, student, calibration_images(data), epochs=epochs, settings=origin, **settings)
    return Chain([stage], folder).run(data, resume=True, callbacks=lambda _: list(callbacks))[name]
