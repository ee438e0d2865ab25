"""What the tests of chains share."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.objectives import FeatureMap
from keras_snnkd.distill.stage import Stage

DATA = kd.data.load("digits", limit=200, batch_size=32, augment="shift")


def network(width, **arguments):
    return lambda: kd.models.MLP((8, 8, 1), 10, widths=(width,), **{"timesteps": 2, "name": f"width{width}", **arguments})


def three_stages(**student):
    return [
        Stage("teacher", network(12, neuron="relu"), epochs=2, learning_rate=0.05),
        Stage("assistant", network(8), teacher="teacher", objectives=["soft_targets"], epochs=1),
        Stage(
            **{
                "name": "student",
                "student": network(6),
                "teacher": "assistant",
                "objectives": [FeatureMap(), "soft_targets"],
                "epochs": 1,
                **student,
            }
        ),
    ]


class NoTraining(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        pytest.fail("training started")


def run(stages, folder, **arguments):
    """Runs a chain that must not train."""
    return Chain(stages, folder).run(DATA, callbacks=lambda stage: [NoTraining()], **arguments)


@dataclasses.dataclass
class Poisoned:
    """Digits whose images are NaN from the second epoch on."""

    steps_per_epoch: int = DATA.steps_per_epoch
    validation: tf.data.Dataset = dataclasses.field(default_factory=lambda: DATA.validation)

    def training(self, initial_epoch):
        def poison(step, batch):
            return tf.where(step < self.steps_per_epoch, batch[0], np.nan), batch[1]

        return DATA.training(initial_epoch).enumerate().map(poison)
