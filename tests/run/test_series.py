"""Series through the whole run: defaults, teachers of other kinds, what does not fit."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ShapeError
from keras_snnkd.run.experiment import Experiment


def test_japanese_vowels_have_defaults_of_their_own():
    recipe = kd.Recipe(dataset="japanese_vowels").resolved()
    assert (recipe.teacher, recipe.student) == ("japanese_vowels_teacher", "japanese_vowels_student")
    assert [objective["student_tap"] for objective in recipe.objectives] == ["output"]  # which leaves the padding out


def test_everything_of_a_run_is_built_before_training(tmp_path):
    distillers = Experiment(kd.Recipe(dataset="japanese_vowels", limit=40), tmp_path / "run").check()
    student = distillers["student_distilled"].student
    assert student.get_layer("standardize").padded
    assert np.ptp(student.get_layer("standardize").mean) > 0
    assert student.input_shape == (None, 29, 12)


def test_own_series_get_networks_for_series(tmp_path):
    random = np.random.default_rng(0)
    values, labels = random.normal(size=(60, 10, 2)), np.arange(60) % 2
    np.savez(tmp_path / "mine.npz", values=values, labels=labels, groups=np.repeat(np.arange(6), 10))
    experiment = Experiment(kd.Recipe(dataset=str(tmp_path / "mine.npz")), tmp_path / "run")
    assert experiment.recipe.student["builder"] == "SequenceNet"
    assert not experiment.check()["student_distilled"].student.get_layer("standardize").padded


def test_a_student_for_images_is_refused_before_training(tmp_path):
    recipe = kd.Recipe(dataset="japanese_vowels", student="convnet:8")
    with pytest.raises(ShapeError, match="holds series"):
        Experiment(recipe, tmp_path / "run").check()


@pytest.mark.parametrize("layer", [keras.layers.GRU, keras.layers.LSTM])
def test_a_recurrent_keras_network_teaches(layer):
    vowels = kd.data.load("japanese_vowels", batch_size=16)
    inputs = keras.Input(vowels.image_shape)
    teacher = keras.Model(inputs, keras.layers.Dense(9)(layer(8)(keras.layers.Masking()(inputs))))
    student = kd.models.SequenceNet(vowels.image_shape, 9, widths=(8,), neuron="rlif")
    taps = {"teacher_tap": "output", "student_tap": "output"}
    distiller = kd.Distiller(student, teacher, [kd.objectives.SoftTargets(**taps)])
    distiller.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    history = distiller.fit(vowels.training(), steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["soft_targets"][0])
    assert all(np.isfinite(weight).all() for weight in student.get_weights())
