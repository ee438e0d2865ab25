"""The general objectives: weights of samples, gradients, projections, configs, and what they refuse."""

import inspect
import math

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives import FeatureMap, FiringRate, KerasLoss, SoftTargets, SpikeTrain
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.distill.objective_cases import array, normal
from tests.harness import gradients

PAIRS = {
    "soft_targets": (SoftTargets(), (4, 2, 3), (4, 2, 3)),
    "soft_targets per step": (SoftTargets(time="per_step"), (4, 3), (4, 2, 3)),
    "spike_train": (SpikeTrain(window=1), (4, 2, 3), (4, 2, 3)),
    "firing_rate": (FiringRate(), (4, 2, 3), (4, 2, 3)),
    "firing_rate per layer": (FiringRate(per="layer"), (4, 2, 3), (4, 2, 3)),
    "feature_map": (FeatureMap(), (4, 2, 2, 3), (4, 2, 2, 2, 3)),
}


every_objective = pytest.mark.parametrize(("objective", "teacher_shape", "student_shape"), PAIRS.values(), ids=PAIRS)


@every_objective
@pytest.mark.parametrize("column", [False, True], ids=["[B]", "[B, 1]"])
def test_sample_weights_weigh_the_losses_of_samples(objective, teacher_shape, student_shape, column):
    teacher, student = normal(*teacher_shape), normal(*student_shape)
    weights = array(2, 0, 1, 0.5, shape=(4, 1) if column else (4,))
    single = [float(objective.compute_loss(teacher[[b]], student[[b]])) for b in range(4)]
    assert min(single) > 0
    value = float(objective.compute_loss(teacher, student, sample_weight=weights))
    assert value == pytest.approx(float(np.mean(np.ravel(weights) * single)), rel=1e-4)


@every_objective
def test_the_teacher_gets_no_gradient(objective, teacher_shape, student_shape):
    _, (to_teacher, to_student) = gradients(
        lambda teacher, student: objective.compute_loss(teacher, student) + 0 * keras.ops.sum(teacher),
        normal(*teacher_shape),
        normal(*student_shape),
    )
    assert not np.any(to_teacher)
    assert np.any(to_student)


@every_objective
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_computes_in_float32(objective, teacher_shape, student_shape, dtype):
    teacher, student = (keras.ops.cast(normal(*shape), dtype) for shape in (teacher_shape, student_shape))
    value = objective.compute_loss(teacher, student)
    assert value.dtype == "float32"
    exact = objective.compute_loss(keras.ops.cast(teacher, "float32"), keras.ops.cast(student, "float32"))
    np.testing.assert_array_equal(value, exact)


def test_soft_targets_of_large_float16_logits_are_finite():
    logits = keras.ops.cast([[6e4, -6e4]], "float16")
    assert np.isfinite(SoftTargets(temperature=1.0).compute_loss(logits, -logits))


@pytest.mark.parametrize(
    ("objective", "teacher_shape", "student_shape"),
    [
        (SpikeTrain, (4, 2, 5), (4, 2, 3)),
        (FiringRate, (4, 2, 5), (4, 2, 3)),
        (FeatureMap, (4, 5), (4, 2, 3)),
        (FeatureMap, (4, 2, 2, 2, 5), (4, 2, 4, 4, 3)),
    ],
)
def test_another_width_gets_a_trained_projection(objective, teacher_shape, student_shape):
    objective = objective()
    assert objective.helpers == []
    objective.build((None, *teacher_shape[1:]), (None, *student_shape[1:]))
    (projection,) = objective.helpers
    assert projection.kernel.shape == (3, 5)
    teacher, student = normal(*teacher_shape), normal(*student_shape)
    _, (to_student, to_kernel) = gradients(lambda x: objective.compute_loss(teacher, x), student, variables=[projection.kernel])
    assert np.any(to_student)
    assert np.any(to_kernel)


def test_the_same_width_needs_no_projection():
    objective = FeatureMap()
    objective.build((None, 2, 2, 3), (None, 2, 2, 3))
    assert objective.helpers == []


def test_works_in_the_distiller_of_keras():
    teacher, student = tiny.plain(9, "teacher"), tiny.plain()
    objective = SoftTargets(temperature=2.0)
    expected = float(objective.compute_loss(teacher(tiny.IMAGES), student(tiny.IMAGES)))
    distiller = keras.distillation.Distiller(teacher, student, [objective])
    distiller.compile("sgd", tiny.crossentropy())
    logs = tiny.fit(distiller, batch_size=12)
    assert logs["distillation_loss"] == pytest.approx(expected, rel=1e-4)


def test_a_loss_of_keras_is_an_objective():
    loss = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    objective = kd.objectives.get(loss)
    teacher, student = normal(4, 3), normal(4, 3)
    assert isinstance(objective, KerasLoss)
    assert (objective.name, objective.teacher_tap, objective.student_tap) == ("logits_distillation", "output", "output")
    np.testing.assert_allclose(objective.compute_loss(teacher, student), SoftTargets(2.0).compute_loss(teacher, student), rtol=1e-4)


@pytest.mark.parametrize(
    ("layers", "taps"),
    [(("hidden", "block1"), ("hidden", "block1")), (("hidden", None), ("hidden", "output")), ((None, None), ("output", "output"))],
)
def test_a_feature_loss_of_keras_reads_the_layers_it_names(layers, taps):
    objective = KerasLoss(keras.distillation.FeatureDistillation("mse", *layers))
    assert (objective.teacher_tap, objective.student_tap) == taps


def test_the_larger_maps_are_averaged_down_whichever_side_has_them():
    large = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    small = np.array([[2.5, 4.5], [10.5, 12.5]], "float32").reshape(1, 2, 2, 1)  # the means of its 2x2 blocks
    assert float(FeatureMap().compute_loss(large, small)) == 0
    assert float(FeatureMap().compute_loss(small, large)) == 0
    assert float(FeatureMap().compute_loss(large, small + 2)) == 4


def test_maps_are_compared_with_a_layer_without_maps_by_the_mean_of_each_channel():
    maps = np.arange(8, dtype="float32").reshape(1, 2, 2, 2)  # channel means 3 and 4
    assert float(FeatureMap().compute_loss(maps, np.array([[3.0, 6.0]], "float32"))) == 2
    spikes = np.zeros((1, 4, 2, 2, 1), "float32")
    spikes[0, :2] = 1
    assert float(SpikeTrain(window=2).compute_loss(spikes, np.zeros((1, 4, 1), "float32"))) == 0.5  # rates 1 and 0 in the two windows


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("soft_target", UnknownNameError, "Did you mean 'soft_targets'"),
        ({"objective": "spike_trian"}, UnknownNameError, "Did you mean 'spike_train'"),
        ({"temperature": 2.0}, UnknownNameError, "unknown objective None"),
        ({"objective": "soft_targets", "temprature": 2.0}, UnknownNameError, "Did you mean 'temperature'"),
        ({"objective": "feature_map", "wieght": 2.0}, UnknownNameError, "Did you mean 'weight'"),
        ({"objective": "feature_map", "reduction": "summ"}, UnknownNameError, "Did you mean 'sum'"),
        ({"objective": "firing_rate", "per": "chanel"}, UnknownNameError, "Did you mean 'channel'"),
        ({"objective": "soft_targets", "time": "per_stp"}, UnknownNameError, "Did you mean 'per_step'"),
        ({"objective": "soft_targets", "reduction": "persample"}, UnknownNameError, "Did you mean 'per_sample'"),
        ({"objective": "soft_targets", "weight": -0.1}, ValueError, "SoftTargets: weight must be a number of at least 0, got -0.1"),
        ({"objective": "soft_targets", "weight": math.nan}, ValueError, "weight must be a number of at least 0"),
        ({"objective": "soft_targets", "temperature": 0}, ValueError, "temperature must be a number greater than 0, got 0"),
        ({"objective": "soft_targets", "temperature": "4"}, ValueError, "temperature must be a number greater than 0, got '4'"),
        ({"objective": "soft_targets", "student_temperature": 0}, ValueError, "student_temperature must be a number greater than 0"),
        ({"objective": "spike_train", "window": 0}, ValueError, "window must be a whole number of time steps above 0, got 0"),
        ({"objective": "spike_train", "window": 1, "stride": 1.5}, ValueError, "stride must be a whole number"),
        ({"objective": "spike_train", "window": 1, "filter_tau": 2.0}, ValueError, "not both"),
        ({"objective": "spike_train", "filter_tau": 0}, ValueError, "filter_tau must be a number greater than 0"),
        (7, TypeError, "got 7"),
    ],
    ids=str,
)
def test_refuses_names_and_numbers_that_cannot_be(identifier, error, message):
    with pytest.raises(error, match=message):
        kd.objectives.get(identifier)


@pytest.mark.parametrize(
    ("objective", "teacher_shape", "student_shape", "message"),
    [
        (SoftTargets(), (2, 3), (2, 4), r"\[B, 3\] .* \[B, 4\]: both must be logits .* same classes"),
        (SoftTargets(), (2, 5, 3), (2, 4), r"\[B, 5, 3\] .* \[B, 4\]"),
        (SoftTargets(), (2, 4, 4, 3), (2, 3), r"\[B, 4, 4, 3\] .* \[B, 3\]"),
        (SpikeTrain(), (2, 5), (2, 4, 5), r"\[B, 5\] .* \[B, 4, 5\]: .* such as FeatureMap or SoftTargets"),
        (SpikeTrain(), (2, 4, 5), (2, 5), r"\[B, 4, 5\] .* \[B, 5\]: both must be spike trains"),
        (SpikeTrain(window=5), (2, 4, 5), (2, 4, 5), r"\[B, 4, 5\] .* window of 5 steps is longer than the student's T=4"),
        (SpikeTrain(), (2, 6, 5), (2, 4, 5), r"\[B, 6, 5\] .* \[B, 4, 5\]: the teacher's T must be a multiple of the student's"),
        (SpikeTrain(), (2, 2, 5), (2, 4, 5), "must be a multiple of the student's"),
        (SpikeTrain(filter_tau=2.0), (2, 8, 5), (2, 4, 5), "the teacher's T must be the student's"),
        (FeatureMap(), (2, 4, 4, 5), (2, 6, 4, 5), r"\[B, 4, 4, 5\] .* \[B, 6, 4, 5\]: the size of one map must be a whole multiple"),
        (FeatureMap(), (2, 3, 4, 5), (2, 2, 4, 5), "whole multiple"),
    ],
)
def test_refuses_taps_that_do_not_fit(objective, teacher_shape, student_shape, message):
    with pytest.raises(ShapeError, match=message):
        objective.compute_loss(np.ones(teacher_shape), np.ones(student_shape))


ARGUMENTS = {
    SoftTargets: {
        "temperature": 2.0,
        "student_temperature": 3.0,
        "reduction": "elementwise",
        "time": "sum",
        "distance": "mixed_kl",
        "forward_weight": 0.3,
        "reverse_weight": 0.6,
        "head_mass": 0.4,
    },
    SpikeTrain: {"window": 3, "stride": 2, "filter_tau": None},
    FiringRate: {"per": "layer"},
    FeatureMap: {"reduction": "sum", "distance": "l1", "temperature": 2.0, "transform": 1},
}


COMMON = {"teacher_tap": "block2_neuron", "student_tap": "block1_neuron", "weight": 0.5, "name": "mine"}


@pytest.mark.parametrize("cls", ARGUMENTS)
def test_every_argument_is_in_the_config_and_comes_back(cls, tmp_path):
    arguments = {**ARGUMENTS[cls], **COMMON}
    parameters = {*inspect.signature(cls).parameters, *inspect.signature(Objective).parameters} - {"kwargs"}
    objective = cls(**arguments)
    assert objective.get_config() == arguments
    assert set(arguments) == parameters
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(copy) is cls
    assert copy.get_config() == arguments


def test_the_names_are_those_of_the_classes():
    own = [name for name in kd.objectives.names() if name != "coached"]  # which is named after what it paces
    assert [kd.objectives.get(name).name for name in own] == own
    assert set(ARGUMENTS) <= {type(kd.objectives.get(name)) for name in kd.objectives.names()}


def test_an_adapted_loss_of_keras_comes_back_from_its_config():
    loss = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    objective = KerasLoss(loss, weight=0.5, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert copy.get_config() == objective.get_config()
    teacher, student = normal(4, 3), normal(4, 3)
    np.testing.assert_array_equal(copy.compute_loss(teacher, student), objective.compute_loss(teacher, student))
