"""Keras' own tools work with a distiller, and so does more than one device."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_snnkd.distill.objectives import FeatureMap, SoftTargets
from tests.distill import tiny


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_devices_train_as_one_does():
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    run = subprocess.run([sys.executable, "-c", ON_TWO_DEVICES], capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    one, two = json.loads(run.stdout.splitlines()[-1])
    assert set(one) == {"loss", "soft_targets", "feature_map", "accuracy", "val_loss", "val_accuracy", "weights"}
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=1e-5), name
