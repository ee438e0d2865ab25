"""Beyond classes: regressions, dense maps, several inputs, losses of one's own, weights of classes, from training to the written file."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.samples import Samples
from keras_snnkd.distill.teachers import TeacherError
from keras_snnkd.errors import KDError, ShapeError, UnknownNameError
from keras_snnkd.export.runtime import LiteRT, SavedModel
from keras_snnkd.layers import Numbers, with_numbers
from keras_snnkd.neurons import LIF

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.uniform(size=(60, 5)).astype("float32")
SUMS = FEATURES.sum(axis=1)


def regressor(width, name, spiking=True, outputs=1, inputs=None):
    inputs = keras.Input((5,), name="image") if inputs is None else inputs
    x = keras.layers.Dense(width, name="hidden")(inputs)
    if spiking:
        x = LIF(threshold=0.3, name="neuron")(kd.layers.Direct(3, name="encoder")(x))
        x = kd.layers.OverTime(keras.layers.Dense(outputs), name="classifier")(x)
        return keras.Model(inputs, kd.layers.MeanOverTime(name="readout")(x), name=name)
    x = keras.layers.ReLU(name="neuron")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="classifier")(x), name=name)


def log_error(y_true, y_pred):
    y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
    return keras.ops.mean(keras.ops.square(keras.ops.log(y_true + 1) - keras.ops.log(keras.ops.relu(y_pred) + 1)), axis=-1)


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """A teacher and a student of one number, by a loss and a metric of one's own."""
    task = kd.Task(log_error, ["mean_absolute_error"], "mean_absolute_error", "min")
    stages = [
        kd.Stage("teacher", lambda: regressor(16, "teacher", spiking=False), epochs=3, learning_rate=0.05, task="regression"),
        kd.Stage(
            "student", lambda: regressor(8, "student"), teacher="teacher", epochs=2, learning_rate=0.05, task=task,
            objectives=[{"objective": "feature_map", "teacher_tap": "output"}],
        ),
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("regression")
    return folder, stages, kd.Chain(stages, folder).run((FEATURES, SUMS))


@pytest.mark.slow
def test_a_chain_trains_numbers_by_a_loss_of_ones_own_and_keeps_the_best_epoch(regression):
    folder, stages, results = regression
    student = results["student"]
    errors = [epoch["val_mean_absolute_error"] for epoch in student.history]
    assert student.record["validation_mean_absolute_error"] == min(errors)
    assert student.record["task"]["loss"] == "log_error"
    again = kd.Chain(stages, folder).run((FEATURES, SUMS), resume=True)
    np.testing.assert_array_equal(again["student"].model(FEATURES), student.model(FEATURES))


@pytest.mark.slow
def test_another_loss_is_another_stage(regression):
    folder, stages, _ = regression
    with pytest.raises(KDError, match="other settings"):
        kd.Chain([stages[0], kd.Stage(**{**vars(stages[1]), "task": "regression"})], folder).run((FEATURES, SUMS), resume=True)


@pytest.mark.slow
def test_the_model_says_that_it_gives_numbers_and_so_does_its_file(regression, tmp_path):
    student = regression[2]["student"].model
    assert isinstance(student.layers[-1], Numbers)
    report = kd.export.litert(student, tmp_path / "student.tflite", samples=FEATURES[:32])
    assert report.agreement == 1.0
    found = LiteRT(tmp_path / "student.tflite").predict(FEATURES[:32])
    assert found.shape == (32, 1)
    np.testing.assert_allclose(found, student(FEATURES[:32]), rtol=1e-4, atol=1e-5)
    kd.export.saved_model(student, tmp_path / "student", samples=FEATURES[:8])
    np.testing.assert_allclose(SavedModel(tmp_path / "student").predict(FEATURES[:8]), student(FEATURES[:8]), rtol=1e-4, atol=1e-5)


def dense(width, name, activation=None):
    image = keras.Input((6, 6, 1), name="image")
    x = keras.layers.Conv2D(width, 3, padding="same", name="conv")(image)
    x = LIF(threshold=0.3, name="neuron")(kd.layers.Direct(2, name="encoder")(x))
    x = kd.layers.MeanOverTime(name="rates")(x)
    return keras.Model(image, keras.layers.Conv2D(1, 1, activation=activation, name="head")(x), name=name)


def test_a_dense_map_is_distilled_and_exported_as_it_is(tmp_path):
    images = RANDOM.uniform(size=(240, 6, 6, 1)).astype("float32")
    teacher, student = dense(8, "teacher", "sigmoid"), dense(4, "student", "sigmoid")
    maps = teacher.predict(images, verbose=0)
    stage = kd.Stage("student", lambda: student, teacher, ["feature_map"], epochs=1, task="regression", teacher_scale=None)
    with pytest.raises(TeacherError, match="of the variance of the labels"):
        kd.Chain([stage], tmp_path / "refused").run((images, RANDOM.uniform(size=maps.shape)))
    distiller = kd.Distiller(student, teacher, [{"objective": "feature_map", "teacher_tap": "output"}])
    distiller.compile("adam", "mean_squared_error", metrics=["mae"])
    assert np.isfinite(distiller.fit(images, maps, batch_size=120, verbose=0).history["loss"]).all()
    kd.export.litert(student, tmp_path / "student.tflite", samples=images[:24])
    found = LiteRT(tmp_path / "student.tflite").predict(images[:2])
    np.testing.assert_allclose(found, student(images[:2]), rtol=1e-4, atol=1e-5)  # with its sigmoid


@pytest.mark.slow
def test_the_gate_refuses_numbers_that_are_not_the_models(regression, tmp_path, monkeypatch):
    collect = LiteRT._collect

    def wrong(self, batch, names):
        found = collect(self, batch, names)
        return {**found, "logits": found["logits"] + 0.5} if "logits" in found else found

    monkeypatch.setattr(LiteRT, "_collect", wrong)
    with pytest.raises(kd.errors.ExportError, match=r"logits differ by up to 0\.5"):
        kd.export.litert(regression[2]["student"].model, tmp_path / "student.tflite", samples=FEATURES[:32])
    assert not (tmp_path / "student.tflite").exists()


def two_inputs(width, name):
    left, right = keras.Input((5,), name="left"), keras.Input((2,), name="right")
    x = keras.layers.Dense(width, activation="relu", name="hidden")(keras.layers.Concatenate()([left, right]))
    return keras.Model([left, right], keras.layers.Dense(3, name="classifier")(x), name=name)


@pytest.mark.slow
def test_networks_with_several_inputs_train_in_a_chain(tmp_path):
    inputs = {"left": FEATURES, "right": FEATURES[:, :2]}
    stages = [
        kd.Stage("teacher", lambda: two_inputs(8, "teacher"), epochs=1, inputs="named"),
        kd.Stage("student", lambda: two_inputs(4, "student"), "teacher", ["soft_targets"], epochs=1, inputs="named"),
    ]
    results = kd.Chain(stages, tmp_path).run((inputs, np.arange(60) % 3))
    assert "val_accuracy" in results["student"].history[0]


def test_a_teacher_may_see_another_input_than_its_student():
    teacher = regressor(16, "teacher", spiking=False)
    student = regressor(8, "student", inputs=keras.Input((2,), name="events"))
    batch = {"image": FEATURES, "events": FEATURES[:, :2]}
    with pytest.raises(ShapeError, match='inputs="named"'):
        kd.Distiller(student, teacher, ["feature_map"])
    distiller = kd.Distiller(student, teacher, [{"objective": "feature_map", "teacher_tap": "output"}], inputs="named")
    distiller.compile("adam", "mean_squared_error")
    loss = distiller.compute_loss(batch, SUMS[:, None], distiller(batch, training=True))
    expected = np.mean((student(batch["events"]) - SUMS[:, None]) ** 2) + np.mean((student(batch["events"]) - teacher(FEATURES)) ** 2)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    with pytest.raises(ShapeError, match="takes the inputs events, and the batch has image"):
        distiller({"image": FEATURES}, training=False)


def test_weights_of_classes_count_in_the_label_loss():
    from keras_snnkd.training.labels import LabelCrossEntropy, balanced

    logits, labels = RANDOM.normal(size=(6, 3)).astype("float32"), np.array([0, 0, 0, 1, 1, 2])
    weights = balanced(labels, 3)
    np.testing.assert_allclose(weights, [2 / 3, 1, 2])
    each = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    loss = LabelCrossEntropy(class_weights=weights)
    np.testing.assert_allclose(loss(labels, logits), np.mean(np.array(weights)[labels] * each), rtol=1e-5)
    np.testing.assert_allclose(loss(np.eye(3, dtype="float32")[labels], logits), loss(labels, logits), rtol=1e-5)
    assert LabelCrossEntropy.from_config(loss.get_config()).class_weights == weights


@pytest.mark.slow
def test_balanced_weights_are_those_of_the_training_labels(tmp_path):
    labels = np.array([0] * 40 + [1] * 20)
    stage = kd.Stage("student", lambda: regressor(4, "student", outputs=2), epochs=1, class_weights="balanced")
    record = kd.Chain([stage], tmp_path).run((FEATURES, labels))["student"].record
    np.testing.assert_allclose(record["class_weights"], [0.75, 1.5])


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"task": "regresion"}, UnknownNameError, "Did you mean 'regression'"),
        ({"task": "regression", "class_weights": [1.0, 2.0]}, KDError, "has a loss of its own"),
        ({"task": "regression", "label_smoothing": 0.1}, KDError, "has a loss of its own"),
        ({"class_weights": "balance"}, UnknownNameError, "Did you mean 'balanced'"),
        ({"task": 3}, TypeError, "a task is"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(arguments, error, told):
    with pytest.raises(error, match=told):
        kd.Stage("student", lambda: None, **arguments)


def test_a_metric_that_is_not_there_cannot_be_the_one_to_watch():
    with pytest.raises(UnknownNameError, match="Did you mean 'mae'"):
        kd.Task("mse", ["mae"], "mea")


def test_how_well_numbers_fit_knows_no_scale_and_classes_are_counted():
    numbers = Samples(FEATURES, SUMS)
    assert numbers.fit(3 * SUMS[:, None] + 2) == pytest.approx(1)
    assert numbers.fit(-SUMS[:, None]) == 0
    assert numbers.fit(np.zeros((60, 3))) is None
    classes = Samples(FEATURES, np.arange(60) % 3)
    assert classes.fit(np.eye(3)[np.arange(60) % 3]) == 1
    assert classes.chance(np.eye(3)[np.arange(60) % 3]) == pytest.approx(1 / 3)


def test_with_numbers_marks_a_model_once():
    marked = with_numbers(regressor(4, "student"))
    assert with_numbers(marked) is marked
