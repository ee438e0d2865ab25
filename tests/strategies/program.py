"""A chain of two stages on one device, on two devices, or as a worker among several; run as `python -m tests.strategies.program`.

Arguments: where the chain's folder and the results go; the strategy (`none`, `mirrored` for two logical devices, `multiworker`; several
joined by `+` run one after the other); `--resume`, or `--die` and all workers but the chief kill themselves in the student's second epoch.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

import keras_snnkd as kd
from keras_snnkd.errors import KDError
from keras_snnkd.training import strategy
from tests.distill import tiny

EPOCHS = 3


def data():
    """18 images for training, and 7 for validation: with batches of 6, the last one has less images than there are devices."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (32, 4, 4, 1)).astype("uint8"), np.arange(32) % 3
    parts = [(images[part], labels[part].astype("int32")) for part in (slice(18), slice(18, 25), slice(25, 32))]
    return kd.data.Data("tiny", (4, 4, 1), 3, ("a", "b", "c"), 6, "none", 0, *parts)


def stages():
    """A teacher, rounded and so evaluated once more, and a student with a helper, a learned time constant and spikes made again."""
    make = {"teacher": lambda: tiny.snn(9, name="teacher"), "student": lambda: tiny.snn(6, neuron="plif", remat=True)}
    objectives = ["soft_targets", {"objective": "spike_train", "weight": 2.0}]
    return [
        kd.Stage("teacher", make["teacher"], epochs=2, learning_rate=0.01, weight_bits=8),
        kd.Stage("student", make["student"], "teacher", objectives, epochs=EPOCHS, learning_rate=0.01, weight_decay=0.01, cache_views=1),
    ]


class Dies(keras.callbacks.Callback):
    """Kills this process in the second step of the student's second epoch."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1 and len(self.epochs) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(epoch)


def run(folder, name, *options):
    """Train the chain, and write what this worker has in the end to `<folder>/<strategy><index>.npz`."""
    devices = strategy.get(name)
    worker = devices.cluster_resolver.task_id if name == "multiworker" else 0
    dies = "--die" in options and not strategy.is_chief(devices)
    with strategy.scope(devices):
        chain = kd.Chain(stages(), Path(folder, name))
        results = chain.run(data(), "--resume" in options, lambda stage: [Dies()] if dies and stage.name == "student" else [])
    found = {"replicas": devices.num_replicas_in_sync if devices else 1, "resumed": results["student"].record["resumed_at_epoch"]}
    for stage, result in results.items():
        found |= {f"{stage} weight {index}": weight.numpy() for index, weight in enumerate(result.model.weights)}
        found |= {f"{stage} history {key}": [row[key] for row in result.history] for key in result.history[0]}
        found[f"{stage} accuracy"] = result.record["validation_accuracy"]
        found[f"{stage} cached"] = result.record["teacher_cached"]
    np.savez(Path(folder, f"{name}{worker}.npz"), **found)


def two_devices():
    """The processor as two devices, for `MirroredStrategy`."""
    import tensorflow as tf

    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy
    tf.distribute.MirroredStrategy = lambda: mirrored(["CPU:0", "CPU:1"])  # which of itself takes accelerators alone


if __name__ == "__main__":
    folder, names, *options = sys.argv[1:]
    if "mirrored" in names:
        two_devices()
    try:
        for each in names.split("+"):
            run(folder, each, *options)
    except KDError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
