"""Networks for series: padding does not count, the twin fits, what does not fit is refused."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.layers import BatchNormalization, CausalConv1D, MeanOverTime, Standardize
from keras_snnkd.run.networks import build_for

READOUTS = ("mean", "last", "spike_count", "membrane", "softmax_sum")
NETS = ({"neuron": "adlif"}, {"neuron": "radlif", "kernel": 3}, {"neuron": "relu", "kernel": 3, "dilation": 2})
SERIES = np.random.default_rng(0).normal(0.0, 3.0, (6, 8, 3)).astype("float32")
PADDED = np.concatenate([SERIES, np.zeros((6, 5, 3), "float32")], axis=1)


def net(steps, **more):
    keras.utils.set_random_seed(0)
    return models.SequenceNet((steps, 3), 4, widths=(16,), **more)


@pytest.mark.every(3)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("more", NETS, ids=str)
def test_padding_changes_no_logit(readout, more):
    if (readout, more["neuron"]) == ("spike_count", "relu"):
        pytest.skip("an ANN has no spikes")
    long, short = net(13, readout=readout, **more), net(8, readout=readout, **more)
    kernel = long.get_layer("classifier").layer.kernel
    kernel.assign(30 * kernel)  # so that output neurons fire
    short.set_weights(long.get_weights())
    assert np.ptp(short(SERIES)) > 0
    np.testing.assert_allclose(long(PADDED), short(SERIES), rtol=1e-4, atol=1e-5)


def test_padding_is_not_in_the_moments_of_batch_norms():
    long, short = net(13), net(8)
    long(PADDED, training=True)
    short(SERIES, training=True)
    for one, other in zip(long.get_layer("block1_norm").weights, short.get_layer("block1_norm").weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_nothing_fires_in_padding():
    model = net(13, neuron="lif")
    model.get_layer("block1_norm").beta.assign(np.full(16, 99.0))  # currents that make every neuron fire all the time
    spikes = keras.Model(model.inputs[0], model.get_layer("block1_neuron").output)(PADDED)
    assert np.all(spikes[:, 1:8] == 1)
    assert not np.any(spikes[:, 8:])


def test_a_real_step_of_zeros_inside_a_series_is_no_padding():
    mask = Standardize().compute_mask(np.array([[[1.0], [0.0], [2.0], [0.0]]], "float32"))
    np.testing.assert_array_equal(mask, [[True, True, True, False]])


def test_without_padding_there_are_no_masks():
    model = net(8, padded=False)
    assert {type(operation).__module__.split(".")[0] for operation in model.operations} <= {"keras", "keras_snnkd"}
    assert all(isinstance(operation, keras.Layer) for operation in model.operations)
    np.testing.assert_allclose(model(SERIES), net(8)(SERIES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_twin_has_the_same_layers_and_weights(kernel):
    spiking, twin = (net(8, neuron=neuron, kernel=kernel) for neuron in ("lif", "relu"))
    assert [layer.name for layer in spiking.layers] == [layer.name for layer in twin.layers]
    assert [w.shape for w in spiking.weights] == [w.shape for w in twin.weights]


def test_a_convolution_does_not_look_ahead():
    conv = CausalConv1D(4, 3, dilation_rate=2)
    changed = SERIES.copy()
    changed[:, 5:] += 1
    np.testing.assert_array_equal(np.array(conv(SERIES))[:, :5], np.array(conv(changed))[:, :5])
    assert np.any(np.array(conv(SERIES))[:, 5:] != np.array(conv(changed))[:, 5:])


@pytest.mark.parametrize("more", [{"neuron": "radlif", "kernel": 3}, {"readout": "softmax_sum"}], ids=str)
def test_survives_saving_with_its_scale(more, tmp_path):
    model = net(13, **more)
    model.get_layer("standardize").set_statistics([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    model.save(tmp_path / "model.keras")
    loaded = models.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.get_layer("standardize").deviation, [4.0, 5.0, 6.0])
    np.testing.assert_array_equal(loaded(PADDED), model(PADDED))


def test_the_scale_is_that_of_the_training_part():
    vowels = kd.data.load("japanese_vowels")
    model = build_for(vowels, models.specification("sequence:8"), "student")
    series, _ = vowels.train_arrays
    scaled = model.get_layer("standardize")(series)
    real = np.array(scaled)[np.array(Standardize().compute_mask(series))]
    np.testing.assert_allclose(real.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(real.std(0), 1, rtol=1e-4)


@pytest.mark.slow
def test_gradients_reach_every_weight():
    model = net(13, neuron="radlif", kernel=2)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    model.get_layer("block1_norm").gamma.assign(np.full(16, 9.0))  # so that neurons fire
    before = model.get_weights()
    model.fit(PADDED, np.arange(6) % 4, verbose=0)
    names = [weight.name for weight in model.weights if weight.trainable]
    changed = [weight.name for weight, old in zip(model.weights, before, strict=True) if weight.trainable and np.any(weight.numpy() != old)]
    assert changed == names


def test_filters_in_front_of_dense_layers():
    model = models.SequenceNet((8, 3), 4, widths=(6, 5), kernel=(3, 1))
    kernels = {layer.name: layer.kernel.shape for layer in model.layers if isinstance(layer, CausalConv1D)}
    assert kernels == {"block1_conv": (3, 3, 6)}
    assert model.get_layer("block2_dense").layer.kernel.shape == (6, 5)


def test_currents_start_at_the_scale_that_is_asked_for():
    model = net(8, norm_scale=5.0)
    currents = keras.Model(model.inputs, model.get_layer("block1_norm").output)(SERIES, training=True)
    np.testing.assert_allclose(np.std(currents, axis=(0, 1)), 5.0, rtol=1e-2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kernel": (3, 1)}, r"kernel=\(3, 1\) has 2 numbers for 1 layers"),
        ({"kernel": (0,)}, r"kernel must be a whole number above 0, or one for each of the 1 layers, got \(0,\)"),
        ({"kernel": 1.5}, "got 1.5"),
        ({"norm_scale": 0}, "norm_scale must be a number above 0, got 0"),
        ({"norm_scale": float("inf")}, "got inf"),
    ],
    ids=str,
)
def test_kernels_and_scales_that_cannot_be(more, said):
    with pytest.raises(ValueError, match=said):
        net(8, **more)


def test_the_short_form():
    assert models.specification("sequence:64,32") == {"builder": "SequenceNet", "widths": [64, 32]}


@pytest.mark.parametrize("shape", [(8, 8, 1), (8,), (0, 3), (None, 3)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ShapeError, match=r"SequenceNet takes series \(T, C\).*for images take MLP, ConvNet or ResNet"):
        models.SequenceNet(shape, 4)


def test_names_that_are_not_known_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'adlif'"):
        net(8, neuron="adlf")
    with pytest.raises(UnknownNameError, match="Did you mean 'last'"):
        net(8, readout="lats")
    with pytest.raises(UnknownNameError, match="unknown argument"):
        net(8, neuron="lif", coupling="symplectic")


def test_networks_for_images_and_for_series_do_not_take_the_other():
    vowels, digits = kd.data.load("japanese_vowels"), kd.data.load("digits")
    with pytest.raises(ShapeError, match=r"japanese_vowels holds series \(29, 12\), and ConvNet takes images; take sequence:64,64"):
        build_for(vowels, models.specification("convnet:8"), "student")
    with pytest.raises(ShapeError, match="SequenceNet takes series"):
        build_for(digits, models.specification("sequence:8"), "student")


def test_a_masked_mean():
    mask = np.array([[True, True, False]])
    np.testing.assert_array_equal(MeanOverTime()(np.array([[[2.0], [4.0], [99.0]]], "float32"), mask=mask), [[3.0]])


def test_batch_norm_takes_masks():
    layer = BatchNormalization(momentum=0.0)
    layer(PADDED, training=True, mask=np.repeat([[True] * 8 + [False] * 5], 6, axis=0))
    np.testing.assert_allclose(layer.moving_mean, SERIES.mean((0, 1)), rtol=1e-4, atol=1e-6)
