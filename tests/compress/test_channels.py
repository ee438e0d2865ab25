"""Narrowed networks: how many channels stay, which, and that what is left computes the same."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress
from keras_snnkd.compress.channels import _principal
from keras_snnkd.errors import NothingToGainError, UnknownNameError
from keras_snnkd.models.rebuild import inner

IMAGES = np.random.default_rng(0).random((20, 6, 6, 1), "float32")


def test_as_many_channels_as_directions_stay_and_those_that_say_most():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    activations = np.stack([a, 2 * a, b, 0 * a], axis=1)  # two directions, the largest channels of which are 1 and 2
    covariance = np.cov(activations, rowvar=False, bias=True)
    assert _principal(covariance, 1.0).tolist() == [1, 2]
    assert _principal(covariance, 0.5).tolist() == [1]  # 5 of 6 parts of the variance
    assert _principal(np.zeros((3, 3)), 0.9).tolist() == [0]


def convnet(widths=(6, "pool", 8), **arguments):
    return kd.models.ConvNet((6, 6, 1), 3, widths=widths, timesteps=2, threshold=0.3, head="flatten", **arguments)


def with_silent_channels(model, layer, channels):
    """Have some channels of a convolution and its batch norm give nothing."""
    for name in (f"{layer}_conv", f"{layer}_norm"):
        one = inner(model.get_layer(name))
        for variable in one.weights:
            if variable.name != "moving_variance":
                values = variable.numpy()
                values[..., channels] = 0
                variable.assign(values)


@pytest.mark.parametrize("head", ["flatten", "average"])
def test_channels_that_say_nothing_are_cut_out_and_the_rest_computes_the_same(head):
    model = kd.models.ConvNet((6, 6, 1), 3, widths=(6, "pool", 8), timesteps=2, threshold=0.3, head=head)
    with_silent_channels(model, "block1", [0, 3])
    with_silent_channels(model, "block2", [1])
    smaller = compress.narrowed(model, IMAGES, share=1.0)
    np.testing.assert_allclose(smaller(IMAGES), model(IMAGES), rtol=1e-5, atol=1e-6)
    assert smaller.get_layer("block1_norm").output.shape[-1] <= 4
    assert smaller.get_layer("block2_neuron").output.shape[-1] <= 7
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]


def test_outputs_that_are_added_keep_their_channels():
    model = kd.models.ResNet((8, 8, 1), 3, widths=(4, 8), blocks=(1, 1), timesteps=2, threshold=0.3)
    images = np.random.default_rng(0).random((6, 8, 8, 1), "float32")
    smaller = compress.narrowed(model, images, share=0.5)
    widths = {layer.name: inner(layer).filters for layer in smaller.layers if layer.name.endswith("conv")}
    before = {layer.name: inner(layer).filters for layer in model.layers if layer.name.endswith("conv")}
    assert smaller(images).shape == (6, 3)
    narrower = [name for name in before if widths[name] < before[name]]
    assert narrower
    assert len(narrower) < len(before)


def test_an_ann_is_narrowed_too():
    model = convnet(neuron="relu")
    assert compress.narrowed(model, IMAGES, share=0.5).count_params() < model.count_params()


def test_shares_and_names_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="above 0 and at most 1, got 0"):
        compress.narrowed(convnet(), IMAGES, share=0)
    with pytest.raises(UnknownNameError, match="Did you mean 'block1_conv'"):
        compress.narrowed(convnet(), IMAGES, skip=["block1_con"])
    with pytest.raises(NothingToGainError, match="no hidden layer whose channels can be cut"):
        compress.narrowed(convnet(), IMAGES, share=0.1, skip=["block1_conv", "block2_conv"])
    with pytest.raises(NothingToGainError, match="no channel to spare"):
        compress.narrowed(convnet((1, 1)), IMAGES, share=0.1)


def test_it_shares_no_weights():
    model = convnet()
    smaller = compress.narrowed(model, IMAGES, share=0.5)
    assert not {id(weight) for weight in smaller.weights} & {id(weight) for weight in model.weights}
    assert isinstance(smaller, keras.Model)


def test_convolutions_in_groups_are_left_as_they_are():
    image = keras.Input((6, 6, 2))
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 3, name="whole")(image))
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 3, groups=2, name="groups")(x))
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 1, name="last")(x))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    images = np.random.default_rng(0).random((20, 6, 6, 2), "float32")
    smaller = compress.narrowed(model, images, share=0.5)
    assert (smaller.get_layer("whole").filters, smaller.get_layer("groups").filters) == (8, 8)
    assert smaller.get_layer("last").filters < 8
