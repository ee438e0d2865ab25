import keras
import numpy as np
import pytest

from keras_snnkd import models
from keras_snnkd.edge.readout import softmax
from keras_snnkd.errors import ShapeError
from keras_snnkd.metrics import anytime
from keras_snnkd.metrics.anytime import answers, confidence_threshold, steps_used
from keras_snnkd.report import plots

IMAGES = np.random.default_rng(0).uniform(0, 1, (40, 4, 4, 1)).astype("float32")
LABELS = np.arange(40) % 3


def network(**arguments):
    return models.build(**{"spec": "mlp:8", "timesteps": 5, "threshold": 0.3, **arguments}, image_shape=(4, 4, 1), num_classes=3)


def logits(*confidences_and_right):
    """Answers of two classes, class 0 being right, with these confidences: `(confidence, whether right)` by step."""
    steps = [[np.log(c / (1 - c)), 0.0] if right else [0.0, np.log(c / (1 - c))] for c, right in confidences_and_right]
    return np.array(steps)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["mean", "spike_count", "membrane"])
def test_the_answer_after_t_steps_is_the_output_of_the_model_with_so_many(readout):
    model = network(readout=readout)
    found = answers(model, IMAGES, batch_size=16)
    assert found.shape == (40, 5, 3)
    for t in (1, 3, 5):
        expected = models.with_timesteps(model, t).predict(IMAGES, verbose=0)
        np.testing.assert_allclose(found[:, t - 1], expected, atol=1e-5)
    assert np.ptp(found, axis=1).max() > 0.1


@pytest.mark.every(5)
@pytest.mark.parametrize("readout", ["mean", "last", "spike_count", "membrane", "softmax_sum"])
def test_padding_is_no_time(readout):
    keras.utils.set_random_seed(0)
    long, short = (models.SequenceNet((steps, 2), 3, widths=(6,), readout=readout, norm_scale=3.0) for steps in (9, 4))
    long.get_layer("classifier").layer.bias.assign([1.0, -1.0, 0.5])
    short.set_weights(long.get_weights())
    series = np.random.default_rng(0).normal(size=(12, 9, 2)).astype("float32")
    series[:, 4:] = 0
    found, labels = answers(long, series), np.arange(12) % 3
    np.testing.assert_allclose(found[:, :4], answers(short, series[:, :4]), atol=1e-6)
    np.testing.assert_allclose(found[:, -1], long.predict(series, verbose=0), atol=1e-5)
    measured, expected = (anytime(one, x, labels, (x, labels), 0.0) for one, x in ((long, series), (short, series[:, :4])))
    assert (measured.mean_steps, measured.threshold) == (expected.mean_steps, expected.threshold)
    assert np.array_equal(steps_used(found, None, np.full(12, 4)), np.full(12, 4))


def test_the_threshold_by_hand():
    over_time = np.stack(
        [
            logits((0.95, True), (0.96, True)),  # right at once, and sure
            logits((0.70, False), (0.80, True)),  # wrong at first, so that 0.7 is too low
            logits((0.60, True), (0.90, True)),
            logits((0.80, True), (0.65, True)),
        ]
    )
    labels = np.zeros(4, int)
    assert confidence_threshold(over_time, labels, tolerance=0.0) == pytest.approx(0.8)
    assert confidence_threshold(over_time, labels, tolerance=0.25) == pytest.approx(0.6)  # all stop at the first step
    np.testing.assert_array_equal(steps_used(over_time, 0.75), [1, 2, 2, 1])
    np.testing.assert_array_equal(steps_used(over_time, 0.99), [2, 2, 2, 2])
    np.testing.assert_array_equal(steps_used(over_time, None), [2, 2, 2, 2])


def test_no_threshold_where_even_the_surest_early_answer_is_wrong():
    over_time = np.stack([logits((0.99, False), (0.6, True)), logits((0.7, True), (0.8, True))])
    assert confidence_threshold(over_time, np.zeros(2, int), tolerance=0.0) is None


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.1])
def test_the_threshold_is_the_smallest_that_keeps_the_tolerance(tolerance):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 200)
    over_time = rng.normal(size=(200, 6, 4)) + 1.5 * np.eye(4)[labels][:, None] * np.linspace(0.4, 1, 6)[:, None]

    def accuracy(threshold):
        steps = steps_used(over_time, threshold)
        return (over_time[np.arange(200), steps - 1].argmax(-1) == labels).mean()

    found = confidence_threshold(over_time, labels, tolerance)
    levels = np.unique(softmax(over_time).max(-1)[:, :-1])
    enough = [level for level in levels if accuracy(level) >= accuracy(None) - tolerance - 1e-12]
    np.testing.assert_array_equal(steps_used(over_time, found), steps_used(over_time, min(enough)))


def test_the_result_is_plain_data_and_repeats_evaluate():
    model = network()
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], jit_compile=False)
    found = anytime(model, IMAGES[:30], LABELS[:30], calibration=(IMAGES[30:], LABELS[30:]), tolerance=1.0)
    assert found.accuracy[-1] == pytest.approx(model.evaluate(IMAGES[:30], LABELS[:30], verbose=0, return_dict=True)["accuracy"])
    assert (found.mean_steps, found.accuracy_at_threshold) == (1.0, found.accuracy[0]), "any loss is allowed, so it stops at once"
    assert (found.samples, found.calibration_samples) == (30, 10)
    plain = found.to_dict()
    assert [type(value).__name__ for value in plain.values()] == ["list", "float", "float", "float", "float", "int", "int"]


def test_models_without_a_readout_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"ends in 'readout' .*MeanOverTime, SpikeCount, SoftmaxSum or LastStep"):
        answers(network(neuron="relu", threshold=1.0), IMAGES)
    with pytest.raises(ShapeError, match="one label for each of 40 images"):
        anytime(network(), IMAGES, LABELS[:5], calibration=(IMAGES, LABELS))


def test_the_picture_shows_a_line_for_each_model_and_where_it_stops():
    curve = {"accuracy": [0.5, 0.75, 0.8], "threshold": 0.7, "mean_steps": 1.4, "accuracy_at_threshold": 0.79}
    svg = plots.anytime({"with": curve, "without": {**curve, "threshold": None}})
    assert svg.count("79.00 % in 1.40 steps") == 1
    assert ">with<" in svg
    assert ">without<" in svg
