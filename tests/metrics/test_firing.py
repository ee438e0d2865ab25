import keras
import numpy as np
import pytest

from keras_snnkd import layers, metrics, models, neurons
from keras_snnkd.errors import ShapeError
from keras_snnkd.metrics.firing import shown_neurons


def _direct_neurons(timesteps=4, **arguments):
    """One neuron per input value, which is its current at every step."""
    current = keras.Input((2, 1))
    spikes = neurons.LIF(tau=2.0, name="hidden", **arguments)(layers.Direct(timesteps)(current))
    return keras.Model(current, layers.MeanOverTime()(keras.layers.Flatten()(spikes)[:, None]))


def test_rates_spikes_silent_and_saturated_of_a_hand_computed_layer():
    # tau=2, threshold=1, hard reset, four steps: current 0 never fires, 1.5 fires at steps 2 and 4, 2 fires at every step
    images = np.array([[0.0, 2.0], [1.5, 2.0]], "float32")[..., None]
    measured = metrics.activity(_direct_neurons(), images)
    assert measured.rates == {"hidden": (0 + 4 + 2 + 4) / 16}
    assert measured.spikes_per_image == (0 + 4 + 2 + 4) / 2
    assert measured.silent == {"hidden": 0.0}  # the first neuron is silent on the first image only
    assert measured.saturated == {"hidden": 0.5}
    assert metrics.activity(_direct_neurons(), images[:1]).silent == {"hidden": 0.5}


@pytest.mark.slow
def test_padded_steps_are_none_in_which_a_neuron_could_have_fired():
    long, short = (models.SequenceNet((steps, 2), 3, widths=(6, 5), norm_scale=3.0) for steps in (9, 4))
    short.set_weights(long.get_weights())
    series = np.random.default_rng(0).normal(size=(5, 9, 2)).astype("float32")
    series[:, 4:] = 0
    measured = metrics.activity(long, series, batch_size=2)
    assert measured == metrics.activity(short, series[:, :4])
    assert measured.rates["block1_neuron"] > 0
    series[0, 4:] = 1  # one of them whole: 4 series of 4 steps and one of 9
    spikes = keras.Model(long.inputs[0], long.get_layer("block1_neuron").output)(series)
    assert metrics.activity(long, series).rates["block1_neuron"] == pytest.approx(np.sum(spikes) / (25 * 6))


def test_the_batch_size_does_not_matter():
    model = models.ConvNet((8, 8, 1), 10, widths=(4, "pool", 4), timesteps=3)
    images = np.random.default_rng(0).random((7, 8, 8, 1), "float32") * 3
    whole, parts = metrics.activity(model, images), metrics.activity(model, images, batch_size=3)
    assert list(whole.rates) == ["block1_neuron", "block2_neuron"]
    assert whole == parts
    assert 0 < whole.rates["block1_neuron"] < 1


def test_spikes_equal_those_of_a_model_with_the_layer_as_output():
    model = models.MLP((4, 4, 1), 3, widths=(6, 5), timesteps=3, neuron="plif")
    images = np.random.default_rng(1).random((5, 4, 4, 1), "float32") * 3
    taps = keras.Model(model.inputs[0], [model.get_layer(f"block{i}_neuron").output for i in (1, 2)])
    spikes = [np.asarray(s) for s in taps(images, training=False)]
    measured = metrics.activity(model, images)
    assert measured.spikes_per_image == pytest.approx(sum(s.sum() for s in spikes) / 5)
    assert list(measured.rates.values()) == pytest.approx([s.mean() for s in spikes])
    assert measured.rate == pytest.approx(np.concatenate([s.ravel() for s in spikes]).mean())


def test_membranes_that_never_fire_and_ann_twins_have_no_rates():
    images = np.ones((2, 8, 8, 1), "float32")
    readout = models.ConvNet((8, 8, 1), 10, widths=(4,), readout="membrane")
    assert list(metrics.activity(readout, images).rates) == ["block1_neuron"]
    twin = models.ConvNet((8, 8, 1), 10, widths=(4,), neuron="relu")
    assert metrics.activity(twin, images) == metrics.Activity({}, 0.0, {}, {})
    assert metrics.raster(twin, images[0]) == {}


def test_activity_is_plain_data():
    measured = metrics.Activity({"a": 0.5}, 3.0, {"a": 0.0}, {"a": 0.1})
    assert measured.to_dict() == {"rates": {"a": 0.5}, "spikes_per_image": 3.0, "silent": {"a": 0.0}, "saturated": {"a": 0.1}, "rate": None}


def test_raster_is_time_by_neurons_and_holds_zeros_and_ones():
    image = np.array([1.5, 2.0], "float32")[:, None]
    assert metrics.raster(_direct_neurons(), image)["hidden"].tolist() == [[0, 1], [1, 1], [0, 1], [1, 1]]
    model = models.ConvNet((8, 8, 1), 10, widths=(4,), timesteps=3)
    rows = metrics.raster(model, np.ones((8, 8, 1), "float32"), neurons=10)
    assert rows["block1_neuron"].shape == (3, 10)
    assert set(np.unique(rows["block1_neuron"])) <= {0, 1}


def test_a_raster_of_a_large_layer_shows_neurons_that_fire():
    train = np.zeros((2, 1000), "uint8")
    train[1, 7::100] = 1  # ten neurons
    assert train[:, shown_neurons(train, 4)].any(axis=0).all()
    assert shown_neurons(train, 4).tolist() == [7, 307, 607, 907]
    of_twenty = train[:, shown_neurons(train, 20)]
    assert of_twenty.any(axis=0).sum() == 10  # all of them, and as many silent ones
    assert of_twenty.shape == (2, 20)
    assert shown_neurons(np.zeros((2, 5)), 2).tolist() == [0, 4]


def test_what_cannot_be_measured_is_refused_in_words():
    model = _direct_neurons()
    with pytest.raises(ShapeError, match=r"takes images \[B, 2, 1\], got an array of shape \(3, 5\)"):
        metrics.activity(model, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="no images"):
        metrics.activity(model, np.zeros((0, 2, 1)))


def test_neurons_in_a_model_inside_are_seen():
    model, images = _direct_neurons(), np.random.default_rng(0).uniform(0, 3, (5, 2, 1)).astype("float32")
    outer = keras.Sequential([keras.Input((2, 1)), model])
    assert metrics.activity(outer, images) == metrics.activity(model, images)


class Comparator(keras.layers.Layer):
    """An own neuron: fires where its current is above 1."""

    emits_spikes = True

    def call(self, currents):
        return keras.ops.cast(currents > 1, "float32")


def test_own_neurons_take_part():
    currents = keras.Input((2, 3))
    model = keras.Model(currents, Comparator(name="own")(currents))
    images = np.array([[[2, 0, 2], [0, 0, 2]]], "float32")
    found = metrics.activity(model, images)
    assert (found.rates, found.spikes_per_image) == ({"own": 0.5}, 3.0)
    assert (found.silent["own"], found.saturated["own"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert metrics.activation_sparsity(model, images) == 0.5
    assert metrics.raster(model, images[0])["own"].tolist() == [[1, 0, 1], [0, 0, 1]]


def test_a_subclassed_model_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="expected a functional or sequential model"):
        metrics.activity(Subclassed(), np.zeros((1, 2, 1)))
