"""The budget of spikes: what it counts, its loss and gradient, and what it refuses."""

import functools

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import metrics
from keras_snnkd.distill.objectives import SpikeBudget
from keras_snnkd.errors import UnknownNameError
from tests.distill import tiny
from tests.harness import gradients

SPIKES = np.array([[[1, 0, 1], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]], "float32")  # 4 spikes of 3 neurons in 2 steps, 3 and 1


def test_the_loss_is_the_excess_over_the_budget_and_its_gradient_does_not_fade():
    objective = SpikeBudget(rate=0.25, per="neuron")
    value, (gradient,) = gradients(lambda spikes: objective.compute_loss(None, spikes), SPIKES)
    assert value == pytest.approx((3 + 1) / 2 / (0.25 * 6) - 1)
    np.testing.assert_allclose(gradient, np.full(SPIKES.shape, 1 / 2 / (0.25 * 6)), rtol=1e-6)


def test_below_the_budget_there_is_neither_loss_nor_gradient():
    value, (gradient,) = gradients(lambda spikes: SpikeBudget(rate=0.5, per="neuron").compute_loss(None, spikes), SPIKES)
    assert value == 0
    assert not np.any(gradient)


def convnet(**arguments):
    return kd.models.ConvNet((6, 6, 1), 3, widths=(3, "pool", 4), timesteps=2, threshold=0.1, head="flatten", **arguments)


def test_its_operations_are_those_that_the_metrics_count():
    student, images = convnet(), np.random.default_rng(0).random((5, 6, 6, 1), "float32")
    objective = SpikeBudget(synops=1.0)
    objective.prepare(student)
    taps = kd.TapModel(student, objective.student_tap)(images)
    counted = float(keras.ops.mean(objective.counted([taps[tap] for tap in objective.student_tap])))
    exact = metrics.synaptic_operations(student, images)
    assert counted == pytest.approx(exact.effective_acs, rel=1e-6)
    assert counted > 0
    assert objective.possible == pytest.approx(sum(exact.layers[name]["dense"] for name in list(exact.layers)[1:]))


def test_a_rate_of_operations_is_that_of_the_connections_that_are_left():
    student = convnet()
    kernel = student.get_layer("classifier").layer.kernel
    kernel.assign(np.where(np.arange(kernel.shape[1]) == 0, kernel, 0.0))  # 2 of 3 columns
    objective = SpikeBudget(rate=0.5)
    objective.prepare(student)
    (convolution, classifier) = objective.read
    assert classifier.possible == kernel.shape[0] * 2  # steps
    spikes = [np.ones((1, *student.get_layer(tap).output.shape[1:]), "float32") for tap in objective.student_tap]
    assert float(objective.counted(spikes)[0]) == pytest.approx(objective.possible) == convolution.possible + classifier.possible


@pytest.mark.parametrize("per", ["operation", "neuron"])
def test_rates_of_a_twin_count_as_the_spikes_that_they_stand_for(per):
    settings = {"image_shape": (6, 6, 1), "num_classes": 3, "widths": (3,), "threshold": 0.1, "head": "flatten"}
    student = kd.models.ConvNet(**settings, timesteps=4)
    twin = kd.models.with_rates(kd.models.ConvNet(**{**settings, "threshold": None}, neuron="relu"), student, 4)
    kd.models.copy_weights(student, twin)
    images = np.random.default_rng(0).random((5, 6, 6, 1), "float32")
    counted = []
    for model in (student, twin):  # the current of the first neurons is the same at all steps, so that their rates are exact
        objective = SpikeBudget(rate=0.05, per=per)
        objective.prepare(model)
        taps = kd.TapModel(model, objective.student_tap)(images)
        counted.append((objective.possible, keras.ops.convert_to_numpy(objective.counted([taps[tap] for tap in objective.student_tap]))))
    (possible, of_spikes), (possible_of_twin, of_rates) = counted
    assert possible == possible_of_twin
    np.testing.assert_allclose(of_rates, of_spikes, rtol=1e-5)
    assert of_spikes.min() > 0


@pytest.mark.parametrize(
    "join", [keras.layers.Concatenate(), functools.partial(keras.ops.concatenate, axis=-1)], ids=["layer", "operation"]
)
def test_its_operations_are_those_behind_joined_and_masked_neurons_too(join):
    image = keras.Input((6, 6, 1))
    spikes = []
    for number in range(2):
        current = kd.layers.OverTime(keras.layers.Conv2D(3, 3, padding="same"))(kd.layers.Direct(2)(image))
        spikes.append(kd.neurons.LIF(threshold=0.1, name=f"lif{number}")(current))
    joined = kd.layers.OverTime(keras.layers.Flatten())(join(spikes))
    student = keras.Model(image, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(3))(joined)))
    images = np.random.default_rng(0).random((5, 6, 6, 1), "float32")
    for model in (student, kd.models.prunable(convnet(), "unstructured")):
        objective = SpikeBudget(synops=1.0)
        objective.prepare(model)
        assert len(objective.read) == (1 if model is student else 2)
        plain = kd.compress.plain(model)
        taps = kd.TapModel(model, objective.student_tap)(images)
        spikes = [taps[tap] for tap in objective.student_tap]
        if model is student:
            counted = float(keras.ops.mean(objective.counted(spikes)))
            assert counted == pytest.approx(metrics.synaptic_operations(plain, images).effective_acs, rel=1e-6)
            assert counted > 0


def test_its_operations_are_those_of_recurrent_neurons_too():
    student, images = kd.models.MLP((4, 4, 1), 3, widths=(5,), timesteps=3, neuron="rlif", threshold=0.2), tiny.IMAGES
    objective = SpikeBudget(synops=1.0)
    objective.prepare(student)
    taps = kd.TapModel(student, objective.student_tap)(images)
    counted = float(keras.ops.mean(objective.counted([taps[tap] for tap in objective.student_tap])))
    assert counted == pytest.approx(metrics.synaptic_operations(student, images).effective_acs, rel=1e-6)
    assert counted > 0
    assert objective.reads_steps


def test_training_tells_the_operations_and_brings_them_below_the_budget():
    student = tiny.snn()
    before = metrics.synaptic_operations(student, tiny.IMAGES).effective_acs
    budget = SpikeBudget(synops=0.5 * before)
    distiller = tiny.compiled(student, objectives=[budget], optimizer=keras.optimizers.SGD(0.2), label_weight=0.0)
    told = tiny.fit(distiller, epochs=1, batch_size=12)["synops"]
    history = distiller.fit(tiny.IMAGES, tiny.LABELS, epochs=12, batch_size=12, verbose=0).history
    after = metrics.synaptic_operations(student, tiny.IMAGES).effective_acs
    assert told > 0
    assert "val_operations" not in history
    assert after <= 0.5 * before


def test_named_layers_alone_may_count():
    objective = SpikeBudget(rate=0.1, student_tap="block2_neuron")
    objective.prepare(convnet())
    assert len(objective.student_tap) == 1
    with pytest.raises(UnknownNameError, match=r"unknown layer .* 'block3_neuron'. Did you mean"):
        SpikeBudget(rate=0.1, student_tap="block3_neuron").prepare(convnet())


def test_it_comes_back_from_its_config_whatever_student_it_met():
    objective = SpikeBudget(rate=0.1, weight=0.5)
    objective.prepare(tiny.snn())
    config = objective.get_config()
    assert (config["rate"], config["synops"], config["student_tap"], config["weight"]) == (0.1, None, None, 0.5)
    assert SpikeBudget.from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0.1, "synops": 10}, "a rate or a number of operations"),
        ({"rate": 1.0}, "above 0 and below 1"),
        ({"rate": 0}, "greater than 0"),
        ({"synops": -5}, "greater than 0"),
        ({"synops": 5, "per": "neuron"}, "synops counts operations"),
        ({"per": "layer"}, "unknown per 'layer'"),
    ],
)
def test_budgets_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpikeBudget(**arguments)


def test_a_student_without_spikes_is_refused():
    with pytest.raises(ValueError, match="no spiking neurons"):
        kd.Distiller(tiny.ann(), objectives=[SpikeBudget()])
    with pytest.raises(ValueError, match="call prepare"):
        SpikeBudget(synops=10).compute_loss(None, SPIKES)
