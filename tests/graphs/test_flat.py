"""A model laid open computes what it did, trains what it trained, and shows the layers of the models inside it."""

import keras
import numpy as np
import pytest

from keras_snnkd import graphs

IMAGES = np.random.default_rng(0).uniform(size=(6, 8, 8, 3)).astype("float32")


def block(name="block"):
    layers = [
        keras.layers.Conv2D(4, 3, name="conv"),
        keras.layers.BatchNormalization(momentum=0.5, name="norm"),
        keras.layers.ReLU(name="relu"),
    ]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers], name=name)


def nested(**arguments):
    """A block in a model, whose own layer `conv` has the name of one in the block."""
    image = keras.Input((8, 8, 3))
    x = block()(image, **arguments) * 2.0
    x = keras.layers.Conv2D(3, 3, name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, keras.layers.Dense(3, name="top")(x), name="nested")


def test_it_computes_the_same_with_the_same_weights():
    model = nested()
    flat = graphs.flat(model)
    assert [layer.name for layer in flat.layers][1:] == ["block_conv", "norm", "relu", "block", "conv", "mean", "top"]
    assert {id(weight) for weight in flat.weights} == {id(weight) for weight in model.weights}
    np.testing.assert_array_equal(flat(IMAGES), model(IMAGES))
    assert graphs.flat(flat) is flat


@pytest.mark.parametrize("arguments", [{}, {"training": False}], ids=["as it comes", "frozen"])
def test_in_training_it_does_what_keras_does(arguments):
    model = nested(**arguments)
    before = model.get_weights()
    theirs = np.array(model(IMAGES, training=True))
    moved = model.get_weights()
    model.set_weights(before)
    np.testing.assert_allclose(graphs.flat(model)(IMAGES, training=True), theirs, atol=1e-6)
    for ours, weight in zip(model.get_weights(), moved, strict=True):
        np.testing.assert_allclose(ours, weight, atol=1e-6)


def test_models_in_models_in_models_are_laid_open():
    middle = keras.Sequential([keras.Input((8, 8, 3)), block("inner"), keras.layers.Flatten()], name="middle")
    model = keras.Sequential([keras.Input((8, 8, 3)), middle, keras.layers.Dense(2)])
    flat = graphs.flat(model)
    assert {"conv", "inner", "middle"} <= {layer.name for layer in flat.layers}
    np.testing.assert_array_equal(flat(IMAGES), model(IMAGES))


def test_a_block_used_twice_is_one_with_two_calls():
    image, shared = keras.Input((8, 8, 3)), block()
    model = keras.Model(image, keras.layers.Add()([shared(image), shared(image * 0.5)]))
    np.testing.assert_array_equal(graphs.flat(model)(IMAGES), model(IMAGES))
    assert [name for name, layer, *_ in graphs.calls(model) if isinstance(layer, keras.layers.Conv2D)] == ["conv", "conv:2"]


def test_branches_meet_in_layers_however_they_were_written(tmp_path):
    image = keras.Input((8, 8, 3))
    left, right = keras.layers.Conv2D(4, 3, name="left")(image), keras.layers.Conv2D(4, 3, name="right")(image)
    both = keras.ops.concatenate([left + right, right], axis=-1) + 1.0
    scaled = both + keras.layers.GlobalAveragePooling2D(keepdims=True)(both)
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(scaled)))
    flat = graphs.flat(model)
    merges = [layer for layer in flat.layers if isinstance(layer, (keras.layers.Add, keras.layers.Concatenate))]
    assert [type(layer).__name__ for layer in merges] == ["Add", "Concatenate"]  # neither a constant nor maps of another size
    assert {layer.name for layer in merges} < {operation.name for operation in model.operations}
    np.testing.assert_array_equal(flat(IMAGES), model(IMAGES))
    assert graphs.flat(flat) is flat
    inside = graphs.flat(keras.Sequential([keras.Input((8, 8, 3)), model]))
    np.testing.assert_array_equal(inside(IMAGES), model(IMAGES))
    inside.save(tmp_path / "flat.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "flat.keras")(IMAGES), model(IMAGES))


def test_laid_open_it_can_be_saved(tmp_path):
    model = nested()
    graphs.flat(model).save(tmp_path / "flat.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "flat.keras")(IMAGES), model(IMAGES))


def test_a_network_of_keras_applications():
    backbone = keras.applications.MobileNetV2(input_shape=(32, 32, 3), weights=None, include_top=False, pooling="avg", alpha=0.35)
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, keras.layers.Dense(3)])
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(graphs.flat(model)(images), model(images), atol=1e-6)
    assert "block_16_depthwise" in [name for name, *_ in graphs.calls(model)]


def test_an_unbuilt_sequential_model_is_named():
    with pytest.raises(ValueError, match=r"Sequential model mine is not built.*keras\.Input\(image_shape\)"):
        graphs.check_built(keras.Sequential([keras.layers.Dense(3)], name="mine"))


def test_images_of_any_size_become_those_of_one_size():
    image = keras.Input((None, None, 3), name="picture")
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, name="conv")], name="inner")
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(inner(image))), name="open")
    sized = graphs.sized(model, (8, 8, 3))
    assert sized.input_shape == (None, 8, 8, 3)
    assert sized.get_layer("conv").output.shape == (None, 6, 6, 4)
    assert {id(weight) for weight in sized.weights} == {id(weight) for weight in model.weights}
    np.testing.assert_array_equal(sized(IMAGES), model(IMAGES))
    assert model.input_shape == (None, None, None, 3)
    assert graphs.sized(sized, (8, 8, 3)) is sized
    assert graphs.sized(model, (8, 8, 1)) is model
