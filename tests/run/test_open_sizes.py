"""Models that take images of any size: measured and exported for the size that the data has."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import ShapeError
from keras_snnkd.run.finished.card import read_card
from tests.integration import tiny


@pytest.fixture(scope="module")
def model():
    image = keras.Input((None, None, 1))
    x = kd.layers.Direct(2)(keras.layers.Conv2D(4, 3, activation="relu", name="conv")(image))
    x = kd.neurons.LIF(name="lif")(x)
    x = kd.layers.OverTime(keras.layers.GlobalAveragePooling2D())(x)
    return keras.Model(image, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(10))(x)), name="open")


COMMAND = ["--model", "open.keras", "--limit", 60, "--dataset", "digits"]


@pytest.mark.slow
def test_it_is_measured(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model.save("open.keras")
    assert tiny.run("--mode", "evaluate", *COMMAND) == 0
    assert "note:" not in capsys.readouterr().out


@pytest.mark.slow
def test_it_is_measured_and_exported(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model.save("open.keras")
    assert tiny.run("--mode", "export", *COMMAND, "--target", "float32,streaming", "--out", "edge") == 0
    assert "note:" not in capsys.readouterr().out
    card = read_card("edge/model.keras")
    assert [target["state"] for target in card["targets"]] == ["written"] * 2
    assert card["cost"]["twin_dense"] == 6 * 6 * 9 * 4 + 4 * 10


def test_what_depends_on_the_size_is_counted_on_images_or_says_what_it_needs(model):
    images = np.random.default_rng(0).random((5, 8, 8, 1), dtype="float32")
    assert 0 <= kd.metrics.activation_sparsity(model, images) <= 1
    with pytest.raises(ShapeError, match=r"open takes images \(None, None, 1\), and how many operations"):
        kd.metrics.twin_operations(model)
