"""Models on rates: one gradient for all time steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_snnkd as kd
from keras_snnkd.layers import BatchNormalization
from keras_snnkd.layers.rates import OnRates
from keras_snnkd.neurons.lanes import Lanes
from tests.harness import gradients, oracle_cases
from tests.sampling import sampled

IMAGES = np.random.default_rng(0).random((4, 8, 8, 2)).astype("float32")
UPSTREAM = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
NETWORKS = {
    "convolutions": {"builder": "ConvNet", "widths": [4, "pool", 6]},
    "flat head, average pooling": {"builder": "ConvNet", "widths": [4, "pool", 6], "head": "flatten", "pooling": "average"},
    "residual": {"builder": "ResNet", "widths": [4, 6], "blocks": [1, 1], "normalization": "threshold"},
    "dense": {"builder": "MLP", "widths": [9, 8]},
    "spike counts": {"builder": "MLP", "widths": [9, 8], "readout": "spike_count"},
    "recurrent": {"builder": "MLP", "widths": [9, 8], "neuron": "radlif", "threshold": 0.05},
    "membrane": {"builder": "MLP", "widths": [9, 8], "readout": "membrane"},
}


def build(name, **more):
    return kd.models.build({"threshold": 0.5, **NETWORKS[name], **more}, (8, 8, 2), 3)


def trained(model, forward, images=IMAGES, graph=True):
    """The logits of a forward pass in training, and the gradients of all weights."""
    logits, (_, *found) = gradients(
        lambda x: forward(x, training=True), images, upstream=UPSTREAM, variables=model.trainable_variables, graph=graph
    )
    return logits, found


@pytest.mark.every(3)
@pytest.mark.parametrize("case", oracle_cases("rate_backprop.npz", "batch_norm"), ids=str)
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_batch_norm_is_that_of_the_official_code(case, graph):
    currents = case["x"].transpose(1, 0, 3, 4, 2)  # [T, B, C, H, W] to [B, T, H, W, C]
    norm = BatchNormalization(momentum=0.0, epsilon=case.settings["eps"])
    norm.build(currents.shape)
    norm.gamma.assign(case["gamma"].ravel())
    norm.beta.assign(case["beta"].ravel())
    output, found = gradients(
        lambda mean: norm.call_on_rates(Lanes(tf.constant(currents), mean), training=True).mean,
        currents.mean(axis=1),
        upstream=case["w"].transpose(0, 2, 3, 1),
        variables=[norm.gamma, norm.beta],
        graph=graph,
    )
    np.testing.assert_allclose(norm.moving_mean, case["mean"].ravel(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, case["variance"].ravel(), rtol=1e-4)
    np.testing.assert_allclose(output, case["out"].transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0], case["grad_mean_x"].transpose(0, 2, 3, 1), rtol=1e-3, atol=2e-5)
    for ours, name in zip(found[1:], ("grad_gamma", "grad_beta"), strict=True):
        np.testing.assert_allclose(ours, case[name].ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(NETWORKS, "convolutions", "recurrent", "membrane"))
def test_with_one_step_it_is_backpropagation_through_time(name):
    model = build(name, timesteps=1)
    logits, expected = trained(model, model)
    found_logits, found = trained(model, OnRates(model))
    np.testing.assert_array_equal(found_logits, logits)
    assert np.any(expected[0])
    assert np.any(expected[-1])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.every(3)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_forward_pass_is_the_models_own(name):
    model, other = build(name, timesteps=3), build(name, timesteps=3)
    other.set_weights(model.get_weights())
    np.testing.assert_allclose(OnRates(model)(IMAGES, training=True), other(IMAGES, training=True), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(model.weights, other.weights, strict=True):  # moving moments too
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_synapses_learn_from_rates_and_eligibilities(graph):
    image = keras.Input((5,))
    first = kd.neurons.LIF(reset="soft", threshold=0.4, name="first")
    spikes = first(kd.layers.Direct(4)(image))
    second = kd.neurons.LIF(threshold=0.3, name="second")
    synapse = kd.layers.OverTime(keras.layers.Dense(3))
    model = keras.Model(image, kd.layers.MeanOverTime()(second(synapse(spikes))))
    images = np.random.default_rng(2).random((4, 5)).astype("float32")
    _, (kernel, bias) = trained(model, OnRates(model), images, graph)

    # by hand: eligibilities are gradients through time, summed over time
    currents = np.repeat(images[:, None], 4, axis=1)
    spikes = np.array(first(currents))
    moved = np.array(synapse(spikes))
    _, (through_second,) = gradients(lambda x: tf.reduce_mean(second(x), 1), moved, upstream=UPSTREAM)
    g = through_second.sum(axis=1)
    assert np.any(g)
    np.testing.assert_allclose(kernel, spikes.mean(axis=1).T @ g, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bias, g.sum(axis=0), rtol=1e-4, atol=1e-6)


def test_no_gradient_of_single_steps_is_made():
    model = build("residual", timesteps=4)
    forward = OnRates(model)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(forward(images, training=True))
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    graph = step.get_concrete_function(tf.TensorSpec((4, 8, 8, 2))).graph
    convolutions = [op for op in graph.get_operations() if op.type.startswith("Conv2DBackprop")]
    assert {op.inputs[2].shape[0] for op in convolutions} == {4}  # of B maps, not of B T
    norms = [op for op in graph.get_operations() if op.type == "FusedBatchNormGradV3"]
    assert [op.inputs[0].shape[0] for op in norms] == [4]  # of the stem, which has no time


def test_max_pooling_hands_the_gradient_to_the_largest_rate():
    pool = kd.layers.OverTime(keras.layers.MaxPooling2D(2))
    spikes = np.zeros((1, 4, 2, 2, 1), "float32")
    spikes[0, :3, 0, 0], spikes[0, 3:, 1, 1] = 1, 1
    rate, (gradient,) = gradients(lambda mean: pool.call_on_rates(Lanes(tf.constant(spikes), mean)).mean, spikes.mean(axis=1))
    assert rate.ravel().tolist() == [1.0]  # of the pooled spikes, not of the rates
    assert gradient.ravel().tolist() == [1, 0, 0, 0]


def test_a_layer_that_knows_no_rates_gets_the_gradient_of_its_steps():
    image = keras.Input((5,))
    spikes = kd.neurons.LIF(threshold=0.3)(kd.layers.Direct(4)(keras.layers.Dense(6)(image)))
    dense = keras.layers.Dense(3)
    ours = keras.Model(image, kd.layers.MeanOverTime()(dense(keras.layers.LayerNormalization()(spikes))))
    images = np.random.default_rng(2).random((4, 5)).astype("float32")
    logits, found = trained(ours, OnRates(ours), images)
    through_time, expected = trained(ours, ours, images)
    np.testing.assert_array_equal(logits, through_time)
    for one, other in zip(found[2:], expected[2:], strict=True):  # behind the neurons
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert np.any(found[0])


def test_dropout_behaves_as_in_training():
    image = keras.Input((50,))
    spikes = kd.neurons.LIF(threshold=0.1)(kd.layers.Direct(4)(image))
    model = keras.Model(image, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dropout(0.5, seed=0))(spikes)))
    ones = np.ones((2, 50), "float32")
    dropped = np.array(OnRates(model)(ones, training=True))
    assert dropped.min() < 1 < dropped.max()
    np.testing.assert_array_equal(OnRates(model)(ones), np.ones((2, 50)))


@pytest.mark.slow
def test_frozen_batch_norm_takes_its_moving_moments():
    model = build("convolutions", timesteps=3)
    model.get_layer("block2_norm").trainable = False
    before = model.get_layer("block2_norm").get_weights()
    logits, _ = trained(model, OnRates(model))
    expected, _ = trained(model, model)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(model.get_layer("block2_norm").get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_half_precision_has_about_the_same_gradient():
    _, expected = trained(model := build("convolutions", timesteps=4), OnRates(model))
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = build("convolutions", timesteps=4)
    half.set_weights(model.get_weights())
    _, found = trained(half, OnRates(half))
    for ours, theirs in zip(found, expected, strict=True):
        cosine = np.sum(ours * theirs) / (np.linalg.norm(ours) * np.linalg.norm(theirs))
        assert cosine > 0.9
