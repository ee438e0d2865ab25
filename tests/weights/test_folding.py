import keras
import numpy as np
import pytest

from keras_snnkd.weights.folding import folded, following_norm


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_folded_synapse_does_what_synapse_and_norm_did(kind, bias):
    shape = (6, 6, 3) if kind == "conv" else (7,)
    inputs = keras.Input(shape)
    make = {"conv": lambda **more: keras.layers.Conv2D(4, 3, **more), "dense": lambda **more: keras.layers.Dense(4, **more)}[kind]
    synapse, norm = make(use_bias=bias, bias_initializer="random_normal"), keras.layers.BatchNormalization()
    model = keras.Model(inputs, norm(synapse(inputs)))
    draw = np.random.default_rng(0)
    norm.set_weights([draw.normal(1, 0.5, 4), draw.normal(0, 1, 4), draw.normal(0, 1, 4), draw.uniform(0.1, 3, 4)])
    assert following_norm(synapse, model) is norm
    plain = make()
    plain.build((None, *shape))
    plain.set_weights(folded(synapse, norm))
    x = draw.normal(size=(5, *shape)).astype("float32")
    np.testing.assert_allclose(plain(x), model(x), atol=1e-5)
    kernel, offsets = folded(synapse)
    np.testing.assert_array_equal(kernel, synapse.kernel)
    assert np.any(offsets) == bias


def test_a_norm_behind_an_activation_or_that_others_read_around_is_not_folded():
    inputs = keras.Input((7,))
    active = keras.layers.Dense(4, activation="relu")
    assert following_norm(active, keras.Model(inputs, keras.layers.BatchNormalization()(active(inputs)))) is None
    synapse = keras.layers.Dense(4)
    x = synapse(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization()(x) + x)
    assert following_norm(synapse, model) is None
