from pathlib import Path

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import KDError
from keras_snnkd.export import LiteRT, litert
from keras_snnkd.run.compressing.finetuning import calibration_images, finetune_int8, int8_stage

STUDENT = Path(__file__).parents[3] / "saved_models" / "digits_student" / "model.keras"


@pytest.fixture(scope="module")
def data():
    return kd.data.load("digits", batch_size=64)


@pytest.mark.slow
def test_the_file_of_integers_loses_at_most_half_a_point_on_the_test_set(data, tmp_path):
    student = kd.models.load(STUDENT)
    before = student.get_weights()
    aware = finetune_int8(student, data, tmp_path / "run", epochs=2)
    images, labels = data.sample(len(data.test_arrays[0]))
    report = litert(aware, tmp_path / "student.tflite", "int8", samples=images)
    accuracy = np.mean(student.predict(images, verbose=0).argmax(-1) == labels)
    assert np.mean(LiteRT(tmp_path / "student.tflite").predict(images).argmax(-1) == labels) >= accuracy - 0.005
    assert report.agreement == 1.0
    for weight, old in zip(student.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_stage_makes_its_student_from_an_earlier_one_and_takes_that_for_its_teacher(data):
    def make():
        return kd.models.build("mlp:8", data.image_shape, data.num_classes, name="student")

    stages = [kd.Stage("student", make, epochs=1), int8_stage("student_int8", "student", calibration_images(data, 32), epochs=1)]
    distillers = kd.Chain(stages, "unused").check()
    assert kd.models.is_quantize_aware(distillers["student_int8"].student)
    assert distillers["student_int8"].teacher is distillers["student"].student
    assert stages[1].record()["start_from"] == "student"


@pytest.mark.slow
def test_a_folder_of_another_student_is_refused(tmp_path):
    data = kd.data.load("digits", limit=60, batch_size=20)
    first, second = (kd.models.build("mlp:4", data.image_shape, data.num_classes, name="student") for _ in range(2))
    tuned = finetune_int8(first, data, tmp_path, epochs=1)
    again = finetune_int8(first, data, tmp_path, epochs=1)
    assert all(np.array_equal(*pair) for pair in zip(tuned.get_weights(), again.get_weights(), strict=True))
    with pytest.raises(KDError, match=r"student_int8 was made with other settings: settings was .*student"):
        finetune_int8(second, data, tmp_path, epochs=1)


def test_calibration_images_are_spread_over_the_training_set_and_scaled(data):
    images = calibration_images(data, 10)
    assert images.shape == (10, *data.image_shape)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[-1] * 256, data.train_arrays[0][-1])
    assert len(calibration_images(data, 10**6)) == len(data.train_arrays[0])


def test_a_student_made_from_another_model_needs_that_model():
    with pytest.raises(ValueError, match="name that in start_from"):
        kd.Stage("student_int8", lambda source: source, transfer=None)
    with pytest.raises(ValueError, match="name that in start_from"):
        kd.Stage("student_int8", keras.models.clone_model, transfer=None)
