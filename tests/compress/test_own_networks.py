"""Networks of somebody's own, in shapes that no builder here makes: each way to compress takes them, or says why not."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_snnkd as kd
from keras_snnkd import compress, graphs, metrics
from keras_snnkd.distill.objectives import SpikeBudget
from keras_snnkd.errors import NothingToGainError
from keras_snnkd.layers import Direct, MeanOverTime, OverTime
from keras_snnkd.layers.synapses import UncountableError
from keras_snnkd.run.compressing.ways import used

IMAGES = np.random.default_rng(0).random((16, 6, 6, 1), "float32")
LABELS = np.arange(16) % 3


def convolution(name, filters=8, **arguments):
    return OverTime(layers.Conv2D(filters, 3, padding="same", **arguments), name=name)


def neurons(name):
    return kd.neurons.LIF(name=name, threshold=0.2)


def spiking(*between, name="own"):
    """Two steps of an image, layers, and a classifier of three classes."""
    image = keras.Input((6, 6, 1), name="image")
    x = Direct(2, name="direct")(image)
    for layer in between:
        x = layer(x)
    return keras.Model(image, MeanOverTime(name="mean")(OverTime(layers.Dense(3), name="classifier")(x)), name=name)


def flat(name="flat"):
    return OverTime(layers.Flatten(), name=name)


def loaded(model, path):
    model.save(path)
    return kd.models.load(path)


def sequential():
    norm = layers.BatchNormalization(name="norm")
    stack = [Direct(2), convolution("one"), norm, neurons("n1"), convolution("two"), neurons("n2"), flat(), OverTime(layers.Dense(3))]
    return keras.Sequential([keras.Input((6, 6, 1)), *stack, MeanOverTime()], name="stack")


def nested():
    start = keras.Input((2, 6, 6, 1))
    block = keras.Model(start, neurons("n1")(convolution("one")(start)), name="block")
    return spiking(block, convolution("two"), neurons("n2"), flat(), name="nested")


@pytest.mark.parametrize("make", [sequential, nested])
def test_a_stack_from_a_file_and_models_inside_are_graphs_as_others_are(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = loaded(make(), tmp_path / "own.keras")
    answers = np.asarray(model(IMAGES))
    np.testing.assert_allclose(compress.plain(kd.models.prunable(model, "unstructured"))(IMAGES), answers, atol=0.05)
    assert sum("mask" in layer.name for layer in kd.models.prunable(model, "unstructured").layers) == 2
    assert compress.narrowed(model, IMAGES, share=0.5).count_params() < model.count_params()
    np.testing.assert_allclose(kd.models.with_timesteps(model, 2)(IMAGES), answers, atol=1e-5)
    integers = kd.models.quantize_aware(model, IMAGES)
    assert np.mean(np.argmax(integers(IMAGES), -1) == answers.argmax(-1)) > 0.7


def test_channels_of_layers_that_are_called_twice_stay():
    shared = convolution("shared", use_bias=False)
    model = spiking(convolution("one"), neurons("n1"), shared, neurons("n2"), shared, neurons("n3"), flat())
    with pytest.raises(NothingToGainError, match="no Conv2D or Dense that is called once"):
        compress.narrowed(model, IMAGES, share=0.5)
    longer = spiking(convolution("zero"), neurons("n1"), convolution("one"), neurons("n2"), convolution("two"), neurons("n3"), flat())
    narrow = compress.narrowed(longer, IMAGES, share=0.5)
    assert narrow.get_layer("one").output.shape[-1] < 8


@pytest.mark.parametrize("behind", [neurons, lambda name: layers.BatchNormalization(name=name)])
def test_channels_are_cut_where_flattened_maps_go_to_synapses_alone(behind):
    first = [convolution("one"), neurons("n1"), convolution("two")]
    model = spiking(*first, neurons("n2"), flat(), behind("behind"), OverTime(layers.Dense(7), name="dense"), neurons("n3"))
    narrow = compress.narrowed(model, IMAGES, share=0.5)
    assert narrow.get_layer("one").output.shape[-1] < 8
    assert narrow.get_layer("two").output.shape[-1] == 8


def test_zeros_of_a_layer_that_is_called_twice_count_once():
    shared = convolution("shared", use_bias=False)
    model = spiking(convolution("one"), neurons("n1"), shared, neurons("n2"), shared, neurons("n3"), flat())
    pruned = kd.models.prunable(model, "magnitude")
    for layer, share in zip(compress.prunable_layers(pruned), (0.1, 0.9, 0.2), strict=True):
        layer.width.assign(float(np.quantile(np.abs(layer.trained_kernel.numpy()), share)))
    assert metrics.connection_sparsity(pruned) == pytest.approx(metrics.connection_sparsity(compress.plain(pruned)))


def test_a_device_reaches_every_synapse():
    dense = layers.TimeDistributed(layers.Dense(3), name="dense")
    separable = OverTime(layers.SeparableConv2D(8, 3, padding="same"), name="separable")
    for model in (spiking(flat(), dense, neurons("n1")), spiking(separable, neurons("n1"), flat())):
        noisy = compress.device_accuracy(model, IMAGES, np.argmax(model(IMAGES), -1), compress.Device(noise=0.5))
        assert noisy.perfect == 1
        assert noisy.sd > 0
    series = keras.Sequential([keras.Input((5, 4)), layers.GRU(3)])
    with pytest.raises(UncountableError, match="GRU"):
        compress.device_accuracy(series, np.zeros((2, 5, 4), "float32"), [0, 1], compress.Device(noise=0.5))


def test_whether_a_network_is_pruned_is_told_also_where_connections_are_not_counted():
    recurrent = spiking(flat(), OverTime(layers.Dense(6)), neurons("n1"), layers.LSTM(5, return_sequences=True))
    assert not compress.is_pruned(recurrent)
    with pytest.raises(UncountableError):
        metrics.connection_sparsity(recurrent)


@pytest.mark.parametrize("add", [layers.Add(name="both"), lambda branches: branches[0] + branches[1]], ids=["layer", "plus"])
def test_a_budget_counts_each_spike_of_a_sum(add):
    image = keras.Input((6, 6, 1))
    first = neurons("n1")(convolution("one")(Direct(2)(image)))
    second = neurons("n2")(convolution("two")(first))
    both = add([first, second])
    third = neurons("n3")(OverTime(layers.Conv2D(4, 1), name="three")(both))
    logits = MeanOverTime()(OverTime(layers.Dense(3))(flat()(third)))
    model = keras.Model(image, logits)
    budget = SpikeBudget(synops=1.0)
    budget.prepare(model)
    first_read, sum_read, last_read = (row.tap for row in budget.read)
    assert (first_read, last_read) == ("n1", "flat")
    assert isinstance(graphs.flat(model).get_layer(sum_read), layers.Add)
    spikes = [np.asarray(keras.Model(image, one)(IMAGES)).sum() / len(IMAGES) for one in (first, second)]
    counted, _ = used(model, SpikeBudget(synops=1.0, student_tap=["n1"]), IMAGES)
    into_two = metrics.synaptic_operations(model, IMAGES).layers["two"]["effective_acs"]
    assert counted == pytest.approx(into_two + 4 * sum(spikes), rel=1e-4)  # each spike has four readers behind the sum
    assert budget.read[1].possible == 2 * 6 * 6 * 8 * 2 * 4
