"""Networks for text: spiking self-attention by hand, padding, twins, files, and refusals."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ShapeError, UnknownNameError
from keras_snnkd.layers import Attend, AttentionScore, MeanOverTokens

IDS = np.array([[3, 5, 2, 0], [7, 1, 0, 0], [2, 2, 6, 4]], "int32")


@pytest.fixture(scope="module")
def student():
    return kd.models.SpikingTransformer(4, 9, 3, 8, 2, 2, timesteps=3, threshold=0.5, name="student")


def test_scores_of_spikes_count_the_common_ones_and_padding_has_none():
    queries = np.array([[[[1, 1, 0, 1], [0, 1, 1, 0]]]], "float32")  # B, T, L, D
    keys = np.array([[[[1, 0, 0, 1], [1, 1, 1, 1]]]], "float32")
    scores = AttentionScore(heads=2)(queries, keys, np.array([[1.0, 1.0]]))
    np.testing.assert_array_equal(scores[0, 0], [[[0.5, 1.0], [0.0, 0.5]], [[0.5, 0.5], [0.0, 0.5]]])
    padded = AttentionScore(heads=2)(queries, keys, np.array([[1.0, 0.0]]))
    np.testing.assert_array_equal(padded[0, 0, :, :, 1], 0.0)


def test_without_time_and_with_a_softmax_it_is_keras_attention():
    random = np.random.default_rng(0)
    query, key, value = random.normal(size=(3, 2, 5, 4)).astype("float32")
    scores = AttentionScore(heads=1, softmax=True)(query, key, np.ones((2, 5)))
    expected = keras.layers.Attention()([query / 2, value, key])
    np.testing.assert_allclose(Attend(heads=1, softmax=True)(scores, value), expected, rtol=1e-5, atol=1e-6)


def test_the_mean_over_tokens_leaves_padding_out():
    states = np.arange(12, dtype="float32").reshape(1, 2, 3, 2)
    np.testing.assert_array_equal(MeanOverTokens()(states, np.array([[1.0, 1.0, 0.0]]))[0], [[1, 2], [7, 8]])
    assert not np.any(MeanOverTokens()(states, np.zeros((1, 3))))


@pytest.mark.parametrize("neuron", ["lif", "relu"])
def test_what_stands_in_padding_changes_nothing(neuron):
    network = kd.models.SpikingTransformer(4, 9, 3, 8, 1, 2, timesteps=2, neuron=neuron)
    positions = network.get_layer("positions").table
    before = network(IDS[:2]).numpy()
    positions.assign(positions + np.array([[0], [0], [0], [9]]))  # the last place is padding in both
    np.testing.assert_allclose(network(IDS[:2]), before, atol=1e-6)
    assert np.any(network(IDS[2:]).numpy() != 0)


def test_the_twin_has_the_same_weights_under_the_same_names(student):
    twin = kd.models.SpikingTransformer(4, 9, 3, 8, 2, 2, neuron="relu")
    kd.models.copy_weights(student, twin)
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in student.weights]
    assert twin(IDS).shape == (3, 3)


def test_every_matrix_but_the_embedding_reads_spikes(student):
    found = {}
    for layer in student.layers:
        if layer.name.endswith("_dense"):
            source = keras.Model(student.inputs[0], keras.tree.flatten(layer.input)[0])
            found[layer.name] = set(np.unique(source(IDS)))
    assert len(found) == 2 * 6
    assert all(values <= {0.0, 1.0} for values in found.values())


def test_a_file_gives_the_same_answers(student, tmp_path):
    student.save(tmp_path / "student.keras")
    np.testing.assert_array_equal(kd.models.load(tmp_path / "student.keras")(IDS), student(IDS))


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"heads": 3}, ShapeError, "3 heads do not divide the width 8"),
        ({"depth": 0}, ValueError, "depth must be a whole number above 0, got 0"),
        ({"neuron": "lfi"}, UnknownNameError, "Did you mean 'lif'"),
        ({"tua": 2.0}, UnknownNameError, "Did you mean 'tau'"),
    ],
)
def test_what_cannot_be_built_is_told(arguments, error, told):
    with pytest.raises(error, match=told):
        kd.models.SpikingTransformer(4, 9, 3, 8, **arguments)


def test_operations_count_synapses_and_both_products_of_attention():
    network = kd.models.SpikingTransformer(2, 9, 2, 4, 1, 2, hidden=3, timesteps=3, threshold=0.1)
    counted = kd.metrics.synaptic_operations(network, np.array([[1, 2]], "int32"))
    steps, tokens, width = 3, 2, 4
    expected = {"block1_scores": tokens**2 * width, "block1_attend": tokens**2 * width, "block1_query_dense": tokens * width**2}
    assert {name: counted.layers[name]["dense"] for name in expected} == {name: steps * each for name, each in expected.items()}
    query, key = (
        keras.Model(network.inputs[0], network.get_layer(f"block1_{name}_neuron").output)(np.array([[1, 2]])).numpy()
        for name in ("query", "key")
    )
    common = np.einsum("btld,btnd->", query, key)
    assert counted.layers["block1_scores"]["effective_acs"] == common
    assert kd.metrics.twin_operations(network) == counted.dense / steps
