"""Teachers that know nothing are stopped before a student learns from them, and leave no half-made run."""

import keras
import numpy as np
import pytest

from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.stage import Stage
from keras_snnkd.distill.teachers import TeacherError, judge_trained
from tests.distill.chain_cases import DATA, network, run

RNG = np.random.default_rng(0)
IMAGES = RNG.random((320, 8, 8, 1), dtype="float32")
LABELS = np.arange(320) % 2  # which the images say nothing of


class Names(keras.callbacks.Callback):
    """Tells which stages train."""

    def __init__(self, name, told):
        super().__init__()
        self.name, self.told = name, told

    def on_train_begin(self, logs=None):
        self.told.append(self.name)


def two_stages(**student):
    return [
        Stage("teacher", network(6, neuron="relu", name="taught_nothing"), epochs=1),
        Stage("student", network(4), teacher="teacher", objectives=["soft_targets"], epochs=1, **student),
    ]


def halves(labels=LABELS):
    """Ten numbers of classes, of which two occur."""
    return (IMAGES[:200], labels[:200]), (IMAGES[200:], labels[200:])


def test_a_teacher_that_its_training_taught_nothing_is_stopped_before_its_student(tmp_path):
    told = []
    for resume in (False, True):
        message = r"the teacher taught_nothing is right on \d+\.\d% of 120 samples, and guessing .* on 50\.0%: it has nothing"
        with pytest.raises(TeacherError, match=message) as error:
            Chain(two_stages(), tmp_path / "run").run(halves(), resume, callbacks=lambda stage: [Names(stage.name, told)])
        assert "--teacher-epochs" in str(error.value)
    assert told == ["teacher"]
    assert not (tmp_path / "run" / "student").exists()


@pytest.mark.slow
def test_where_others_go_on_its_students_are_left_out(tmp_path):
    problems = {}
    stages = [*two_stages(), Stage("alone", network(4), epochs=1)]
    results = Chain(stages, tmp_path).run(halves(), failed=lambda stage, error: problems.update({stage.name: str(error)}))
    assert list(results) == ["alone"]
    assert list(problems) == ["teacher", "student"]
    assert "the stage teacher that it needs has failed" in problems["student"]


@pytest.mark.parametrize(("right", "stopped"), [(50, True), (60, True), (64, False), (100, False)])
def test_how_often_a_trained_teacher_has_to_be_right(right, stopped):
    """Of 100 images of two classes more than 50 + 2.33 * 5 = 61.65."""
    labels = np.arange(100) % 2
    answers = np.where(np.arange(100) < right, labels, 1 - labels)
    image = keras.Input((2,))
    teacher = keras.Model(image, keras.layers.Activation("linear")(image), name="known")
    pairs = (np.eye(2, dtype="float32")[answers], labels)
    if stopped:
        with pytest.raises(TeacherError, match=f"{right}.0% of 100 samples"):
            judge_trained(teacher, pairs)
    else:
        judge_trained(teacher, pairs)
    judge_trained(teacher, tuple(part[:29] for part in pairs))  # too few to judge by


def test_a_given_teacher_that_guesses_leaves_nothing_and_the_folder_can_be_used(tmp_path):
    teacher = network(9, neuron="relu")()
    stage = Stage("student", network(4), teacher=teacher, objectives=["soft_targets"], epochs=1)
    with pytest.raises(TeacherError, match="nothing to teach"):
        run([stage], tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_given_teacher_that_guesses_is_told_once_where_others_go_on(tmp_path):
    teacher, problems = network(9, neuron="relu")(), []
    stages = [
        Stage("taught", network(4), teacher=teacher, objectives=["soft_targets"], epochs=1),
        Stage("alone", network(4), epochs=1),
    ]
    results = Chain(stages, tmp_path).run(DATA, failed=lambda stage, error: problems.append((stage.name, type(error))))
    assert (list(results), problems) == (["alone"], [("taught", TeacherError)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the student .* is not smaller")
def test_a_student_that_has_learned_little_may_teach_its_other_form(tmp_path):
    """As fine-tuning for integers has it: the training before it is not thrown away by a verdict on its model."""
    student = network(6, neuron="relu")()
    stage = Stage(
        "other",
        network(6, neuron="relu", name="other"),
        teacher=student,
        start_from=student,
        objectives=["soft_targets"],
        epochs=1,
    )
    assert Chain([stage], tmp_path).run(DATA)["other"].record["best_epoch"] == 1
