import keras
import numpy as np
import pytest

from keras_snnkd import layers, metrics, models


def test_connection_sparsity_is_the_share_of_zero_weights_of_all_kernels_and_of_nothing_else():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.layers[0].set_weights([np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]), np.zeros(3)])
    model.layers[2].set_weights([np.array([[1.0], [0.0], [2.0]]), np.zeros(1)])
    assert metrics.connection_sparsity(model) == 4 / 9


def test_a_shared_layer_has_its_connections_once_and_a_network_without_synapses_none():
    inputs, layer = keras.Input((2,)), keras.layers.Dense(2)
    model = keras.Model(inputs, layer(layer(keras.layers.Dense(2)(inputs))))
    layer.set_weights([np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2)])
    assert metrics.connection_sparsity(model) == 2 / 8
    assert metrics.connection_sparsity(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])) == 0


def test_activation_sparsity_is_one_minus_the_mean_rate_of_layers_of_one_size():
    model = models.MLP((4, 4, 1), 3, widths=(6, 6), timesteps=3, readout="membrane")
    images = np.random.default_rng(0).random((7, 4, 4, 1), "float32") * 3
    rates = metrics.activity(model, images).rates
    assert 0 < metrics.activation_sparsity(model, images, batch_size=3) < 1
    assert metrics.activation_sparsity(model, images, batch_size=3) == pytest.approx(1 - np.mean(list(rates.values())))


def test_zeros_of_a_relu_count_and_those_of_a_linear_output_do_not():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(keras.layers.Activation("relu")(inputs)))
    assert metrics.activation_sparsity(model, np.array([[-1.0, 0.0, 2.0, 3.0], [1.0, 1.0, 1.0, -1.0]])) == 3 / 8
    assert metrics.activation_sparsity(keras.Model(inputs, keras.layers.Activation("linear")(inputs)), np.zeros((1, 4))) is None


def test_a_relu_inside_a_layer_of_weights_counts_and_neurons_that_nobody_knows_are_not_taken_for_silent_ones():
    class Neurons(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.cast(inputs > 0.5, inputs.dtype)

    images = np.array([[-1.0, 0.0, 2.0, 3.0]], "float32")
    inside = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="relu", kernel_initializer="identity")])
    unknown = keras.Sequential([keras.Input((4,)), Neurons()])
    assert metrics.activation_sparsity(inside, images) == 2 / 4
    assert metrics.activation_sparsity(unknown, images) is None


def test_footprint_counts_bytes_of_weights_and_moments_in_their_own_format():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, dtype="bfloat16"), keras.layers.BatchNormalization()])
    assert metrics.footprint(model) == 2 * (9 * 2 + 2) + 4 * 4 * 2
    assert metrics.footprint(keras.Sequential([keras.Input((2, 3)), layers.OverTime(keras.layers.Dense(5))])) == 4 * (3 * 5 + 5)
