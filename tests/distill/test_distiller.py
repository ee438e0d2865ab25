"""The distiller: its loss is the sum it says, the student learns, the teacher stays, and Keras' own tools work with it."""

import json
import os
import subprocess
import sys
import warnings

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.distill.objectives import FeatureMap, FiringRate, Objective, SoftTargets, SpikeTrain
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny

every_teacher = pytest.mark.parametrize(
    ("teacher", "objectives"),
    [
        (lambda: tiny.snn(9, name="teacher"), ["soft_targets", {"objective": "spike_train", "window": 1}, "feature_map", "firing_rate"]),
        (lambda: tiny.snn(9, timesteps=4, name="teacher"), ["soft_targets", {"objective": "spike_train", "window": 2}, "feature_map"]),
        (lambda: tiny.ann(9), [{"objective": "soft_targets", "time": "per_step"}, "feature_map", "firing_rate"]),
    ],
    ids=["spiking", "other T", "ANN"],
)


def plain_pair():
    """Without batch norm, so that samples meet in the loss only."""
    return tiny.plain(), tiny.plain(9, "teacher")


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


@every_teacher
def test_fit_leaves_the_teacher_as_it_was(teacher, objectives):
    teacher, student = teacher(), tiny.snn()
    before, student_before = tiny.values(teacher), tiny.values(student)
    tiny.fit(tiny.compiled(student, teacher, objectives), epochs=2)
    tiny.assert_equal_weights(teacher, before)
    assert all(np.any(old != new) for old, new in zip(student_before, tiny.values(student), strict=True))


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


def test_it_can_be_what_a_spiking_student_learns_from_alone():
    """The label loss switched off, the student comes to fire as the teacher does."""
    teacher, student = tiny.snn(name="teacher", normalization="batch"), tiny.snn(5)
    distiller = tiny.compiled(student, teacher, [FiringRate("layer")], keras.optimizers.Adam(0.05), label_weight=0.0)
    first = tiny.fit(distiller, batch_size=12)
    last = tiny.fit(distiller, batch_size=12, epochs=30)
    assert last["firing_rate"] < first["firing_rate"] / 2
    assert last["loss"] == pytest.approx(last["firing_rate"], rel=1e-5)


OBJECTIVES = [FeatureMap, SoftTargets]


def distilled(images, labels, **arguments):
    keras.utils.set_random_seed(1)
    student, teacher = plain_pair()
    distiller = tiny.compiled(student, teacher, [cls() for cls in OBJECTIVES], keras.optimizers.SGD(0.5))
    logs = tiny.fit(distiller, images, labels, batch_size=12, **arguments)
    return logs, [*tiny.values(student), *(helper.kernel.numpy() for helper in distiller.helpers)]


@pytest.mark.parametrize("weighted", ["sample_weight", "class_weight"])
def test_a_sample_of_weight_zero_has_no_influence(weighted):
    out = tiny.LABELS == 0
    others = np.where(out[:, None, None, None], 1 - tiny.IMAGES, tiny.IMAGES)
    weights = {"sample_weight": 1.0 - out} if weighted == "sample_weight" else {"class_weight": {0: 0.0, 1: 1.0, 2: 1.0}}
    logs, values = distilled(tiny.IMAGES, tiny.LABELS, **weights)
    other_logs, other_values = distilled(others, tiny.LABELS, **weights)
    assert logs == pytest.approx(other_logs, rel=1e-5)
    for value, other in zip(values, other_values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)
    unweighted, unweighted_values = distilled(others, tiny.LABELS)
    assert unweighted["soft_targets"] != pytest.approx(logs["soft_targets"], rel=1e-3)
    assert np.any(np.abs(unweighted_values[0] - values[0]) > 1e-4)


def test_class_weights_are_the_sample_weights_of_the_classes():
    by_class = {0: 0.5, 1: 2.0, 2: 0.0}
    of_samples = np.array([by_class[label] for label in tiny.LABELS])
    logs, values = distilled(tiny.IMAGES, tiny.LABELS, class_weight=by_class)
    other_logs, other_values = distilled(tiny.IMAGES, tiny.LABELS, sample_weight=of_samples)
    assert logs == pytest.approx(other_logs, rel=1e-5)
    for value, other in zip(values, other_values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-6)


class Counted(Objective):
    """Counts how often it is traced; its value is 1."""

    traces = 0

    def losses(self, teacher_outputs, student_outputs, y_true=None):
        self.traces += 1
        return keras.ops.mean(0 * student_outputs, axis=-1) + 1


def test_weights_change_the_loss_without_another_trace():
    student, teacher = plain_pair()
    counted = Counted()
    distiller = tiny.compiled(student, teacher, [counted], keras.optimizers.SGD(0.0))
    first = tiny.fit(distiller)
    label, traces = first["loss"] - 1, counted.traces
    assert traces > 0
    distiller.set_weight("counted", 3.0)
    assert tiny.fit(distiller)["loss"] == pytest.approx(label + 3, rel=1e-5)
    distiller.set_weight("label", 0.5)
    logs = tiny.fit(distiller)
    assert logs["loss"] == pytest.approx(label / 2 + 3, rel=1e-5)
    assert logs["counted"] == 1
    assert distiller.describe() == "0.5 label + 3 counted(logits -> logits)"

    ramp = kd.WeightSchedule({"counted": lambda epoch: epoch, "label": lambda epoch: 0.0})
    history = distiller.fit(tiny.IMAGES, tiny.LABELS, batch_size=6, epochs=3, callbacks=[ramp], verbose=0).history
    assert history["loss"] == pytest.approx([0, 1, 2])
    assert counted.traces == traces


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("soft_target", 1.0, UnknownNameError, "Did you mean 'soft_targets'"),
        ("soft_targets", -1.0, ValueError, "weight of soft_targets must be a number of at least 0, got -1.0"),
        ("label", np.nan, ValueError, "weight of label"),
    ],
)
def test_a_weight_that_cannot_be_is_refused(name, value, error, message):
    distiller = kd.Distiller(*plain_pair(), ["soft_targets"])
    with pytest.raises(error, match=message):
        distiller.set_weight(name, value)


def test_a_schedule_of_an_unknown_objective_fails_before_the_first_step():
    distiller = tiny.compiled(*plain_pair(), ["soft_targets"])
    before = tiny.values(distiller.student)
    with pytest.raises(UnknownNameError, match="Did you mean 'soft_targets'"):
        tiny.fit(distiller, callbacks=[kd.WeightSchedule({"soft_target": lambda epoch: 1.0})])
    tiny.assert_equal_weights(distiller.student, before)


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


def arrays_in(file):
    """The arrays of an HDF5 file, as lists of numbers."""
    found = []
    with h5py.File(file) as stored:
        stored.visititems(lambda name, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def test_neither_weights_nor_files_hold_the_teacher(tmp_path):
    student, teacher = tiny.snn(), tiny.snn(9, name="teacher")
    distiller = tiny.compiled(student, teacher, ["soft_targets", "feature_map"], "sgd")
    tiny.fit(distiller)
    assert distiller.teacher is teacher
    helpers = [variable for helper in distiller.helpers for variable in helper.weights]
    factors = [distiller.label_weight, *distiller.objective_weights.values()]
    assert {id(w) for w in distiller.weights} == {id(w) for w in [*student.weights, *helpers, *factors]}
    assert {id(w) for w in distiller.trainable_weights} == {id(w) for w in [*student.trainable_weights, *helpers]}
    distiller.save_weights(tmp_path / "distiller.weights.h5")
    distiller.save(tmp_path / "distiller.keras")
    stored = arrays_in(tmp_path / "distiller.weights.h5")
    assert len(stored) == len(distiller.weights) + len(distiller.optimizer.variables)
    for weight in tiny.values(teacher):
        if np.ptp(weight):  # not the zeros and ones that anything may hold
            assert not any(array.shape == weight.shape and np.array_equal(array, weight) for array in stored)
    assert (tmp_path / "distiller.keras").stat().st_size < 2 * (tmp_path / "distiller.weights.h5").stat().st_size


@pytest.mark.parametrize("student", [tiny.snn, tiny.plain])
def test_a_saved_distiller_goes_on_where_it_was(student, tmp_path):
    teacher = tiny.ann(9)
    distiller = tiny.compiled(student(), teacher, ["soft_targets", FeatureMap(weight=0.5)], "adam")
    distiller.set_weight("soft_targets", 0.25)
    tiny.fit(distiller)
    distiller.save(tmp_path / "distiller.keras")

    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert loaded.teacher is None
    assert loaded.describe() == distiller.describe()
    np.testing.assert_array_equal(loaded.predict(tiny.IMAGES, verbose=0), distiller.predict(tiny.IMAGES, verbose=0))
    with pytest.raises(ValueError, match=r"no teacher; give it one with distiller\.teach"):
        tiny.fit(loaded)
    loaded.teach(teacher)
    assert tiny.fit(loaded) == pytest.approx(tiny.fit(distiller), rel=1e-5)
    tiny.assert_equal_weights(loaded.student, tiny.values(distiller.student), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="feature_map was built for taps"):
        loaded.teach(tiny.ann(20, name="other"))


def test_another_teacher_teaches_from_the_next_fit_on():
    student, teacher = plain_pair()
    distiller = tiny.compiled(student, teacher, ["soft_targets"], keras.optimizers.SGD(0.0))
    other = tiny.plain(9, "other")
    first = tiny.fit(distiller)["soft_targets"]
    distiller.teach(other)
    assert distiller.teacher is other
    expected = tiny.fit(tiny.compiled(student, other, ["soft_targets"], keras.optimizers.SGD(0.0)))["soft_targets"]
    assert tiny.fit(distiller)["soft_targets"] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(first, rel=1e-3)


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


@pytest.mark.parametrize("arguments", [{"jit_compile": True}, {"steps_per_execution": 2}, {"run_eagerly": True}], ids=str)
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


def test_checkpoints_of_keras_hold_the_best_distiller(tmp_path):
    distiller = tiny.compiled(tiny.snn(), tiny.ann(9), ["soft_targets", "feature_map"], keras.optimizers.SGD(0.5))
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True)
    weights = keras.callbacks.ModelCheckpoint(tmp_path / "last.weights.h5", save_weights_only=True)
    tiny.fit(distiller, callbacks=[checkpoint, weights])
    expected = distiller.predict(tiny.IMAGES, verbose=0)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "best.keras").predict(tiny.IMAGES, verbose=0), expected)
    fresh = tiny.compiled(tiny.snn(), tiny.ann(9), ["soft_targets", "feature_map"], keras.optimizers.SGD(0.5))
    fresh.load_weights(tmp_path / "last.weights.h5")
    np.testing.assert_array_equal(fresh.predict(tiny.IMAGES, verbose=0), expected)


def test_keras_tuner_searches_over_distillers(tmp_path):
    import keras_tuner

    teacher = tiny.plain(9, "teacher")

    def build(choices):
        temperature = choices.Choice("temperature", [2.0, 8.0])
        return tiny.compiled(tiny.plain(), teacher, [SoftTargets(temperature), FeatureMap()], metrics=["accuracy"])

    tuner = keras_tuner.GridSearch(build, keras_tuner.Objective("val_accuracy", "max"), directory=tmp_path, overwrite=True)
    tuner.search(tiny.IMAGES, tiny.LABELS, validation_data=(tiny.IMAGES, tiny.LABELS), epochs=1, verbose=0)
    best, other = tuner.get_best_models(2)
    assert {best.objectives[0].temperature, other.objectives[0].temperature} == {2.0, 8.0}
    assert best.predict(tiny.IMAGES, verbose=0).shape == (12, 3)


ON_TWO_DEVICES = """
import json
import keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_snnkd.distill.objectives import FeatureMap, SoftTargets
from tests.distill import tiny

def train(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        objectives = [SoftTargets(2.0), FeatureMap("sum", weight=0.1)]
        distiller = tiny.compiled(tiny.plain(), tiny.plain(9, "teacher"), objectives, keras.optimizers.SGD(0.5), metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((tiny.IMAGES, tiny.LABELS)).batch(4)
    logs = distiller.fit(data, epochs=2, verbose=0, validation_data=data).history
    return {**logs, "weights": [float(abs(weight).sum()) for weight in tiny.values(distiller)]}

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert mirrored.num_replicas_in_sync == 2
print(json.dumps([train(tf.distribute.get_strategy()), train(mirrored)]))
"""


def test_two_devices_train_as_one_does():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    run = subprocess.run([sys.executable, "-c", ON_TWO_DEVICES], capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    one, two = json.loads(run.stdout.splitlines()[-1])
    assert set(one) == {"loss", "soft_targets", "feature_map", "accuracy", "val_loss", "val_accuracy", "weights"}
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=1e-5), name
