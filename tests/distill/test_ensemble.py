"""An ensemble is one teacher with the mean of its members' logits."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.ensemble import Ensemble, WeightedMean
from keras_snnkd.errors import ShapeError
from tests.distill import tiny


def trained_apart(*models):
    """Models whose batch norms have moments of their own."""
    for model in models:
        model(tiny.IMAGES, training=True)
    return models


MEMBERS = {
    "two T": lambda: (tiny.snn(timesteps=2), tiny.snn(timesteps=5, width=9)),
    "one T": lambda: (tiny.snn(timesteps=4), tiny.snn(timesteps=4, width=9, neuron="if")),
    "one T, counts": lambda: (tiny.snn(readout="spike_count"), tiny.snn(width=9, readout="spike_count")),
    "spiking and not": lambda: (tiny.snn(), tiny.ann(), tiny.plain()),
    "alone": lambda: (tiny.snn(),),
    "twice": lambda: (tiny.plain(),) * 2,
}


@pytest.mark.every(3)
@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_output_is_the_weighted_mean_of_the_members(members, weighted):
    models = trained_apart(*MEMBERS[members]())
    weights = [1, 3, 0.5][: len(models)] if weighted else None
    expected = np.average([model(tiny.IMAGES) for model in models], axis=0, weights=weights)
    ensemble = Ensemble(models, weights)
    assert ensemble.output_shape == (None, 3)
    np.testing.assert_allclose(ensemble(tiny.IMAGES), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("members", "shape"), [("two T", (12, 3)), ("one T", (12, 4, 3)), ("one T, counts", (12, 3)), ("spiking and not", (12, 3))]
)
def test_the_logits_are_those_of_each_step_where_all_members_have_the_same_steps(members, shape):
    models = trained_apart(*MEMBERS[members]())
    found = kd.TapModel(Ensemble(models), ["logits", "output"])(tiny.IMAGES)
    assert found["logits"].shape == shape
    assert found["output"].shape == (12, 3)
    tap = "logits" if len(shape) == 3 else "output"
    expected = np.mean([kd.TapModel(model, [tap])(tiny.IMAGES)[tap] for model in models], axis=0)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-5, atol=1e-6)


def test_teaches_a_student_and_stays_as_it_is():
    models = tiny.snn(width=9, name="first"), tiny.ann(name="second")
    teacher = Ensemble(models, [2, 1])
    before = tiny.values(teacher)
    logs = tiny.fit(tiny.compiled(tiny.snn(), teacher, ["soft_targets"]))
    assert logs["soft_targets"] > 0
    tiny.assert_equal_weights(teacher, before)
    assert teacher.count_params() == sum(model.count_params() for model in models)


def test_a_saved_ensemble_comes_back(tmp_path):
    ensemble = Ensemble(trained_apart(*MEMBERS["spiking and not"]()), [1, 2, 3])
    ensemble.save(tmp_path / "ensemble.keras")
    np.testing.assert_allclose(kd.models.load(tmp_path / "ensemble.keras")(tiny.IMAGES), ensemble(tiny.IMAGES), rtol=1e-6)


def test_members_can_be_tapped_saved_and_trained_as_before(tmp_path):
    models = trained_apart(*MEMBERS["two T"]())
    configs = [model.get_config() for model in models]
    Ensemble(models)
    for model, config in zip(models, configs, strict=True):
        assert model.get_config() == config
        model.save(tmp_path / "member.keras")
        np.testing.assert_array_equal(kd.models.load(tmp_path / "member.keras")(tiny.IMAGES), model(tiny.IMAGES))


@pytest.mark.parametrize(
    ("make", "weights", "error", "message"),
    [
        (list, None, ValueError, "at least one model"),
        (lambda: [tiny.plain(), tiny.plain(classes=4, name="other")], None, ShapeError, r"same outputs: student has \(3,\), other \(4,\)"),
        (lambda: [tiny.plain(), tiny.plain(shape=(4, 4, 3), name="other")], None, ShapeError, r"same inputs: student has \(4, 4, 1\)"),
        (lambda: [tiny.plain()], [1, 2], ValueError, r"each of the 1 models, not all 0, got \[1, 2\]"),
        (lambda: [tiny.plain()], [0], ValueError, "not all 0"),
        (lambda: [tiny.plain()] * 2, [2, -1], ValueError, "at least 0"),
        (lambda: [tiny.Subclassed(name="closed")], None, ValueError, "closed is a Subclassed; .* functional API"),
    ],
)
def test_refuses_members_and_weights_that_do_not_fit(make, weights, error, message):
    with pytest.raises(error, match=message):
        Ensemble(make(), weights)


def test_the_mean_has_every_argument_in_its_config():
    layer = keras.layers.deserialize(keras.layers.serialize(WeightedMean([1, 3], name="mean")))
    np.testing.assert_allclose(layer([np.zeros((2, 5)), np.ones((2, 5))]), np.full((2, 5), 0.75))
