"""What is said before distillation is paid for."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.run.watching.outlook import measured, outlook, outlook_of_twin, warnings_of


def test_a_good_outlook_is_one_line_without_a_warning():
    (line,) = outlook(teacher=0.94, alone=0.90, alone_on_training=0.95)
    assert "the teacher has 94.0 %, the student alone 90.0 %: a lead of 4.0 points" in line
    assert "on training images the student alone has 95.0 %" in line


def test_a_small_lead_is_told_with_what_to_do():
    lines = outlook(teacher=0.92, alone=0.90, alone_on_training=0.95)
    (warning,) = warnings_of(lines)
    assert warning.startswith("a teacher that is ahead by less than 3 points has little to give")
    for way in ("--student", "weight", "--labels", "fewer spikes"):
        assert way in warning


def test_a_student_that_underfits_is_told():
    (warning,) = warnings_of(outlook(teacher=0.95, alone=0.906, alone_on_training=0.911))
    assert warning.startswith("the student alone underfits: it is hardly better on its training images (+0.5 points)")


def test_a_student_that_has_not_learned_its_training_images_is_told_what_helps():
    (warning,) = warnings_of(outlook(teacher=1.0, alone=0.62, alone_on_training=0.756))
    assert warning.startswith("even on its training images the student alone is 24.4 points behind the teacher")
    for way in ("--epochs", "--learning-rate", "deeper student"):
        assert way in warning


def test_where_the_teacher_is_hardly_ahead_nothing_else_is_said():
    (warning,) = warnings_of(outlook(teacher=1.0, alone=0.988, alone_on_training=0.969))
    assert warning.startswith("a teacher that is ahead by less than 3 points")


def test_the_lead_over_the_twin_is_what_a_teacher_can_give():
    assert outlook_of_twin(teacher=0.95, twin=0.90) == [
        "the student's ANN twin has 90.0 % there by labels alone: the teacher is 5.0 points ahead of it"
    ]
    (warning,) = warnings_of(outlook_of_twin(teacher=0.95, twin=0.94))
    assert warning.startswith("the teacher is less than 3 points ahead of the student's ANN twin")
    assert "--timesteps" in warning


@pytest.mark.parametrize(("teacher", "alone", "alone_on_training"), [(0.998, 0.985, 0.985), (0.995, 0.99, 0.988), (0.90, 0.89, 0.891)])
def test_a_student_that_fits_its_training_images_as_well_as_the_teacher_does_not_underfit(teacher, alone, alone_on_training):
    assert not [said for said in warnings_of(outlook(teacher, alone, alone_on_training)) if "underfits" in said]


def test_training_images_of_all_classes_are_looked_at_also_where_they_stand_in_order():
    labels = np.repeat([0, 1], 60)
    images = np.zeros((120, 4, 4, 1), "uint8")
    data = dataclasses.replace(
        kd.data.load((images, labels), batch_size=20), train_arrays=(images, labels), validation_arrays=(images[50:70], labels[50:70])
    )
    image = keras.Input((4, 4, 1))
    second = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    second.layers[-1].set_weights([np.zeros((16, 2)), np.array([0.0, 1.0])])  # answers the second class always
    line = measured(second, second, None, data, 1.0)[0]
    assert "the teacher has 50.0 %, the student alone 50.0 %" in line
    assert "on training images the student alone has 50.0 %" in line
    assert "its lead on new ones is smaller" not in line
    assert "its lead on new ones is smaller" in measured(second, second, None, data, 1.0, given=True)[0]
