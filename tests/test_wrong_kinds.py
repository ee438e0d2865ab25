"""A name in place of a model, a model in place of a function, one in place of a list: each is one error that says what was expected."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import InputError, KindError, ShapeError, UnknownNameError
from tests.distill import tiny

IMAGES, LABELS = np.zeros((20, 4, 4, 1), "float32"), np.arange(20) % 3


def chain(folder, **settings):
    return kd.Chain([kd.Stage("one", tiny.plain, epochs=1, **settings)], folder)


def data():
    return kd.data.load((np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), "uint8"), np.arange(60) % 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kd.Distiller("student.keras"), r"the student must be a built keras\.Model, .*; got 'student\.keras' \(str\)"),
        (lambda: kd.Distiller(None), r"the student must be .*; got None \(NoneType\)"),
        (lambda: kd.Distiller(tiny.plain), r"the student must be .*; of a function give what it returns; got <function plain"),
        (lambda: kd.Distiller(tiny.plain(), "digits_teacher", ["soft_targets"]), "the teacher must be a built keras.Model, such as"),
        (lambda: kd.Distiller(tiny.plain(), [tiny.plain(9)], ["soft_targets"]), r"the teacher must be .* \(list\)"),
        (lambda: kd.Distiller(tiny.plain(), tiny.plain(9), "soft_targets"), r"objectives must be a list, such as \['soft_targets'\]"),
        (lambda: kd.Distiller(tiny.plain(), tiny.plain(9), None), "objectives must be a list"),
        (lambda: kd.Distiller(tiny.plain(), tiny.plain(9), [kd.objectives.SoftTargets]), r"of the class write SoftTargets\(\)"),
        (lambda: kd.adapt_teacher("mine.keras"), "the teacher must be a built keras.Model"),
        (lambda: kd.TapModel(None), "the model must be a built keras.Model"),
        (lambda: kd.Stage("one", tiny.plain()), "the student of stage one must be a function that makes the model"),
        (lambda: kd.Chain(kd.Stage("one", tiny.plain), "run"), "the stages of a Chain must be a list of kd.Stage; got Stage"),
        (lambda: kd.Chain({"one": kd.Stage("one", tiny.plain)}, "run"), "the stages of a Chain must be a list of kd.Stage"),
        (lambda: kd.Chain([kd.Stage("one", tiny.plain)], None), "the folder of a Chain must be a path"),
        (
            lambda: kd.TeacherCache(tiny.plain(), "digits", ["logits"], "cache"),
            "the data of a TeacherCache must be",
        ),
        (lambda: kd.TeacherCache(tiny.plain(), data(), "logits", "cache"), "taps must be a list of names"),
        (lambda: kd.TeacherCache(tiny.plain(), data(), [3], "cache"), "a tap must be the name of a layer"),
        (lambda: kd.edge.Runner(tiny.plain()), r"the file of a Runner must be a path, as text or a pathlib\.Path; got <Functional"),
        (
            lambda: tiny.compiled(tiny.plain()).fit(data()),
            r"the data to fit must be .*fit\(data\.train, validation_data=",
        ),
        (lambda: tiny.compiled(tiny.plain()).fit("digits"), "the data to fit must be arrays"),
        (lambda: kd.adapt_teacher(tiny.plain(), image_shape=4), r"image_shape must be a shape \(H, W, C\)"),
        (lambda: kd.models.load(3), r"the file of a model must be a path, .* got 3 \(int\)"),
        (lambda: kd.export.latency(None), "the file to be timed must be a path"),
    ],
)
def test_an_argument_of_another_kind_is_one_error(call, message):
    with pytest.raises(KindError, match=message):
        call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": "0.1"}, "learning_rate must be greater than 0, got '0.1'"),
        ({"weight_decay": -1.0}, "weight_decay must be a number of at least 0, got -1.0"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
        ({"seed": "1"}, "seed must be a whole number from 0 to"),
    ],
)
def test_a_setting_of_another_kind_is_told_when_the_stage_is_made(settings, message):
    with pytest.raises(ValueError, match=message):
        kd.Stage("one", tiny.plain, **settings)
    with pytest.raises(ValueError, match="a stage's name is made of letters"):
        kd.Stage(3, tiny.plain)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (IMAGES * np.nan, LABELS, InputError, "the training inputs hold NaN or infinite values"),
        (IMAGES, np.where(LABELS, LABELS, np.nan), InputError, "the training labels hold NaN or infinite values"),
        (IMAGES, LABELS + 2**40, InputError, "the training labels are 1099511627776 to 1099511627778"),
        (IMAGES, LABELS - 1, ShapeError, r"stage one: the labels are -1 to 1, and its student gives scores of 3 classes; .* 0\.\.2"),
        (IMAGES, LABELS + 1, ShapeError, "the labels are 1 to 3"),
        (IMAGES, LABELS + 0.5, ShapeError, r"the labels are 0\.5 to 2\.5, .*task='regression'"),
        (IMAGES[:1], LABELS[:1], ShapeError, "got 1 samples; at least 2 are needed"),
        (IMAGES[:0], LABELS[:0], ShapeError, "got 0 samples"),
    ],
)
def test_arrays_that_no_student_could_learn_are_told_before_training(x, y, error, message, tmp_path):
    with pytest.raises(error, match=message):
        chain(tmp_path / "run").run((x, y))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS + 1, r"the labels are 1 to 3, and the student .* gives scores of 3 classes; expected 0\.\.2"),
        (LABELS[:7], "got 20 inputs and 7 labels"),
    ],
)
def test_labels_that_are_none_of_the_student_are_told_by_fit(labels, message):
    with pytest.raises(ShapeError, match=message):
        tiny.compiled(tiny.plain()).fit(IMAGES, labels, verbose=0)
    with pytest.raises(ShapeError, match="got 20 images and 7 labels"):
        kd.adapt_teacher(tiny.plain(), samples=(IMAGES, LABELS[:7]))


def test_an_argument_of_an_objective_is_no_setting_of_a_recipe_and_a_builder_has_widths():
    with pytest.raises(UnknownNameError, match=r"did you mean an objective's, such as .*'temperature': \.\.\.}"):
        kd.Recipe.from_dict({"temprature": 4})
    with pytest.raises(ValueError, match="the builder convnet needs its widths"):
        kd.models.specification("convnet")


def test_a_method_in_place_of_an_objective_is_told_how_its_objectives_are_had():
    with pytest.raises(UnknownNameError, match=r"'hinton' is a method, .* objectives=kd\.methods\.get\('hinton'\)\.objectives"):
        kd.Distiller(tiny.plain(), tiny.plain(9), ["hinton"])
    assert kd.Distiller(tiny.plain(), tiny.plain(9), kd.methods.get("hinton").objectives).objectives[0].name == "soft_targets"
