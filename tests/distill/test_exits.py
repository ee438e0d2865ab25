"""Exits learn from the network and from each other, as the official codes have it."""

import inspect
import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_snnkd as kd
from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives.exits import Exits
from keras_snnkd.distill.objectives.logits import SoftTargets
from keras_snnkd.errors import ShapeError, UnknownNameError
from tests.distill import tiny
from tests.harness import gradients, oracle_cases

TOLERANCE = {"rtol": 1e-4, "atol": 5e-6}
ENHANCED, JOINT = (oracle_cases("losses_exits.npz", method) for method in ("enhanced_self_distillation", "joint_asnn"))
WHOLE = {"label_weight": 1.0, "distillation_weight": 1.0}


def exits_first(array):
    """`[B, E, ...]` as `[E, B, ...]`, and back."""
    return np.swapaxes(array, 0, 1)


def crossentropy(labels, logits):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)


@pytest.mark.every(3)
@pytest.mark.parametrize("case", ENHANCED, ids=str)
def test_exits_are_those_of_enhanced_self_distillation(case):
    settings, labels, steps = case.settings, case["labels"], case.settings["time_step"]
    objective = Exits(temperature=settings["temperature"], label_weight=settings["alp"], distillation_weight=settings["beta"])
    target, valid = objective.target_and_validity(exits_first(case["exit_logits"]), labels)
    np.testing.assert_allclose(target, case["target_logits"], **TOLERANCE)
    np.testing.assert_array_equal(valid, case["valid"])
    of_network = 1.0 if settings["variant"] == "imagenet" else settings["alp"]  # the distiller's label_weight

    def total(exits):
        return (of_network * crossentropy(labels, exits[:, -1]) + ops.mean(objective.of_exits(exits, labels))) / steps

    value, (gradient,) = gradients(total, exits_first(case["exit_logits"]))
    expected = case["loss"]
    if "no_valid_sample" in (settings["edge"] or ""):  # where the official code has NaN, and the gradient of the labels' part
        assert np.isnan(expected)
        last = crossentropy(labels, case["exit_logits"][-1]) if settings["variant"] == "imagenet" else 0
        expected = (settings["alp"] * case["sum_ce"] + last) / steps
    np.testing.assert_allclose(value, expected, **TOLERANCE)
    np.testing.assert_allclose(exits_first(gradient), case["grad_exit_logits"], **TOLERANCE)


@pytest.mark.parametrize("case", JOINT, ids=str)
def test_exits_that_learn_from_the_final_one_are_joint_asnns(case):
    tau, alpha, labels = case.settings["temperature"], case.settings["alpha"], case["labels"]
    order = (1, 2, 3, 0)  # the official 0 is the final exit
    ann = np.stack([case[f"ann_logits_{i}"] for i in order], axis=1)
    snn = np.stack([exits_first(case[f"snn_logits_{i}"]) for i in order], axis=1)
    exits = Exits("final", temperature=tau, label_weight=0.0, distillation_weight=1.0)
    ann_to_snn = SoftTargets(tau, time="sum", distance="soft_cross_entropy")

    log_p = ops.log_softmax(ann[:, -1] / tau)
    entropies = 3 * tau**2 * float(ops.mean(-ops.sum(ops.exp(log_p) * log_p, axis=-1)))
    np.testing.assert_allclose(ops.mean(exits.of_exits(ann)) + entropies, case["loss_exit_kd"], **TOLERANCE)
    np.testing.assert_allclose(
        sum(ann_to_snn.compute_loss(ann[:, i], snn[:, i]) for i in range(4)), case["loss_ann_to_snn_kd"], **TOLERANCE
    )

    def total(ann, snn):
        labelled = sum(crossentropy(labels, ann[:, i]) + crossentropy(labels, ops.sum(snn[:, i], axis=1)) for i in range(4))
        distilled = ops.mean(exits.of_exits(ann)) + sum(ann_to_snn.compute_loss(ann[:, i], snn[:, i]) for i in range(4))
        return (1 - alpha) * labelled + alpha * distilled

    _, (to_ann, to_snn) = gradients(total, ann, snn)
    for place, i in enumerate(order):
        np.testing.assert_allclose(to_ann[:, place], case[f"grad_ann_logits_{i}"], **TOLERANCE)
        np.testing.assert_allclose(exits_first(to_snn[:, place]), case[f"grad_snn_logits_{i}"], **TOLERANCE)


LOG3 = math.log(3)
TWO = np.array([[[0, 0], [0, LOG3]], [[0, 0], [LOG3, 0]]], "float32")  # two samples; the branch is undecided: class 0


@pytest.mark.parametrize(
    ("arguments", "labels", "loss"),
    [
        # sample 0: the network alone is right, p = (1/4, 3/4); sample 1: both are, target logits (log(3) / 2, 0)
        ({"distance": "mse", "label_weight": 0.0}, [1, 0], [LOG3**2 / 2, 2 * (LOG3 / 2) ** 2 / 2]),
        ({"temperature": 1.0, "label_weight": 0.0}, [1, 1], [2 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)), 0.0]),  # 1: none is right
        ({"distillation_weight": 0.0}, [1, 0], [math.log(2), math.log(2)]),
        ({"target": "final", "distance": "mse", "label_weight": 0.0}, None, [LOG3**2 / 2, LOG3**2 / 2]),
        ({"target": "final", "distance": "mse"}, [0, 0], [LOG3**2 / 2 + math.log(2), LOG3**2 / 2 + math.log(2)]),
    ],
    ids=str,
)
def test_exits_by_hand(arguments, labels, loss):
    np.testing.assert_allclose(Exits(**{**WHOLE, **arguments}).of_exits(TWO, labels), loss, rtol=1e-5, atol=1e-6)


def test_the_target_gets_no_gradient_and_the_branch_does():
    for arguments in ({"target": "correct"}, {"target": "final"}, {"target": "final", "distance": "mse"}):
        objective = Exits(**arguments, label_weight=0.0)
        _, (gradient,) = gradients(lambda exits, o=objective: ops.mean(o.of_exits(exits, [1, 1])), TWO[:1].repeat(2, axis=0))
        assert np.any(gradient[:, 0])
        np.testing.assert_allclose(gradient[:, 1], 0, atol=1e-7)  # the network's own exit is the target


def taps(time=2):
    random = np.random.default_rng(0)
    maps, vectors, logits = (random.uniform(size=shape).astype("float32") for shape in ((6, time, 4, 4, 2), (6, time, 5), (6, time, 3)))
    return [maps, vectors, logits]


@pytest.mark.parametrize("labels", [tiny.LABELS[:6], tiny.LABELS[:6, None], np.eye(3, dtype="float32")[tiny.LABELS[:6]]], ids=np.shape)
def test_branches_on_maps_and_vectors_give_exits(labels):
    objective = Exits(width=7, student_tap=("maps", "vectors", "logits"))
    value = objective.compute_loss(None, taps(), labels)
    shapes = [tuple(weight.shape) for helper in objective.helpers for weight in helper.weights]
    assert shapes == [(3, 3, 2, 7), (7,), (7, 3), (3,), (5, 7), (7,), (7, 3), (3,)]
    rates = [tap.mean(axis=1) for tap in taps()]
    convolution, first, dense, second = objective.helpers
    exits = np.stack([first(ops.mean(convolution(rates[0]), axis=(1, 2))), second(dense(rates[1])), rates[2]], axis=1)
    np.testing.assert_allclose(value, np.mean(objective.of_exits(exits, tiny.LABELS[:6])), rtol=1e-5)
    assert np.isfinite(value)


def test_per_time_step_divides_by_the_number_of_steps():
    whole, divided = Exits(student_tap=("a", "b", "logits")), Exits(student_tap=("a", "b", "logits"), per_time_step=True)
    for objective in (whole, divided):
        objective.build(None, [(None, *tap.shape[1:]) for tap in taps(4)])
    divided.branches = whole.branches
    values = [float(objective.compute_loss(None, taps(4), tiny.LABELS[:6])) for objective in (whole, divided)]
    assert values[1] == pytest.approx(values[0] / 4, rel=1e-6)


def test_a_student_learns_with_its_exits_and_leaves_them_behind(tmp_path):
    student = tiny.snn()
    before = tiny.values(student)
    distiller = tiny.compiled(student, objectives=[Exits(width=5, student_tap=("block1_neuron", "logits"))])
    branch = [weight.numpy() for weight in distiller.objectives[0].helpers[0].weights]
    logs = tiny.fit(distiller)
    assert logs["exits"] > 0
    assert distiller.describe() == "1 label + 1 exits(block1_neuron+logits)"
    assert any(np.any(old != new.numpy()) for old, new in zip(branch, distiller.objectives[0].helpers[0].weights, strict=True))
    assert any(np.any(old != new) for old, new in zip(before, tiny.values(student), strict=True))
    assert {layer.name for layer in student.layers} == {layer.name for layer in tiny.snn().layers}
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    for helper, other in zip(distiller.helpers, loaded.helpers, strict=True):
        np.testing.assert_array_equal(helper.kernel, other.kernel)


def test_gradients_of_the_branch_reach_the_layers_below_it():
    student = tiny.snn()
    objective = Exits(width=5, student_tap=("block1_neuron", "logits"))
    taps = kd.TapModel(student, ["block1_neuron", "logits"])
    kernel = student.get_layer("block1_dense").kernel

    def loss(images):
        found = taps(images, training=True)
        return objective.compute_loss(None, [found["block1_neuron"], found["logits"]], tiny.LABELS)

    _, (_, to_kernel) = gradients(loss, tiny.IMAGES, variables=[kernel])
    assert np.any(to_kernel)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "correkt"}, UnknownNameError, "Did you mean 'correct'"),
        ({"distance": "msee"}, UnknownNameError, "Did you mean 'mse'"),
        ({"temperature": 0}, ValueError, "temperature must be a number greater than 0"),
        ({"label_weight": -1}, ValueError, "label_weight must be a number of at least 0"),
        ({"distillation_weight": "1"}, ValueError, "distillation_weight must be a number of at least 0"),
        ({"width": 0}, ValueError, "width must be a whole number above 0, got 0"),
        ({"teacher_tap": "logits"}, ValueError, "takes no teacher_tap"),
    ],
    ids=str,
)
def test_refuses_arguments_that_cannot_be(arguments, error, message):
    with pytest.raises(error, match=message):
        Exits(**arguments)


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({}, (None, 2, 3), "name at least one hidden layer and, last, the logits"),
        ({}, [(None, 2, 3)], "name at least one hidden layer"),
        ({}, [(None, 2, 3), (None, 2, 4, 4, 3)], r"must be logits \[B, C\] or \[B, T, C\]"),
        ({"per_time_step": True}, [(None, 5), (None, 3)], "per_time_step divides by T, and none of these has time"),
    ],
)
def test_refuses_taps_that_do_not_fit(arguments, shapes, message):
    with pytest.raises(ShapeError, match=message):
        Exits(**arguments).build(None, shapes)


def test_labels_are_needed_unless_the_final_exit_is_all_there_is_to_learn():
    with pytest.raises(ValueError, match="needs the labels"):
        Exits().of_exits(TWO)
    assert np.all(np.isfinite(Exits("final", label_weight=0.0).of_exits(TWO)))


def test_every_argument_is_in_the_config_and_comes_back():
    arguments = {
        "target": "final",
        "distance": "mse",
        "temperature": 2.0,
        "label_weight": 0.7,
        "distillation_weight": 0.1,
        "width": 8,
        "per_time_step": True,
        "student_tap": ("block1_neuron", "logits"),
        "weight": 0.5,
        "name": "mine",
    }
    objective = Exits(**arguments)
    assert objective.get_config() == {**arguments, "teacher_tap": None}
    assert set(objective.get_config()) == {*inspect.signature(Exits).parameters, *inspect.signature(Objective).parameters} - {"kwargs"}
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(copy) is Exits
    assert copy.get_config() == objective.get_config()
