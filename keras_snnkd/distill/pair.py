"""Whether two models can be teacher and student."""

import warnings

import keras

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
    classes = [taps.shapes[OUTPUT][-1] for taps in (teacher_taps, student_taps)]
    if classes[0] != classes[1]:
        raise ShapeError(f"the teacher {teacher.name} has {classes[0]} classes and the student {student.name} has {classes[1]}")
    inputs = [tuple(taps.input_shape[1:]) for taps in (teacher_taps, student_taps)]
    if inputs[0] != inputs[1] and not other_inputs:
        raise ShapeError(
            f"the teacher {teacher.name} takes inputs {inputs[0]} and the student {student.name} {inputs[1]}; if it sees another input, "
            "give teacher_inputs=True, and batches that bring both"
        )
    if student.count_params() >= teacher.count_params() and not is_itself(student, teacher):
        warnings.warn(
            f"the student {student.name} ({student.count_params():,} parameters) is not smaller than its teacher {teacher.name} "
            f"({teacher.count_params():,})",
            stacklevel=5,  # of who made the distiller
        )


def is_itself(student: keras.Model, teacher: keras.Model) -> bool:
    """Whether a teacher is the student, run for another T: it has the very weights."""
    return {id(weight) for weight in student.weights} == {id(weight) for weight in teacher.weights}
