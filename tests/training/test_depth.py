"""The scale-invariant loss and the figures of depth maps, worked out by hand; synthetic scenes and the network for dense maps."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ShapeError
from keras_snnkd.training.depth import ScaleInvariantLogLoss, absolute_relative_error, delta, depth_rmse

DEPTHS = np.array([[[[1.0], [2.0]], [[4.0], [0.0]]]], "float32")  # the last is not known
LOGARITHMS = np.log(np.array([[[[2.0], [2.0]], [[3.0], [9.0]]]], "float32"))


def test_the_loss_counts_an_error_of_scale_in_part():
    d = np.log([2.0, 1.0, 0.75])
    expected = np.mean(d**2) - 0.5 * np.mean(d) ** 2
    np.testing.assert_allclose(ScaleInvariantLogLoss()(DEPTHS, LOGARITHMS), expected, rtol=1e-5)
    everywhere = np.log(np.where(DEPTHS > 0, 3 * DEPTHS, 1))
    np.testing.assert_allclose(ScaleInvariantLogLoss(share=1.0)(DEPTHS, everywhere), 0, atol=1e-6)


def test_the_figures_of_three_places():
    np.testing.assert_allclose(absolute_relative_error(DEPTHS, LOGARITHMS), [(1 + 0 + 0.25) / 3], rtol=1e-5)
    np.testing.assert_allclose(depth_rmse(DEPTHS, LOGARITHMS), [np.sqrt(2 / 3)], rtol=1e-5)
    np.testing.assert_allclose(delta(DEPTHS, LOGARITHMS), [1 / 3], rtol=1e-5)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        ScaleInvariantLogLoss(share=1.5)


def test_synthetic_scenes_are_the_same_for_a_seed_and_nearer_things_lie_lower():
    images, depths = kd.data.synthetic_scenes(6, size=16, seed=3)
    again, _ = kd.data.synthetic_scenes(6, size=16, seed=3)
    np.testing.assert_array_equal(images, again)
    assert images.shape == depths.shape == (6, 16, 16, 1)
    assert depths.min() >= 1
    assert depths.max() <= 10
    assert (depths[:, -2:].mean() < depths[:, :2].mean()).all()
    assert np.any(images != kd.data.synthetic_scenes(6, size=16, seed=4)[0])


@pytest.mark.parametrize("shape", [(8, 8, 1), (3, 8, 8, 2)])
def test_an_encoder_decoder_gives_a_number_at_each_place_and_its_twin_has_the_same_weights(shape):
    student = kd.models.EncoderDecoder(shape, widths=(2, 3), timesteps=2)
    twin = kd.models.EncoderDecoder(shape, widths=(2, 3), neuron="relu")
    kd.models.copy_weights(student, twin)
    images = np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32")
    assert student(images).shape == twin(images).shape == (2, 8, 8, 1)
    found = kd.metrics.synaptic_operations(student, images)
    assert found.layers["up1_conv"]["dense"] > 0
    assert keras.Model(student.input, student.get_layer("up1_neuron").output)(images).shape[1] == shape[0] if len(shape) == 4 else 2


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"image_shape": (6, 6, 1), "widths": (2, 2, 2)}, ShapeError, "multiples of 4"),
        ({"image_shape": (8, 8)}, ShapeError, "must be"),
        ({"image_shape": (8, 8, 1), "widths": (2,)}, ValueError, "two or more"),
    ],
)
def test_what_cannot_be_built_is_told(arguments, error, told):
    with pytest.raises(error, match=told):
        kd.models.EncoderDecoder(**arguments)
