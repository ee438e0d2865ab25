"""Series through the whole run: defaults, teachers of other kinds, what does not fit."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.cli.options import parser
from keras_snnkd.errors import ShapeError
from keras_snnkd.run.experiment import Experiment
from keras_snnkd.run.finished import inspection
from keras_snnkd.run.finished.evaluation import _as_picture, describe_data, measure
from tests.sampling import sampled


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
    options = parser().parse_args(["--mode", "evaluate"])
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


@pytest.mark.merge
@pytest.mark.parametrize("layer", sampled([keras.layers.GRU, keras.layers.LSTM], keras.layers.GRU))
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


EVENTS = {"student": "convnet:4,pool", "teacher": "convnet:6,pool", "timesteps": 2, "epochs": 1, "teacher_epochs": 1, "neuron": "if"}


def stages(tmp_path, **more):
    """The stages of a run on simulated events of eight frames, in order, and their models before training."""
    events = kd.data.simulate_events(kd.data.load("digits", batch_size=32, limit=60), frames=8)
    experiment = Experiment(kd.Recipe(**{**EVENTS, **more}), tmp_path / "run", data=events)
    return experiment.plan.stages(), experiment.check()


def test_hsd_from_end_to_end_converts_an_ann_on_more_frames(tmp_path):
    found, checked = stages(tmp_path, objectives=["hsd_complete"])
    assert [stage.name for stage in found] == ["teacher", "student_alone", "student_ann", "student_distilled"]
    ann, distilled = checked["student_ann"].student, checked["student_distilled"]
    assert isinstance(ann.get_layer("block1_neuron"), kd.layers.ClipFloor)
    assert [model.get_layer("frames").timesteps for model in (distilled.teacher, ann, distilled.student)] == [4, 4, 2]
    assert found[-1].transfer is kd.models.convert_weights


@pytest.mark.slow
def test_hsd_of_series_has_an_ann_on_more_steps_too(tmp_path):
    recipe = kd.Recipe(dataset="japanese_vowels", objectives=["hsd_complete"], student="sequence:8", neuron="if", limit=40)
    checked = Experiment(recipe, tmp_path / "run").check()
    assert [frames_of(checked[name]) for name in ("student_alone", "student_ann", "student_distilled")] == [14, 28, 14]
    student = {"builder": "SequenceNet", "widths": [8], "frames": 25}
    checked = Experiment(dataclasses.replace(recipe, student=student), tmp_path / "run").check()
    assert [frames_of(checked[name]) for name in ("student_ann", "student_distilled")] == [29, 25]  # no more than there are


def test_razor_trains_a_gate_and_then_the_network_of_the_frames_it_kept(tmp_path):
    found, checked = stages(tmp_path, objectives=["razor"], timesteps=4)
    assert [stage.name for stage in found] == ["teacher", "student_alone", "student_gated", "student_distilled"]
    assert isinstance(checked["student_gated"].student.get_layer("gate"), kd.layers.FrameGate)
    assert isinstance(checked["student_distilled"].student.get_layer("gate"), kd.layers.KeptFrames)
    assert found[-1].start_from == "student_gated"


def test_long_to_short_goes_down_in_stages_each_taught_by_the_one_before(tmp_path):
    found, checked = stages(tmp_path, objectives=["long_to_short"], teacher=None)
    assert [stage.name for stage in found] == ["student_alone", "student_x4", "student_x2", "student_distilled"]
    assert [(stage.teacher, stage.start_from) for stage in found[2:]] == [("student_x4", "student_x4"), ("student_x2", "student_x2")]
    steps = [checked[stage.name].student.get_layer("frames").timesteps for stage in found]
    assert steps == [2, 8, 4, 2]


def test_the_last_student_of_long_to_short_stays_within_its_budget(tmp_path):
    found, _ = stages(tmp_path, objectives=["long_to_short"], teacher=None, max_spikes=0.05)
    budgeted = [stage.name for stage in found if any(entry["objective"] == "spike_budget" for entry in stage.objectives)]
    assert budgeted == ["student_distilled"]


def frames_of(stage):
    return stage.student.get_layer("frames").timesteps


def test_long_to_short_divides_the_steps_of_a_series(tmp_path):
    recipe = kd.Recipe(dataset="japanese_vowels", objectives=["long_to_short"], student="sequence:8", limit=40)
    checked = Experiment(recipe, tmp_path / "run").check()
    assert [frames_of(checked[name]) for name in ("student_alone", "student_x4", "student_x2", "student_distilled")] == [7, 28, 14, 7]
    student = {"builder": "SequenceNet", "widths": [8], "frames": 5}
    checked = Experiment(dataclasses.replace(recipe, student=student), tmp_path / "run").check()
    assert frames_of(checked["student_x4"]) == 20
    with pytest.raises(ValueError, match="take --mode distill"):
        kd.Recipe(mode="compare", objectives=["long_to_short"]).resolved()


def test_a_student_for_series_is_refused_for_images_and_for_events(tmp_path):
    with pytest.raises(ShapeError, match=r"holds images .* and SequenceNet takes series; take convnet:16,pool,32"):
        Experiment(kd.Recipe(dataset="digits", student="sequence:8", limit=40), tmp_path / "run").check()
    events = kd.data.simulate_events(kd.data.load("digits", batch_size=32, limit=60), frames=2)
    with pytest.raises(ShapeError, match=r"holds frames of events .* and SequenceNet takes series; take convnet:16,pool,32"):
        Experiment(kd.Recipe(student="sequence:8", teacher="mlp:8", timesteps=2), tmp_path / "run", data=events).check()
    assert not (tmp_path / "run").exists()


def test_a_student_of_whole_series_is_refused_for_padded_ones(tmp_path):
    student = {"builder": "SequenceNet", "widths": [8], "padded": False}
    with pytest.raises(ShapeError, match="fewer than T = 29 steps"):
        Experiment(kd.Recipe(dataset="japanese_vowels", student=student, limit=40), tmp_path / "run").check()


def _recurrent(layer):
    return lambda x: layer(6)(x)


def _convolutional(x):
    for dilation in (1, 2):
        x = keras.layers.Conv1D(6, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
    return keras.layers.GlobalAveragePooling1D()(x)


def _transformer(x):
    x = keras.layers.Dense(8)(x)
    x = keras.layers.LayerNormalization()(x + keras.layers.MultiHeadAttention(2, 4)(x, x))
    return keras.layers.GlobalAveragePooling1D()(x)


TEACHERS = {
    "gru": (_recurrent(keras.layers.GRU), False),
    "lstm": (_recurrent(keras.layers.LSTM), False),
    "tcn": (_convolutional, True),
    "transformer": (_transformer, False),
}


@pytest.mark.every(2)
@pytest.mark.parametrize("name", sampled(TEACHERS, "lstm", "tcn"))
def test_a_file_of_any_keras_network_teaches_a_series_and_its_operations_are_a_count_or_a_dash(name, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_snnkd.distill.teachers.judge", lambda *arguments: None)  # it is not trained here
    of_steps, counted = TEACHERS[name]
    series = keras.Input((29, 12))
    keras.Model(series, keras.layers.Dense(9)(of_steps(series)), name=name).save(tmp_path / f"{name}.keras")
    recipe = kd.Recipe(dataset="japanese_vowels", teacher=str(tmp_path / f"{name}.keras"), student="sequence:8", limit=60)
    experiment = Experiment(recipe, tmp_path / "run")
    distiller = experiment.check()["student_distilled"]
    assert distiller.teacher.output_shape == (None, 9)
    row, _ = measure(kd.models.load(tmp_path / f"{name}.keras"), experiment.data)
    assert (row["synaptic_operations"] is not None) == counted
    assert counted or "were not counted" in row["notes"][0]
