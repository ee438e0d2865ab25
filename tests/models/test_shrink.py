"""A smaller network starts as the first channels of a larger one."""

import keras
import numpy as np
import pytest

from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.models import build, copy_weights, shrink_weights

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(4, 8, 8, 2)).astype("float32")


def network(spec, name, classes=3, shape=(8, 8, 2), **arguments):
    return build(spec, shape, classes, **{"timesteps": 3, "threshold": 0.5, "name": name, **arguments})


def convnet(*widths, head="flatten"):
    return {"builder": "ConvNet", "widths": list(widths), "head": head}


def randomize(model):
    """Moments and everything else as after some training."""
    for weight in model.weights:
        weight.assign(weight + RANDOM.uniform(0.05, 0.4, weight.shape))
    return model


def cut(model, kept):
    """Make the model deaf to all but the first channels that its layers read, `{layer: (channels kept, of)}`."""
    for name, (channels, of) in kept.items():
        layer = model.get_layer(name)
        kernel, *others = layer.get_weights()
        rows = kernel.reshape(*kernel.shape[:-2], -1, of, kernel.shape[-1])
        rows[..., channels:, :] = 0
        layer.set_weights([rows.reshape(kernel.shape), *others])
    return model


CUTS = {
    "flatten": (convnet(6, "pool", 5), convnet(4, "pool", 3), {"block2_conv": (4, 6), "classifier": (3, 5)}),
    "average": (convnet(6, 5, head="average"), convnet(4, 3, head="average"), {"block2_conv": (4, 6), "classifier": (3, 5)}),
    "mlp": ({"builder": "MLP", "widths": [9, 7]}, {"builder": "MLP", "widths": [5, 4]}, {"block2_dense": (5, 9), "classifier": (4, 7)}),
}


@pytest.mark.every(3)
@pytest.mark.parametrize(("large", "small", "kept"), CUTS.values(), ids=CUTS)
@pytest.mark.parametrize(("of_source", "of_target"), [("lif", "lif"), ("relu", "relu")])
def test_the_smaller_network_is_the_larger_one_with_channels_cut_out(large, small, kept, of_source, of_target):
    source = cut(randomize(network(large, "large", neuron=of_source)), kept)
    target = network(small, "small", neuron=of_target)
    assert shrink_weights(source, target, classifier=True) == sum(bool(layer.weights) for layer in target.layers)
    outputs = np.array(target(IMAGES))
    assert np.ptp(outputs) > 0.01
    np.testing.assert_allclose(outputs, source(IMAGES), rtol=1e-4, atol=1e-5)


def test_kernels_and_moments_are_those_of_the_first_channels():
    source, target = (network(convnet(*widths), name) for widths, name in (((6, "pool", 5), "large"), ((4, "pool", 3), "small")))
    randomize(source)
    shrink_weights(source, target, classifier=True)
    theirs, ours = ({layer.name: layer.get_weights() for layer in model.layers} for model in (source, target))
    np.testing.assert_array_equal(ours["block2_conv"][0], theirs["block2_conv"][0][:, :, :4, :3])
    for found, expected in zip(ours["block2_norm"], theirs["block2_norm"], strict=True):
        np.testing.assert_array_equal(found, expected[:3])
    np.testing.assert_array_equal(ours["classifier"][0].reshape(16, 3, 3), theirs["classifier"][0].reshape(16, 5, 3)[:, :3])
    np.testing.assert_array_equal(ours["classifier"][1], theirs["classifier"][1])


def test_channels_are_repeated_where_there_are_more():
    source, target = network(convnet(2, 3), "small"), network(convnet(5, 4), "large")
    shrink_weights(source, target)
    kernel, found = (model.get_layer("block2_conv").get_weights()[0] for model in (source, target))
    np.testing.assert_array_equal(found, kernel[:, :, [0, 1, 0, 1, 0]][..., [0, 1, 2, 0]])


def test_rescaled_kernels_of_convolutions_have_the_variance_of_their_output_channels():
    source, plain, rescaled = (network(convnet(*widths), "net") for widths in ((8, 9), (2, 9), (2, 9)))
    shrink_weights(source, plain, classifier=True)
    shrink_weights(source, rescaled, classifier=True, rescale=True)
    for name, factor in (("block1_conv", 2.0), ("block2_conv", 1.0), ("block1_norm", 1.0), ("classifier", 1.0)):
        np.testing.assert_allclose(rescaled.get_layer(name).get_weights()[0], factor * plain.get_layer(name).get_weights()[0], rtol=1e-6)


def test_a_network_of_fewer_blocks_takes_those_it_has():
    source = randomize(network({"builder": "ResNet", "widths": [6, 8], "blocks": [2, 2]}, "large"))
    target = network({"builder": "ResNet", "widths": [4, 5], "blocks": [1, 1]}, "small")
    assert shrink_weights(source, target) == sum(bool(layer.weights) for layer in target.layers) - 1
    np.testing.assert_array_equal(target.get_layer("stage2_block1_2_norm").gamma, source.get_layer("stage2_block1_2_norm").gamma[:5])


def test_equal_networks_get_equal_weights():
    source, target, copied = (network(convnet(4, "pool", 3), name, neuron="plif") for name in ("a", "b", "c"))
    assert shrink_weights(randomize(source), target, classifier=True) == copy_weights(source, copied)
    for weight, other in zip(target.weights, copied.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_what_the_source_does_not_learn_and_what_is_skipped_stays():
    source, target = network(convnet(4), "ann", neuron="relu"), network(convnet(3), "snn", neuron="plif")
    kept = {name: target.get_layer(name).get_weights() for name in ("block1_neuron", "block1_norm", "classifier")}
    assert shrink_weights(source, target, skip=["block1_norm"]) == 1
    for name, weights in kept.items():
        for found, expected in zip(target.get_layer(name).get_weights(), weights, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("source", "target", "error", "message"),
    [
        ((convnet(4),), (convnet(4, 3),), ShapeError, r"layer 'block2_conv', which the source does not have; .* skip=\('block2_conv',\)"),
        ((convnet(4),), (convnet(4), 4), ShapeError, "with its classifier, of 3 classes, not 4"),
        ((convnet(4, "pool"),), (convnet(4),), ShapeError, "layer 'classifier', which reads maps of 16 pixels there and of 64 here"),
        (({"builder": "MLP", "widths": [4]},), (convnet(4),), ShapeError, "layer 'block1_conv', which the source does not have"),
    ],
)
def test_refuses_layers_that_do_not_fit_and_sets_nothing(source, target, error, message):
    source, target = (network(spec, name, *classes) for (spec, *classes), name in ((source, "large"), (target, "small")))
    before = [weight.numpy() for weight in target.weights]
    with pytest.raises(error, match=f"cannot shrink large to small:? {message}"):
        shrink_weights(source, target, classifier=True)
    for weight, value in zip(target.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def plain(kernel, name="conv"):
    image = keras.Input((8, 8, 2))
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, kernel, name=name)(image)), name=f"net{kernel}")


def test_refuses_other_kernels_other_networks_and_unknown_names():
    with pytest.raises(
        ShapeError, match=r"layer 'conv', with weights \[\(5, 5, 2, 3\), \(3,\)\] there and \[\(3, 3, 2, 3\), \(3,\)\] here"
    ):
        shrink_weights(plain(5), plain(3), classifier=True)
    with pytest.raises(ShapeError, match="no layer with weights in common"):
        shrink_weights(plain(3), plain(3))
    with pytest.raises(UnknownNameError, match="Did you mean 'conv'"):
        shrink_weights(plain(3), plain(3), skip=["conv2"])
