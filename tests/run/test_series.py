"""Series through the whole run: defaults, teachers of other kinds, what does not fit."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import cli
from keras_snnkd.errors import ShapeError
from keras_snnkd.run import inspection
from keras_snnkd.run.evaluation import _as_picture, describe_data
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


def people(path, steps=60):
    """A file of ten people's recordings, which says who is who: channel 0 is the person."""
    person = np.repeat(np.arange(1, 11), 4)
    values = np.concatenate([np.full((steps, 1), number, "float32") for number in person])
    np.savez(path, values=values, lengths=np.full(40, steps), labels=np.arange(40) % 2, subjects=person)
    return path


def test_windows_and_people_of_a_recipe_reach_the_data(tmp_path):
    file = str(people(tmp_path / "mine.npz"))
    data = Experiment(kd.Recipe(dataset=file, window=20, hop=20, fold=1), tmp_path / "run").data
    assert data.image_shape == (20, 1)
    assert len(data.test_arrays[1]) == 2 * 4 * 3
    assert set(np.unique(data.test_arrays[0])) == {7, 8}
    with pytest.raises(ValueError, match="hop"):
        kd.Recipe(dataset=file, hop=20).resolved()


def test_a_model_is_evaluated_on_people_that_it_has_not_seen(tmp_path):
    file = str(people(tmp_path / "mine.npz"))
    options = cli.parser().parse_args(["--mode", "evaluate"])
    card = {"dataset": {"source": file}, "training": {"recipe": {"window": 30, "fold": 2, "batch_size": 8, "augment": "none"}}}
    (tmp_path / "card.json").write_text("{}")
    data = inspection._data(options, tmp_path / "model.keras", card)
    assert set(np.unique(data.test_arrays[0])) == {5, 6}
    assert data.image_shape == (30, 1)
    options.fold = 0
    assert set(np.unique(inspection._data(options, tmp_path / "model.keras", card).test_arrays[0])) == {9, 10}


def test_events_get_networks_for_images_and_say_that_they_are_simulated(tmp_path):
    events = kd.data.simulate_events(kd.data.load("digits", batch_size=32, limit=60), frames=3)
    experiment = Experiment(kd.Recipe(student="convnet:4,pool", teacher="mlp:8", timesteps=3), tmp_path / "run", data=events)
    assert experiment.recipe.dataset == "digits_simulated_events"
    student = experiment.check()["student_distilled"].student
    assert student.input_shape == (None, 3, 8, 8, 2)
    assert student.get_layer("frames").timesteps == 3
    assert any("simulated" in line for line in describe_data(events)["described"])


def test_a_sample_of_any_kind_is_shown_as_a_picture():
    series, events = np.array([[1.0, 5.0], [3.0, 5.0]]), np.zeros((2, 1, 2, 2))
    events[:, 0, 0, 1], events[0, 0, 1, 0] = 1, 1
    np.testing.assert_allclose(_as_picture(series), [[0, 1], [0, 0]])
    np.testing.assert_allclose(_as_picture(events), [[1, 0.25]])


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
