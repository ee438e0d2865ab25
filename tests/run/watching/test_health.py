"""Problems of training: named, explained, and warned of or ended as wanted."""

import pathlib
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.distill.checkpoints import Checkpoints
from keras_snnkd.errors import TrainingDivergedError, UnhealthyTrainingError, UnknownNameError
from keras_snnkd.files.staging import read_json
from keras_snnkd.metrics import ActivityMeter, activity
from keras_snnkd.run.watching.health import TrainingHealth
from tests.distill import tiny
from tests.integration import tiny as runs


def network(first=0.5, second=0.5):
    """Two layers of neurons with these thresholds, behind weights that are all positive."""
    image = keras.Input((4, 4, 1))
    x = kd.layers.Direct(2)(keras.layers.Dense(6, kernel_initializer="ones")(keras.layers.Flatten()(image)))
    x = keras.layers.Dense(5, kernel_initializer="ones")(kd.neurons.LIF(threshold=first, name="first")(x))
    x = kd.neurons.LIF(threshold=second, name="second")(x)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(x)), name="student")


def fit(model, health, optimizer="sgd", epochs=2, **arguments):
    model.compile(optimizer, tiny.crossentropy(), **arguments)
    return model.fit(tiny.IMAGES, tiny.LABELS, epochs=epochs, batch_size=6, verbose=0, callbacks=[health])


def warned(model, **arguments):
    """The warnings of three epochs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, TrainingHealth(tiny.IMAGES), epochs=3, **arguments)
    return [str(warning.message) for warning in caught if "student" in str(warning.message)]


SILENT = (
    "student: {} is silent: none of its neurons fired on 12 images after epoch 1, so that what comes after it sees nothing. "
    "Lower its threshold (now {:g}), put batch norm before it, or check that the images are in 0..1 and not all black."
)
SATURATED = (
    "student: {} is saturated: 100% of its neurons fired at every step on 12 images after epoch 1, and tell nothing. "
    "Raise its threshold (now {:g}), put batch norm before it, or lower the learning rate (--learning-rate)."
)


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ((4.0, 2.0), []),
        ((4.0, 1e9), [SILENT.format("second", 1e9)]),
        ((1e9, 2.0), [SILENT.format("first", 1e9), SILENT.format("second", 2.0)]),
        ((1e-6, 1e9), [SATURATED.format("first", 1e-6), SILENT.format("second", 1e9)]),
        ((1e-6, 1e-6), [SATURATED.format("first", 1e-6), SATURATED.format("second", 1e-6)]),
    ],
    ids=["well", "silent", "silent from the first", "both", "saturated"],
)
def test_layers_that_tell_nothing_are_named_once(thresholds, expected):
    assert warned(network(*thresholds)) == expected


@pytest.mark.slow
def test_a_problem_that_comes_back_is_told_again():
    class Move(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            kernel = self.model.layers[2].kernel
            kernel.assign(tf.fill(kernel.shape, 0.0 if epoch % 2 else 1.0))

    model = network(4.0, 2.0)
    model.compile("sgd", tiny.crossentropy())
    with pytest.warns(UserWarning, match="is silent") as caught:
        model.fit(tiny.IMAGES, tiny.LABELS, epochs=4, verbose=0, callbacks=[Move(), TrainingHealth(tiny.IMAGES)])
    told = [str(w.message).partition(" is silent")[0] for w in caught if "after epoch" in str(w.message)]
    assert told == ["student: first", "student: second"] * 2


def test_a_silent_layer_ends_training_and_the_model_has_its_last_good_weights():
    model = network(1e9)
    before = tiny.values(model)
    with pytest.raises(UnhealthyTrainingError, match=r"first is silent.*second is silent"):
        fit(model, TrainingHealth(tiny.IMAGES, "stop"))
    tiny.assert_equal_weights(model, before)


def test_an_exploding_loss_is_seen_in_its_step():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.01, 1e3]))
    model = tiny.plain()
    with pytest.raises(UnhealthyTrainingError, match=r"student: the loss exploded: \d.* in epoch 2, step 2, and [01]\.\d+ at first\. Try"):
        fit(model, TrainingHealth(on_problem="stop"), optimizer)
    with pytest.warns(UserWarning, match="student: the loss exploded"):
        fit(tiny.plain(), TrainingHealth(), keras.optimizers.SGD(1e3))


def test_a_loss_that_is_another_sum_has_not_exploded():
    """A weight that goes from 0 to 10,000 by its schedule."""
    distiller = tiny.compiled(tiny.snn(), tiny.ann(), ["soft_targets"], keras.optimizers.SGD(1e-9))
    schedule = kd.WeightSchedule({"soft_targets": lambda epoch: 1e4 * epoch})
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*exploded")
        history = distiller.fit(
            tiny.IMAGES, tiny.LABELS, batch_size=6, epochs=2, verbose=0, callbacks=[schedule, TrainingHealth(on_problem="stop")]
        ).history["loss"]
    assert history[1] > 10 * history[0]


@pytest.mark.every(2)
@pytest.mark.parametrize("on_problem", ["warn", "stop"])
def test_a_learning_rate_that_gives_nan_ends_training_with_the_last_good_weights_on_disk(on_problem, tmp_path):
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.01, 1e30])  # from the third epoch on
    distiller = tiny.compiled(tiny.plain(), optimizer=keras.optimizers.SGD(rate), metrics=["accuracy"])
    checkpoints, data = Checkpoints(tmp_path), (tiny.IMAGES, tiny.LABELS)
    health = TrainingHealth(tiny.IMAGES, on_problem)
    with pytest.raises(TrainingDivergedError, match=r"the loss became (nan|inf) in epoch [34], step \d\. Try a lower learning rate"):
        distiller.fit(*data, batch_size=6, epochs=9, verbose=0, validation_data=data, callbacks=[health, checkpoints])
    good = tiny.values(distiller)
    assert all(np.all(np.isfinite(value)) for value in good)
    again = tiny.compiled(tiny.plain(), optimizer=keras.optimizers.SGD(rate))
    assert Checkpoints(tmp_path).resume(again) == len(read_json(tmp_path / "history.json")) == 2
    tiny.assert_equal_weights(again, good)


@pytest.mark.slow
def test_watching_changes_nothing(tmp_path):
    """The layers are looked at in inference mode, and random encoders draw what they would have drawn."""

    def trained(*callbacks):
        keras.utils.set_random_seed(0)
        model = tiny.snn(encoder="poisson")
        model.compile("adam", tiny.crossentropy())
        restart = Checkpoints(tmp_path)
        restart.on_epoch_end = lambda epoch, logs: None  # only its restart of the random layers
        model.fit(tiny.IMAGES, tiny.LABELS, epochs=3, verbose=0, callbacks=[*callbacks, restart])
        return model

    tiny.assert_equal_weights(trained(TrainingHealth(tiny.IMAGES)), tiny.values(trained()))


def test_a_meter_follows_the_weights_and_compiles_once():
    model = network(4.0, 2.0)
    meter = ActivityMeter(model)
    assert meter(tiny.IMAGES) == activity(model, tiny.IMAGES)
    compiled = meter._measurement.predict_function
    model.layers[2].set_weights([np.zeros((16, 6)), np.zeros(6)])
    assert meter(tiny.IMAGES).rates == {"first": 0.0, "second": 0.0}
    assert meter._measurement.predict_function is compiled
    assert list(meter.layers) == ["first", "second"]


def test_a_network_without_spikes_has_no_layers_to_watch():
    assert warned(tiny.plain()) == []


UNDER_A_STRATEGY = """
import tensorflow as tf
from tests.distill import tiny
from tests.run.watching.test_health import TrainingHealth, network

with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
    model = network(1e9)
    model.compile("sgd", tiny.crossentropy())
model.fit(tiny.IMAGES, tiny.LABELS, verbose=0, callbacks=[TrainingHealth(tiny.IMAGES)])
"""


@pytest.mark.slow
def test_under_a_strategy_of_several_devices():
    root = pathlib.Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", UNDER_A_STRATEGY], cwd=root, capture_output=True, text=True, check=True)
    assert "student: first is silent" in done.stderr


def test_what_to_do_is_checked():
    with pytest.raises(UnknownNameError, match=r"unknown on_problem 'stopp'\. Did you mean 'stop'"):
        TrainingHealth(on_problem="stopp")
    with pytest.raises(UnknownNameError, match="Did you mean 'warn'"):
        kd.Recipe(on_problem="warm").resolved()


def test_the_command_line_stops_a_run_and_keeps_what_was_good(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    student = {"builder": "MLP", "widths": [12], "threshold": 1e9}
    kd.Recipe(mode="baseline", student=student).save("recipe.json")
    arguments = [*runs.DATA, "-T", "2", "--epochs", "2", "--recipe", "recipe.json", "--out", "run"]
    assert runs.run(*arguments, "--on-problem", "stop") == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "error: student_alone: block1_neuron is silent: none of its neurons fired on 20 images after epoch 1" in error
    assert error.endswith("No epoch had finished.")


def lagging(kernel_scale=30.0, momentum=0.99):
    """A network whose currents are large, so that untouched moments silence or saturate its neurons."""
    image = keras.Input((4, 4, 1))
    x = keras.layers.Dense(6, kernel_initializer=keras.initializers.RandomNormal(-kernel_scale, 1.0, seed=0), name="dense")(
        keras.layers.Flatten()(image)
    )
    x = kd.layers.BatchNormalization(momentum=momentum, name="norm")(x)
    x = kd.neurons.LIF(threshold=0.5, name="neuron")(kd.layers.Direct(2)(x))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(x)), name="student")


def test_batch_norms_that_lag_behind_are_the_cause_not_the_threshold():
    (told,) = warned(lagging())
    assert "batch norms lag behind: after 2 steps, the moving moments of norm" in told
    assert "--batch-size" in told
    assert "FreshMoments" in told
    with pytest.warns(UserWarning, match="lag behind"):
        fit(lagging(), TrainingHealth(tiny.IMAGES, "stop"))  # no reason to end training


def test_batch_norms_that_have_followed_are_not_blamed():
    told = warned(lagging(momentum=0.0, kernel_scale=0.0))
    assert not [what for what in told if "lag" in what]


def test_a_gap_between_training_and_validation_is_looked_into():
    model = lagging(kernel_scale=0.0)
    model.get_layer("norm").moving_variance.assign([1e4] * 6)
    health = TrainingHealth(tiny.IMAGES)
    health.set_model(model)
    health.on_train_begin()
    health.on_epoch_begin(0)
    health._meter = None  # no layer is silent
    with pytest.warns(UserWarning, match="batch norms lag behind"):
        health.on_epoch_end(0, {"accuracy": 0.99, "val_accuracy": 0.51})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        health.on_epoch_end(1, {"accuracy": 0.99, "val_accuracy": 0.97})
