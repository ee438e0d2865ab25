import keras
import numpy as np
import pytest

from keras_snnkd import layers, metrics, models
from keras_snnkd.layers.synapses import UncountableError
from keras_snnkd.neurons import RLIF

CONV = {"kernel_size": 3, "use_bias": False, "kernel_initializer": "ones"}


def _one_layer(layer, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


def test_fan_out_at_the_border_of_a_convolution():
    # 3x3 kernel, "same", 3x3 image: a spike in the corner is seen by 4 outputs, at an edge by 6, in the middle by 9; two channels
    model = _one_layer(keras.layers.Conv2D(2, padding="same", **CONV), (3, 3, 1))
    corner, edge, middle = (np.zeros((1, 3, 3, 1), "float32") for _ in range(3))
    corner[0, 0, 0], edge[0, 0, 1], middle[0, 1, 1] = 1, 1, 1
    assert [metrics.synaptic_operations(model, image).effective_acs for image in (corner, edge, middle)] == [8, 12, 18]
    # all nine at once: 4 * 4 + 4 * 6 + 9 connections of each channel
    counted = metrics.synaptic_operations(model, np.ones((1, 3, 3, 1), "float32"))
    assert counted.dense == counted.effective_acs == 2 * (16 + 24 + 9)


def test_stride_leaves_out_connections():
    # 3x3 kernel, "valid", stride 2 on 5x5: outputs start at 0 and 2, so the middle pixel is seen by all four, the corner by one
    model = _one_layer(keras.layers.Conv2D(1, strides=2, **CONV), (5, 5, 1))
    image = np.zeros((1, 5, 5, 1), "float32")
    image[0, 2, 2], image[0, 0, 0] = 1, 1
    counted = metrics.synaptic_operations(model, image)
    assert counted.effective_acs == 4 + 1
    assert counted.dense == 4 * 9


def test_real_values_are_multiplied_and_spikes_only_added():
    model = _one_layer(keras.layers.Dense(3, kernel_initializer="ones", name="dense"), (4,))
    values = metrics.synaptic_operations(model, np.array([[0.0, 0.5, 1.0, 0.0]], "float32"))
    assert values.layers == {"dense": {"dense": 12.0, "effective_macs": 6.0, "effective_acs": 0.0}}
    spikes = metrics.synaptic_operations(model, np.array([[0, 0, 1, 0], [1, 1, 1, 0]], "float32"))
    assert spikes.layers == {"dense": {"dense": 12.0, "effective_macs": 0.0, "effective_acs": 3 * (1 + 3) / 2}}


def test_weights_that_are_zero_cost_nothing():
    layer = keras.layers.Dense(3)
    model = _one_layer(layer, (2,))
    layer.set_weights([np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]), np.ones(3)])
    counted = metrics.synaptic_operations(model, np.ones((1, 2), "float32"))
    assert (counted.effective_acs, counted.dense) == (3, 6)


@pytest.mark.parametrize("timed", [False, True])
def test_weights_count_as_what_a_layer_rounds_them_to(timed):
    layer = layers.QuantizedDense(3, weight_bits=2)
    shape = (4, 2) if timed else (2,)
    model = _one_layer(layers.OverTime(layer) if timed else layer, shape)
    layer.set_weights([np.array([[1.0, 0.1, -2.0], [0.9, 0.8, 0.3]]), np.zeros(3)])  # each column to 0 and one step of either sign
    counted = metrics.synaptic_operations(model, np.ones((1, *shape), "float32"))
    steps = 4 if timed else 1
    assert (counted.effective_acs, counted.dense) == (4 * steps, 6 * steps)
    assert metrics.connection_sparsity(model) == 2 / 6


def test_a_static_image_passes_the_first_synapse_once_and_an_encoded_one_t_times():
    images = np.full((2, 4, 4, 1), 0.5, "float32")
    static = models.MLP((4, 4, 1), 3, widths=(5,), timesteps=4)
    encoded = models.MLP((4, 4, 1), 3, widths=(5,), timesteps=4, encoder="latency")
    static, encoded = metrics.synaptic_operations(static, images), metrics.synaptic_operations(encoded, images)
    assert static.layers["block1_dense"] == {"dense": 80.0, "effective_macs": 80.0, "effective_acs": 0.0}
    assert encoded.layers["block1_dense"] == {"dense": 4 * 80.0, "effective_macs": 0.0, "effective_acs": 80.0}  # one spike an input
    assert static.layers["classifier"]["dense"] == 4 * 5 * 3


def test_accumulates_behind_neurons_are_spikes_times_fan_out():
    model = models.MLP((4, 4, 1), 3, widths=(6, 5), timesteps=3)
    images = np.random.default_rng(0).random((7, 4, 4, 1), "float32") * 3
    counted = metrics.synaptic_operations(model, images, batch_size=3)
    rates = metrics.activity(model, images).rates
    assert counted.layers["block2_dense"]["effective_acs"] == pytest.approx(rates["block1_neuron"] * 6 * 3 * 5)
    assert counted.layers["classifier"]["effective_acs"] == pytest.approx(rates["block2_neuron"] * 5 * 3 * 3)
    assert counted.effective_acs == sum(layer["effective_acs"] for layer in counted.layers.values())
    assert counted.to_dict()["dense"] == 16 * 6 + 3 * (6 * 5 + 5 * 3)


def test_averaged_spikes_are_multiplied():
    model = models.ConvNet((8, 8, 1), 10, widths=(4, 4), head="average", timesteps=2)
    counted = metrics.synaptic_operations(model, np.random.default_rng(0).random((4, 8, 8, 1), "float32") * 3)
    assert counted.layers["block2_conv"]["effective_acs"] > 0
    assert counted.layers["classifier"]["effective_acs"] == 0
    assert counted.layers["classifier"]["effective_macs"] > 0


def by_hand(layer, shape):
    """The connections of a layer of ones: the sum of its outputs on an image of ones."""
    return float(np.sum(_one_layer(layer, shape)(np.ones((1, *shape), "float32"))))


ONES = {"use_bias": False, "kernel_initializer": "ones"}


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: keras.layers.Conv1D(3, 3, padding="causal", dilation_rate=2, **ONES), (6, 2)),
        (lambda: keras.layers.Conv2D(4, 3, groups=2, padding="same", **ONES), (5, 5, 2)),
        (lambda: keras.layers.DepthwiseConv1D(3, depth_multiplier=2, use_bias=False, depthwise_initializer="ones"), (6, 2)),
        (lambda: keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_initializer="ones"), (5, 5, 2)),
        (lambda: keras.layers.Conv1DTranspose(3, 3, strides=2, padding="same", **ONES), (5, 2)),
        (lambda: keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same", **ONES), (4, 4, 2)),
    ],
    ids=["causal and dilated", "groups", "depthwise 1D", "depthwise", "transposed 1D", "transposed"],
)
def test_other_convolutions_are_counted_too(layer, shape):
    layer = layer()
    connections = by_hand(layer, shape)
    counted = metrics.synaptic_operations(_one_layer(layer, shape), np.ones((2, *shape), "float32"))
    assert counted.dense == counted.effective_acs == connections
    half = np.ones((1, *shape), "float32")
    half[0, :2] = 0
    assert metrics.synaptic_operations(_one_layer(layer, shape), half).effective_acs == float(np.sum(layer(half)))


def test_a_depthwise_convolution_over_time_is_counted_in_each_step():
    model = _one_layer(layers.OverTime(keras.layers.DepthwiseConv2D(3, name="depthwise"), name="depthwise"), (2, 5, 5, 1))
    counted = metrics.synaptic_operations(model, np.ones((1, 2, 5, 5, 1), "float32"))
    assert counted.layers == {"depthwise": {"dense": 162.0, "effective_macs": 0.0, "effective_acs": 162.0}}


def test_a_separable_convolution_is_counted_as_its_two():
    # 4x4 outputs of a 3x3 window on two channels, then from two channels to five; what the first gives is real-valued
    layer = keras.layers.SeparableConv2D(5, 3, use_bias=False, name="both", depthwise_initializer="ones")
    counted = metrics.synaptic_operations(_one_layer(layer, (6, 6, 2)), np.ones((1, 6, 6, 2), "float32"))
    assert counted.layers["both:depthwise"] == {"dense": 288.0, "effective_macs": 0.0, "effective_acs": 288.0}
    assert counted.layers["both:pointwise"] == {"dense": 160.0, "effective_macs": 160.0, "effective_acs": 0.0}
    assert metrics.twin_operations(_one_layer(layer, (6, 6, 2))) == 448


def test_attention_is_not_counted_and_says_so():
    tokens = keras.Input((4, 3))
    model = keras.Model(tokens, keras.layers.MultiHeadAttention(1, 2, name="attention")(tokens, tokens))
    with pytest.raises(UncountableError, match="'attention' is a MultiHeadAttention, whose connections are not counted"):
        metrics.synaptic_operations(model, np.ones((1, 4, 3), "float32"))


def test_a_model_without_synapses_performs_none():
    model = _one_layer(keras.layers.Flatten(), (2, 2))
    assert metrics.synaptic_operations(model, np.ones((1, 2, 2))) == metrics.Operations(0.0, 0.0, 0.0, {})


def test_spikes_of_either_sign_are_only_added():
    model = _one_layer(keras.layers.Dense(3, kernel_initializer="ones", name="dense"), (4,))
    counted = metrics.synaptic_operations(model, np.array([[1, -1, 0, 0]], "float32"))
    assert (counted.effective_macs, counted.effective_acs) == (0, 6)


def test_recurrent_synapses_carry_the_spikes_of_the_step_before():
    # 3 neurons, each joined to the 2 others; neuron 0 fires in the first of 3 steps, and one of its two weights is 0
    neurons = RLIF(tau=(1.1, 1.2))
    model = _one_layer(neurons, (3, 3))
    neurons.V.assign([[5.0, 1.0, 0.0], [1.0, 5.0, 1.0], [1.0, 1.0, 5.0]])
    currents = np.zeros((1, 3, 3), "float32")
    currents[0, 0, 0] = 2.0
    np.testing.assert_array_equal(np.sum(model(currents), (0, 2)), [1, 0, 0])
    counted = metrics.synaptic_operations(model, currents)
    assert (counted.dense, counted.effective_acs, counted.effective_macs) == (3 * 3 * 2, 1, 0)
    assert list(counted.layers) == [f"{neurons.name}:recurrent"]
    assert metrics.twin_operations(model) == 0
