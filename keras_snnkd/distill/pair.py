"""Whether two models can be teacher and student."""

import math
import warnings
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.distill.taps import OUTPUT, TapModel
from keras_snnkd.errors import ShapeError


def check_pair(student_taps: TapModel, teacher_taps: TapModel, other_inputs: bool = False) -> None:
    """Refuse a teacher that is the student, knows other classes, or takes other inputs; warn of one that is not larger.

    Raises:
        ShapeError, ValueError: For such a teacher.
    """
    student, teacher = student_taps.model, teacher_taps.model
    if teacher is student:
        raise ValueError("teacher and student are the same model; the student's training would change the teacher. Load or clone it")
    gives = [tuple(taps.shapes[OUTPUT][1:]) for taps in (teacher_taps, student_taps)]
    if gives[0] != gives[1]:
        if len(gives[0]) == len(gives[1]) == 1:
            raise ShapeError(f"the teacher {teacher.name} has {gives[0][0]} classes and the student {student.name} has {gives[1][0]}")
        flat = math.prod(gives[0]) == math.prod(gives[1]) and "; put keras.layers.Flatten() behind the teacher"
        raise ShapeError(f"the teacher {teacher.name} gives {gives[0]} and the student {student.name} {gives[1]}{flat or ''}")
    takes = [_of_one(taps.input_shape) for taps in (teacher_taps, student_taps)]
    if student_taps.named:
        _check_named(student_taps.named_shapes, teacher_taps.named_shapes)
    elif takes[0] != takes[1] and not other_inputs:
        raise ShapeError(
            f"the teacher {teacher.name} takes inputs {takes[0]} and the student {student.name} {takes[1]}; of the student's images make "
            f"the teacher's by kd.adapt_teacher(teacher, image_shape={takes[1]}); if it sees another input, "
            'give inputs="named", and batches of inputs by the names of the input layers, or inputs="own", and batches '
            '{"inputs": ..., "teacher_inputs": ...}'
        )
    larger = student.count_params() >= teacher.count_params()
    if larger and not is_itself(student, teacher) and not is_twin(student, teacher):
        warnings.warn(
            f"the student {student.name} ({student.count_params():,} parameters) is not smaller than its teacher {teacher.name} "
            f"({teacher.count_params():,})",
            stacklevel=5,  # of who made the distiller
        )


def _check_named(student: dict[str, Any], teacher: dict[str, Any]) -> None:
    """Raise a `ShapeError` for an input of one name and two shapes."""
    for name in student.keys() & teacher.keys():
        if student[name] != teacher[name]:
            raise ShapeError(f"the input {name!r} is {teacher[name]} for the teacher and {student[name]} for the student")


def _of_one(shape: Any) -> Any:
    """The shape of one input, without the batch; of several inputs, a list."""
    return [tuple(each[1:]) for each in shape] if shape and isinstance(shape[0], tuple) else tuple(shape[1:])


def is_twin(student: keras.Model, teacher: keras.Model) -> bool:
    """Whether a teacher is as large as a spiking student and has no neurons: its ANN twin, for all that is seen from outside."""
    spiking = [any(graphs.fires(layer) for layer in model.layers) for model in (student, teacher)]
    return student.count_params() == teacher.count_params() and spiking == [True, False]


def is_itself(student: keras.Model, teacher: keras.Model) -> bool:
    """Whether a teacher is the student, run for another T: it has the very weights."""
    return {id(weight) for weight in student.weights} == {id(weight) for weight in teacher.weights}
