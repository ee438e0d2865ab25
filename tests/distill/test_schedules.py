"""Weights over epochs: what each schedule gives by hand, what is refused, and that a stage follows it."""

import re

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill import methods, schedules
from keras_snnkd.distill.chain import Chain
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import UnknownNameError
from tests.distill import tiny


@pytest.mark.parametrize(
    ("weight", "values"),
    [
        (0.5, [0.5, 0.5, 0.5, 0.5]),
        (2, [2, 2, 2, 2]),
        ({"schedule": "constant", "value": 3}, [3, 3, 3, 3]),
        ({"schedule": "ramp"}, [0, 0.25, 0.5, 0.75]),
        ({"schedule": "ramp", "start": 1.0, "end": 0.2}, [1.0, 0.8, 0.6, 0.4]),
        ({"schedule": "ramp", "over": 2}, [0, 0.5, 1, 1]),
        ({"schedule": "cosine"}, [1, 0.5 + 0.25 * 2**0.5, 0.5, 0.5 - 0.25 * 2**0.5]),
        ({"schedule": "cosine", "start": 0, "end": 2, "over": 2}, [0, 1, 2, 2]),
        ({"schedule": "switch", "before": 10, "after": 0.01, "at": 3}, [10, 10, 10, 0.01]),
    ],
    ids=str,
)
def test_the_weight_of_each_of_four_epochs(weight, values):
    schedule = schedules.get(weight)
    np.testing.assert_allclose([schedule(epoch, 4) for epoch in range(4)], values, atol=1e-12)
    assert schedules.first(weight) == pytest.approx(values[0])


def test_the_weight_of_the_first_batches_of_every_epoch():
    schedule = schedules.get(methods.get("sakd_imagenet").objectives[0]["weight"])
    assert [schedule(epoch, 3, batch) for epoch in (0, 2) for batch in (0, 10, 11, 500)] == [10, 10, 0.01, 0.01] * 2


def test_tks_moves_from_the_label_to_its_own_loss():
    method = methods.get("tks")
    label, own = schedules.get(method.label_weight), schedules.get(method.objectives[0]["weight"])
    for epoch in (0, 150, 599):
        assert label(epoch, 600) == pytest.approx(1 - 0.7 * epoch / 600)
        assert own(epoch, 600) == pytest.approx(0.7 * epoch / 600)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ({"schedule": "rmap"}, UnknownNameError, "unknown schedule 'rmap'. Did you mean 'ramp'?"),
        ({"start": 1.0}, UnknownNameError, "unknown schedule None"),
        ({"schedule": "ramp", "strat": 1}, UnknownNameError, "unknown argument of the schedule ramp 'strat'. Did you mean 'start'?"),
        ({"schedule": "ramp", "end": -1}, ValueError, "a weight's end (ramp) must be a number of at least 0, got -1"),
        ({"schedule": "switch", "at": 1.5}, ValueError, "a weight's at (switch) must be a whole number of epochs above 0, got 1.5"),
        (
            {"schedule": "first_batches", "at": 0},
            ValueError,
            "a weight's at (first_batches) must be a whole number of batches above 0, got 0",
        ),
        ({"schedule": "cosine", "over": 0}, ValueError, "a weight's over (cosine) must be a whole number of epochs above 0, got 0"),
        ("half", ValueError, "a weight must be a number of at least 0, got 'half'"),
        (float("nan"), ValueError, "a weight must be a number of at least 0, got nan"),
        (True, ValueError, "a weight must be a number of at least 0, got True"),
    ],
    ids=str,
)
def test_what_cannot_be_a_weight_is_refused(weight, error, message):
    with pytest.raises(error, match=re.escape(message)):
        schedules.get(weight)


def test_an_objective_starts_with_the_first_value_of_its_schedule():
    ramp = {"schedule": "ramp", "start": 0.25, "end": 1.0}
    objective = kd.objectives.get({"objective": "soft_targets", "weight": ramp})
    assert (objective.weight, objective.weight_schedule) == (0.25, ramp)
    with pytest.raises(UnknownNameError, match="unknown schedule"):
        kd.objectives.get({"objective": "soft_targets", "weight": {"schedule": "up"}})


def test_a_stage_keeps_the_schedule_of_an_objective_that_is_made_already():
    ramp = {"schedule": "ramp", "end": 2.0}
    stage = Stage("student", tiny.snn, tiny.ann(), objectives=[kd.objectives.get({"objective": "soft_targets", "weight": ramp})], epochs=4)
    schedule = stage.weights_callback(stage.distiller(tiny.snn(), tiny.ann(), 1))
    assert schedule.schedules["soft_targets"](1, 4) == 0.5
    assert stage.record()["objectives"][0]["weight_schedule"] == ramp


class Weights(keras.callbacks.Callback):
    """The weights of the loss in each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append((float(self.model.label_weight.numpy()), *(float(w.numpy()) for w in self.model.objective_weights.values())))


class EachBatch(keras.callbacks.Callback):
    """Notes the first objective's weight in every batch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        (weight,) = self.model.objective_weights.values()
        self.seen.append(float(weight.numpy()))


def test_a_callback_changes_weights_within_every_epoch():
    seen = EachBatch()
    schedule = kd.WeightSchedule({"soft_targets": {"schedule": "first_batches", "before": 4, "after": 0.5, "at": 2}})
    distiller = tiny.compiled(tiny.snn(), tiny.ann(), ["soft_targets"])
    tiny.fit(distiller, callbacks=[schedule, seen], epochs=2, batch_size=4)
    assert seen.seen == [4, 4, 0.5] * 2


def test_a_callback_takes_plain_data_and_functions():
    weights = Weights()
    ramp = kd.WeightSchedule({"soft_targets": {"schedule": "ramp", "end": 2}, "label": lambda epoch: 1.0 + epoch})
    tiny.fit(tiny.compiled(tiny.snn(), tiny.ann(), ["soft_targets"]), callbacks=[ramp, weights], epochs=2)
    assert weights.seen == [(1.0, 0.0), (2.0, 1.0)]


@pytest.mark.slow
def test_a_stage_follows_the_schedules_of_its_recipe_and_keeps_them_in_its_record(tmp_path):
    switch = {"schedule": "switch", "before": 2.0, "after": 0.5, "at": 1}
    objectives = ["soft_targets", {"objective": "soft_targets", "temperature": 2.0, "weight": switch}]
    label = {"schedule": "cosine", "start": 1.0, "end": 0.0}
    network = lambda width, name: lambda: kd.models.MLP((8, 8, 1), 10, widths=(width,), timesteps=2, name=name)  # noqa: E731
    stages = [
        Stage("teacher", network(12, "teacher"), epochs=1),
        Stage("student", network(6, "student"), teacher="teacher", objectives=objectives, label_weight=label, epochs=2),
    ]
    weights = Weights()
    data = kd.data.load("digits", limit=100, batch_size=50)
    results = Chain(stages, tmp_path).run(data, callbacks=lambda stage: [weights] if stage.name == "student" else [])
    assert weights.seen == [(1.0, 1.0, 2.0), (0.5, 1.0, 0.5)]
    assert results["student"].record["objectives"] == objectives
    assert results["student"].record["label_weight"] == label
    again = Chain(stages, tmp_path).run(data, resume=True)
    assert again["student"].record == results["student"].record
