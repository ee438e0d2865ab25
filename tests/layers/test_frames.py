"""Steps put into fewer frames: by hand, with padding, in networks, and what is refused."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ShapeError, UnsupportedError
from keras_snnkd.export.stepper import one_step
from keras_snnkd.layers import Frames

SHAPE = (6, 8, 8, 2)


def test_the_means_of_bins_by_hand():
    series = np.arange(10.0, dtype="float32").reshape(1, 5, 2)
    found = Frames(2)(series)  # floor(i 2 / 5): steps 0, 1, 2 and 3, 4
    np.testing.assert_allclose(found[0], [[2, 3], [7, 8]])
    np.testing.assert_array_equal(Frames(5)(series), series)


def test_padding_does_not_count():
    series = np.array([[1, 2, 3, 4, 0, 0]], "float32")[..., None] + np.ones(1, "float32")
    mask = np.array([[1, 1, 1, 0, 0, 0]], bool)
    layer = Frames(3)
    np.testing.assert_allclose(layer(series, mask=mask)[0, :, 0], [2.5, 4, 0])
    assert np.array(layer.compute_mask(series, mask)).tolist() == [[True, True, False]]


def test_more_frames_than_steps_are_refused():
    with pytest.raises(ShapeError, match="6 steps cannot be put into 8 frames"):
        models.ConvNet(SHAPE, 3, widths=(4,), timesteps=8)


@pytest.mark.parametrize("spec", ["convnet:4,pool,6", "resnet:4,6/1,1", "mlp:12"])
def test_frames_of_events_go_into_every_network_and_its_twin(spec):
    events = np.random.default_rng(0).poisson(0.5, (2, *SHAPE)).astype("float32")
    student, twin = (models.build(spec, SHAPE, 3, timesteps=3, neuron=neuron) for neuron in ("lif", "relu"))
    assert student(events).shape == twin(events).shape == (2, 3)
    assert [weight.shape for weight in student.trainable_weights] == [weight.shape for weight in twin.trainable_weights]
    assert next(layer for layer in student.layers if layer.name.endswith("neuron") or "neuron" in layer.name).output.shape[1] == 3


def test_an_encoder_and_an_image_of_two_axes_are_refused():
    with pytest.raises(ValueError, match="have time already"):
        models.ConvNet(SHAPE, 3, widths=(4,), encoder="poisson")
    with pytest.raises(ShapeError, match="take SequenceNet"):
        models.ConvNet((29, 12), 9, widths=(4,))


def test_the_same_network_runs_for_another_number_of_frames():
    student = models.ConvNet(SHAPE, 3, widths=(4,), timesteps=2)
    longer = models.with_timesteps(student, 6)
    assert longer.get_layer("block1_neuron").output.shape[1] == 6
    assert longer.get_layer("block1_conv").layer.kernel is student.get_layer("block1_conv").layer.kernel


def test_a_series_in_frames_is_masked_through():
    series = np.random.default_rng(0).normal(size=(2, 12, 3)).astype("float32")
    series[0, 6:] = 0
    student = models.SequenceNet((12, 3), 4, widths=(8,), frames=4)
    assert student.get_layer("block1_neuron").output.shape[1] == 4
    short = models.SequenceNet((6, 3), 4, widths=(8,), frames=2)
    short.set_weights(student.get_weights())
    np.testing.assert_allclose(student(series)[0], short(series[:1, :6])[0], rtol=1e-5)


def test_a_file_of_one_step_takes_frames_as_they_are_and_none_that_are_put_together():
    step = one_step(models.ConvNet(SHAPE, 3, widths=(4,), timesteps=6))
    assert step.model.inputs[0].shape == (1, 8, 8, 2)
    with pytest.raises(UnsupportedError, match="'frames'"):
        one_step(models.ConvNet(SHAPE, 3, widths=(4,), timesteps=3))


def test_it_is_saved_with_its_number_of_frames(tmp_path):
    student = models.ConvNet(SHAPE, 3, widths=(4,), timesteps=3)
    student.save(tmp_path / "student.keras")
    events = np.ones((1, *SHAPE), "float32")
    np.testing.assert_array_equal(kd.models.load(tmp_path / "student.keras")(events), student(events))


@pytest.mark.slow
def test_a_teacher_of_more_frames_teaches_on_the_same_batches():
    events = np.random.default_rng(0).poisson(0.5, (8, *SHAPE)).astype("float32")
    teacher = models.ConvNet(SHAPE, 3, widths=(6,), timesteps=6, neuron="relu")
    student = models.ConvNet(SHAPE, 3, widths=(4,), timesteps=2)
    distiller = kd.Distiller(student, teacher, [kd.objectives.SoftTargets(time="per_step")])
    distiller.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(distiller.fit(events, np.arange(8) % 3, epochs=1, verbose=0).history["soft_targets"][0])
