"""Files to run on a device: the shipped student whole and step by step, in floating-point numbers and in integers."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from keras_snnkd import models
from keras_snnkd.edge.tensors import STEP_SIGNATURE
from keras_snnkd.export.saved_model import write_archive
from keras_snnkd.export.stepper import one_step

SHELF = Path(__file__).parents[2] / "saved_models" / "digits_student"
WHOLE = SHELF / "model_float32.tflite"


@pytest.fixture(scope="session")
def digits():
    """Images `[1797, 8, 8, 1]` in 0..1 and labels."""
    data = load_digits()
    return (data.images[..., np.newaxis] / 16).astype("float32"), data.target


@pytest.fixture(scope="session")
def student():
    return models.load(SHELF / "model.keras")


@pytest.fixture(scope="session")
def step(student):
    return one_step(student)


@pytest.fixture(scope="session")
def archive(step, tmp_path_factory):
    """A SavedModel of one step, and the name of its signature."""
    folder = tmp_path_factory.mktemp("archive")
    key = STEP_SIGNATURE.format(readout=step.readout, timesteps=4)
    write_archive(step.model, folder, batch_size=1, endpoint=key)
    return folder, key


@pytest.fixture(scope="session")
def stream(archive, tmp_path_factory):
    """A streaming file in floating-point numbers."""
    path = tmp_path_factory.mktemp("stream") / "stream.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(archive[0]), signature_keys=[archive[1]]).convert())
    return path


@pytest.fixture(scope="session")
def integers(archive, step, digits, tmp_path_factory):
    """A streaming file that takes, keeps and gives int8."""

    def calibration():
        for image in digits[0][:40]:
            states = [np.zeros(tensor.shape, "float32") for tensor in step.model.inputs[1:]]
            names = [tensor.name for tensor in step.model.inputs]
            for _ in range(4):
                inputs = dict(zip(names, [image[np.newaxis], *states], strict=True))
                yield archive[1], inputs
                outputs = step.model(list(inputs.values()), training=False)
                states = [outputs[name].numpy() for name in names[1:]]

    converter = tf.lite.TFLiteConverter.from_saved_model(str(archive[0]), signature_keys=[archive[1]])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path_factory.mktemp("integers") / "integers.tflite"
    path.write_bytes(converter.convert())
    return path
