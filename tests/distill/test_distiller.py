"""The distiller: its loss is the sum it says, the student learns, the teacher stays."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.distill.objectives import FeatureMap, FiringRate, SoftTargets, SpikeTrain
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.distill.distiller_cases import plain_pair
from tests.sampling import sampled

every_teacher = pytest.mark.parametrize(
    ("teacher", "objectives"),
    [
        (lambda: tiny.snn(9, name="teacher"), ["soft_targets", {"objective": "spike_train", "window": 1}, "feature_map", "firing_rate"]),
        (lambda: tiny.snn(9, timesteps=4, name="teacher"), ["soft_targets", {"objective": "spike_train", "window": 2}, "feature_map"]),
        (lambda: tiny.ann(9), [{"objective": "soft_targets", "time": "per_step"}, "feature_map", "firing_rate"]),
    ],
    ids=["spiking", "other T", "ANN"],
)


@pytest.mark.every(3)
@every_teacher
def test_a_step_is_the_gradient_step_of_the_sum_of_losses(teacher, objectives):
    teacher, student, twin = teacher(), tiny.snn(), tiny.snn()
    twin.set_weights(student.get_weights())
    distiller = tiny.compiled(student, teacher, objectives, keras.optimizers.SGD(0.5), label_weight=0.7)
    for index, name in enumerate(distiller.objective_weights):
        distiller.set_weight(name, 2.0 + index)

    taps = keras.Model(twin.inputs[0], [twin.output, twin.get_layer("classifier").output, twin.get_layer("block1_neuron").output])
    hidden = keras.Model(teacher.inputs[0], [teacher.get_layer("classifier").output, teacher.get_layer("block1_neuron").output])
    taught = dict(zip(["logits", "neurons"], hidden(tiny.IMAGES), strict=True))
    with tf.GradientTape() as tape:
        output, *tapped = taps(tiny.IMAGES, training=True)
        student_taps = dict(zip(["logits", "neurons"], tapped, strict=True))
        label = tiny.crossentropy()(tiny.LABELS, output)
        parts = [o.compute_loss(taught[o.teacher_tap], student_taps[o.student_tap]) for o in distiller.objectives]
        total = 0.7 * label + sum((2.0 + index) * part for index, part in enumerate(parts))
    variables = [variable.value for variable in twin.trainable_variables]
    helpers = [helper.kernel.numpy() for helper in distiller.helpers]
    gradients = tape.gradient(total, variables)

    logs = tiny.fit(distiller, batch_size=12)
    assert min(map(float, parts)) > 0
    assert logs["loss"] == pytest.approx(float(total), rel=1e-4)
    for objective, part in zip(distiller.objectives, parts, strict=True):
        assert logs[objective.name] == pytest.approx(float(part), rel=1e-4)
    for ours, variable, gradient in zip(student.trainable_variables, variables, gradients, strict=True):
        np.testing.assert_allclose(ours.numpy(), variable.numpy() - 0.5 * gradient.numpy(), rtol=1e-4, atol=1e-5)
    assert helpers
    for helper, kernel in zip(distiller.helpers, helpers, strict=True):
        assert np.any(helper.kernel.numpy() != kernel)


@pytest.mark.every(3)
@every_teacher
def test_fit_leaves_the_teacher_as_it_was(teacher, objectives):
    teacher, student = teacher(), tiny.snn()
    before, student_before = tiny.values(teacher), tiny.values(student)
    tiny.fit(tiny.compiled(student, teacher, objectives), epochs=2)
    tiny.assert_equal_weights(teacher, before)
    assert all(np.any(old != new) for old, new in zip(student_before, tiny.values(student), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("tapped", [False, True], ids=["alone", "tapped"])
def test_with_nothing_to_distil_it_is_the_students_own_fit(tapped):
    """With taps too: one forward pass a step, so batch norm follows as it does without."""
    student, twin = (keras.Sequential([keras.Input((4, 4, 1)), *layers]) for layers in (random_layers(), random_layers()))
    twin.set_weights(student.get_weights())
    objectives = [FeatureMap("mean", teacher_tap="hidden", weight=0.0), SoftTargets(weight=0.0)] if tapped else []
    distiller = tiny.compiled(student, tiny.plain(9, "teacher") if tapped else None, objectives, "adam")
    twin.compile("adam", tiny.crossentropy(), jit_compile=False)
    ours, theirs = tiny.fit(distiller, epochs=3), tiny.fit(twin, epochs=3)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    tiny.assert_equal_weights(student, tiny.values(twin), rtol=1e-5, atol=1e-6)


def random_layers():
    return [
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5, seed=1),
        keras.layers.Dense(6, "relu", activity_regularizer="l2", kernel_regularizer="l2", name="hidden"),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.Dense(3),
    ]


@pytest.mark.slow
def test_it_can_be_what_a_spiking_student_learns_from_alone():
    """The label loss switched off, the student comes to fire as the teacher does."""
    teacher, student = tiny.snn(name="teacher", normalization="batch"), tiny.snn(5)
    distiller = tiny.compiled(student, teacher, [FiringRate("layer")], keras.optimizers.Adam(0.05), label_weight=0.0)
    first = tiny.fit(distiller, batch_size=12)
    last = tiny.fit(distiller, batch_size=12, epochs=30)
    assert last["firing_rate"] < first["firing_rate"] / 2
    assert last["loss"] == pytest.approx(last["firing_rate"], rel=1e-5)


@pytest.mark.slow
def test_evaluation_is_the_students_own():
    student, teacher = tiny.snn(), tiny.snn(9, name="teacher")
    distiller = tiny.compiled(student, teacher, ["soft_targets"], metrics=["accuracy"])
    logs = tiny.fit(distiller, validation_data=(tiny.IMAGES, tiny.LABELS))
    assert set(logs) == {"loss", "soft_targets", "accuracy", "val_loss", "val_accuracy"}
    student.compile("sgd", tiny.crossentropy(), metrics=["accuracy"])
    theirs = student.evaluate(tiny.IMAGES, tiny.LABELS, verbose=0, return_dict=True)
    assert distiller.evaluate(tiny.IMAGES, tiny.LABELS, verbose=0, return_dict=True) == pytest.approx(theirs, rel=1e-5)
    np.testing.assert_allclose(distiller.predict(tiny.IMAGES, verbose=0), student.predict(tiny.IMAGES, verbose=0), rtol=1e-5, atol=1e-6)


def test_objectives_of_one_kind_have_metrics_of_their_own():
    objectives = [SoftTargets(2.0), SoftTargets(8.0), FiringRate(name="rates"), FiringRate("layer")]
    logs = tiny.fit(tiny.compiled(tiny.snn(), tiny.snn(9, name="teacher"), objectives))
    assert set(logs) == {"loss", "soft_targets", "soft_targets_2", "rates", "firing_rate"}
    assert logs["soft_targets"] != logs["soft_targets_2"]


@pytest.mark.slow
def test_mixed_bfloat16_trains_close_to_float32():
    def logs():
        keras.utils.set_random_seed(0)
        student = tiny.snn()
        distiller = tiny.compiled(student, tiny.snn(9, name="teacher"), ["soft_targets", "feature_map"], keras.optimizers.SGD(0.1))
        before = tiny.values(student)
        logs = tiny.fit(distiller, batch_size=12)
        assert all(np.any(old != new) for old, new in zip(before, tiny.values(student), strict=True))
        return student, logs

    exact = logs()[1]
    keras.config.set_dtype_policy("mixed_bfloat16")
    student, mixed = logs()
    assert student.get_layer("block1_neuron").output.dtype == "bfloat16"
    assert mixed["loss"] == pytest.approx(exact["loss"], rel=0.1)


WAYS = [{"jit_compile": True}, {"steps_per_execution": 2}, {"run_eagerly": True}]


@pytest.mark.every(2)
@pytest.mark.parametrize("arguments", sampled(WAYS, {"steps_per_execution": 2}, {"run_eagerly": True}), ids=str)
def test_ways_to_run_give_the_same_training(arguments):
    def train(**arguments):
        keras.utils.set_random_seed(0)
        distiller = tiny.compiled(
            tiny.snn(), tiny.snn(9, name="teacher"), [SpikeTrain(1), "soft_targets"], keras.optimizers.SGD(0.1), **arguments
        )
        return tiny.fit(distiller, epochs=2), distiller.student

    logs, student = train()
    other_logs, other = train(**arguments)
    assert other_logs == pytest.approx(logs, rel=1e-4)
    tiny.assert_equal_weights(other, tiny.values(student), rtol=1e-3, atol=1e-5)


def test_subclassed_models_take_part():
    student, teacher = tiny.Subclassed(name="student"), tiny.Subclassed(9, name="teacher")
    student(tiny.IMAGES), teacher(tiny.IMAGES)
    distiller = tiny.compiled(student, teacher, [FeatureMap(teacher_tap="hidden"), "soft_targets"])
    (projection,) = distiller.helpers
    kernel, before = projection.kernel.numpy(), tiny.values(teacher)
    logs = tiny.fit(distiller)
    assert set(logs) == {"loss", "feature_map", "soft_targets"}
    assert np.any(projection.kernel.numpy() != kernel)
    tiny.assert_equal_weights(teacher, before)


def test_losses_of_keras_take_part():
    loss = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    student, teacher = plain_pair()
    ours = tiny.fit(tiny.compiled(student, teacher, [SoftTargets(2.0)], keras.optimizers.SGD(0.0)))
    theirs = tiny.fit(tiny.compiled(student, teacher, [loss], keras.optimizers.SGD(0.0)))
    assert theirs["logits_distillation"] == pytest.approx(ours["soft_targets"], rel=1e-4)
    assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda: (tiny.plain(), tiny.plain(9, "teacher", classes=4)), ShapeError, "teacher has 4 classes and the student student has 3"),
        (
            lambda: (tiny.plain(), tiny.plain(9, "teacher", shape=(8, 8, 1))),
            ShapeError,
            r"teacher takes inputs \(8, 8, 1\) and the student student \(4, 4, 1\)",
        ),
        (lambda: (tiny.plain(), None, ["soft_targets"]), ValueError, "soft_targets need a teacher"),
        (lambda: (*plain_pair(), ["soft_target"]), UnknownNameError, "Did you mean 'soft_targets'"),
        (lambda: (*plain_pair(), [SoftTargets(teacher_tap="classifer")]), UnknownNameError, "unknown tap of .* Did you mean 'classifier'"),
        (lambda: (*plain_pair(), ["spike_train"]), ShapeError, r"\[B, 9\] .* \[B, 6\]: both must be spike trains"),
        (lambda: (tiny.snn(), tiny.snn(9, 3, "teacher"), ["spike_train"]), ShapeError, "must be a multiple"),
        (lambda: (*plain_pair(), [], -0.5), ValueError, "Distiller: label_weight must be a number of at least 0, got -0.5"),
    ],
)
def test_refuses_before_training_what_does_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        kd.Distiller(*arguments())


def test_a_student_cannot_be_its_own_teacher():
    student = tiny.plain()
    with pytest.raises(ValueError, match="teacher and student are the same model"):
        kd.Distiller(student, student)


def test_a_student_larger_than_its_teacher_is_worth_a_warning():
    with pytest.warns(UserWarning, match=r"the student student \(.*\) is not smaller than its teacher teacher \(63\)") as record:
        kd.Distiller(tiny.plain(9), tiny.plain(3, "teacher"))
    assert len(record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kd.Distiller(*plain_pair())
