"""Thresholds, masks and schedules have the official codes' numbers; what is pruned becomes plain zeros."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import compress, metrics
from keras_snnkd.compress.pruning import linear, sine, temperature
from keras_snnkd.errors import UnknownNameError
from keras_snnkd.layers.pruned import MAPPINGS, gate, inverse_soft_threshold, penalty
from tests.distill import tiny
from tests.harness import gradients, oracle_cases


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "stds"), ids=str)
def test_thresholds_are_those_of_stds(case):
    mapping = MAPPINGS[case.settings["mapping"]]
    weight, (gradient,) = gradients(lambda theta: mapping(theta, case.settings["width"]), case["theta"], upstream=case["upstream"])
    np.testing.assert_allclose(weight, case["weight"], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(weight == 0, case["weight"] == 0)
    np.testing.assert_allclose(gradient, case["grad_theta"], rtol=1e-6)


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "stds_inverse"), ids=str)
def test_the_inverse_mapping_is_that_of_stds(case):
    np.testing.assert_allclose(inverse_soft_threshold(case["weight"], case.settings["width"]), case["theta"], rtol=1e-6)


def test_the_schedules_of_the_width_are_those_of_stds():
    (case,) = oracle_cases("compression.npz", "stds_schedule")
    done = case["step"] / case.settings["total_steps"]
    np.testing.assert_allclose([linear(part) for part in done], case["linear"], rtol=1e-5)
    np.testing.assert_allclose([sine(part) for part in done], case["sine"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "pruning_mask"), ids=str)
def test_masks_are_those_of_unstructured_pruning(case):
    hard, beta = float(case.settings["phase"] == "hard"), case.settings["temperature"]

    def output(x, score):
        return x * gate(score, beta, hard)

    value, found = gradients(output, case["x"], case["mask_value"], upstream=case["upstream"])
    np.testing.assert_allclose(value, case["output"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[0], case["grad_x"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(0 if found[1] is None else found[1], case["grad_mask_value"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "pruning_penalty"), ids=str)
def test_the_penalty_is_that_of_unstructured_pruning(case):
    names = [array.removesuffix("_mask") for array in case.arrays if array.startswith("layer") and array.endswith("_mask")]
    price = case.settings["lambda_"]

    def total(*masks):
        parts = [penalty(m, case[f"{n}_temperature"], price * case[f"{n}_lambda"]) for n, m in zip(names, masks, strict=True)]
        return sum(parts)

    value, found = gradients(total, *(case[f"{name}_mask"] for name in names))
    np.testing.assert_allclose(value, case["loss"], rtol=1e-5)
    for name, gradient in zip(names, found, strict=True):
        official = case[f"grad_{name}_mask"]
        np.testing.assert_allclose(gradient, official, rtol=1e-4, atol=1e-6 * np.abs(official).max())


@pytest.mark.parametrize("case", oracle_cases("compression.npz", "pruning_temperature"), ids=str)
def test_the_temperature_is_that_of_unstructured_pruning(case):
    given = case.settings
    found = [temperature(step, given["T0"], given["Tmax"], given["init_temperature"], given["final_temperature"]) for step in case["step"]]
    np.testing.assert_allclose(found, case["temperature"], rtol=1e-5)


# A network


def convnet():
    return kd.models.ConvNet((6, 6, 1), 3, widths=(3, "pool", 4), timesteps=2, threshold=0.3, head="flatten")


IMAGES = np.random.default_rng(0).random((12, 6, 6, 1), "float32")
LABELS = np.arange(12) % 3


@pytest.mark.parametrize("arguments", [{}, {"width": 0.05}, {"method": "magnitude"}, {"method": "unstructured", "neurons": False}], ids=str)
def test_a_prunable_network_computes_what_it_did_and_shares_no_weights(arguments):
    model = convnet()
    student = compress.prunable(model, **arguments)
    np.testing.assert_allclose(student(IMAGES), model(IMAGES), rtol=1e-5, atol=1e-6)
    assert not {id(weight) for weight in student.weights} & {id(weight) for weight in model.weights}
    assert {layer.name for layer in model.layers} <= {layer.name for layer in student.layers}


@pytest.fixture(scope="module", params=["stds", "unstructured"])
def trained(request):
    """A student pruned to 75 per cent while it learns from itself, and how sparse it was after each epoch."""
    model = kd.models.MLP((6, 6, 1), 3, widths=(6,), timesteps=2, threshold=0.3)
    student = compress.prunable(model, request.param, penalty=1e-6)
    distiller = kd.Distiller(student, model, ["soft_targets"])
    distiller.compile(keras.optimizers.Adam(0.01), tiny.crossentropy())
    seen = []
    tell = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(metrics.connection_sparsity(student)))
    distiller.fit(IMAGES, LABELS, batch_size=4, epochs=4, verbose=0, callbacks=[compress.Pruning(sparsity=0.75), tell])
    return student, seen


@pytest.mark.every(2)
def test_training_ends_with_the_wanted_share_of_zeros(trained):
    student, seen = trained
    neurons = any(isinstance(layer, kd.layers.NeuronMask) for layer in student.layers)
    assert seen[-1] == pytest.approx(0.75, abs=0.01)
    assert neurons or seen[0] < 0.7  # of 0.75, half-way through the schedule


def test_what_is_pruned_becomes_zeros_of_ordinary_layers(trained, tmp_path):
    student, _ = trained
    plain = compress.plain(student)
    np.testing.assert_allclose(plain(IMAGES), student(IMAGES), rtol=1e-5, atol=1e-6)
    assert metrics.connection_sparsity(plain) >= metrics.connection_sparsity(student)
    assert not compress.prunable_layers(plain)
    assert type(plain.get_layer("classifier").layer) is keras.layers.Dense
    assert [layer.name for layer in plain.layers] == [layer.name for layer in student.layers if not layer.name.endswith("_mask")]


def test_a_pruned_student_comes_back_from_its_file(trained, tmp_path):
    student, _ = trained
    student.save(tmp_path / "student.keras")
    loaded = kd.models.load(tmp_path / "student.keras")
    np.testing.assert_array_equal(loaded(IMAGES), student(IMAGES))


def test_masked_neurons_become_channels_without_input():
    student = compress.prunable(convnet(), "unstructured")
    mask = student.get_layer("block1_neuron_mask")
    for layer in compress.prunable_layers(student):
        layer.hard.assign(1.0)
    mask.score.assign([1.0, -1.0, 1.0])
    plain = compress.plain(student)
    np.testing.assert_allclose(plain(IMAGES), student(IMAGES), rtol=1e-5, atol=1e-6)
    assert not np.any(plain.get_layer("block1_conv").kernel[..., 1])
    assert np.all(np.any(plain.get_layer("block1_conv").kernel, axis=(0, 1, 2)) == [True, False, True])


def test_balanced_scores_by_hand():
    # 1/14, 4/13 and 1 of the first layer, 0.2 and 1 of the second, whose weights are all smaller than those of the first
    layers = [np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.05])]
    assert [compress.pruning.balanced(layers, share) for share in (0.0, 0.2, 0.4, 0.6)] == [[0, 0], [1, 0], [1, 1], [2, 1]]


def test_a_balanced_scope_leaves_small_weights_of_a_layer_that_has_no_others():
    student = tiny.snn()
    kernel = student.get_layer("block1_dense").kernel
    kernel.assign(1e-3 * kernel)  # of which a width for all layers would leave nothing
    left = {}
    for scope in ("network", "balanced"):
        pruned = compress.prunable(student, "magnitude")
        callback = compress.Pruning(sparsity=0.7, scope=scope)
        callback.set_model(pruned)
        callback.on_train_begin()
        callback.move(1, 1)
        kernels = [layer.kernel for layer in compress.prunable_layers(pruned)]
        assert np.mean(np.concatenate([np.ravel(kernel) for kernel in kernels]) == 0) == pytest.approx(0.7, abs=0.01)
        left[scope] = np.mean(np.asarray(pruned.get_layer("block1_dense").kernel) != 0)
    assert left["network"] < 0.2 < left["balanced"]


def test_a_skipped_layer_stays_dense():
    student = kd.models.prunable(convnet(), skip=["classifier"])
    assert type(student.get_layer("classifier").layer) is keras.layers.Dense


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": 1.0}, r"above 0 and below 1, got 1\.0"),
        ({"sparsity": 0}, "above 0 and below 1"),
        ({}, "goes to a sparsity or to a width"),
        ({"sparsity": 0.5, "width": 0.1}, "goes to a sparsity or to a width"),
        ({"width": -1.0}, "at least 0"),
        ({"sparsity": 0.5, "over": 0}, "part of the training"),
        ({"sparsity": 0.5, "schedule": "sinus"}, "Did you mean 'sine'"),
    ],
)
def test_a_pruning_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        compress.Pruning(**arguments)


def test_a_layer_that_cannot_be_pruned_is_named_before_training():
    image = keras.Input((6, 6, 2))
    deep = keras.layers.DepthwiseConv2D(3, name="deep")(image)
    model = keras.Model(image, keras.layers.Dense(3, name="classifier")(keras.layers.Flatten()(deep)))
    with pytest.raises(ValueError, match=r"'deep' is a DepthwiseConv2D, which has no such form.*skip=\['deep'\]"):
        compress.prunable(model)
    assert len(compress.prunable_layers(compress.prunable(model, skip=["deep"]))) == 1
    with pytest.raises(ValueError, match="no layer left that could change"):
        compress.prunable(model, skip=["deep", "classifier"])
    with pytest.raises(UnknownNameError, match="Did you mean 'deep'"):
        compress.prunable(model, skip=["dep"])


def test_pruning_a_network_that_is_not_prunable_is_an_error_before_the_first_step():
    distiller = tiny.compiled(tiny.snn())
    with pytest.raises(ValueError, match="nothing to prune"):
        distiller.fit(tiny.IMAGES, tiny.LABELS, verbose=0, callbacks=[compress.Pruning(sparsity=0.5)])


def test_epochs_of_an_unknown_number_of_steps_are_refused():
    student = compress.prunable(tiny.snn())
    distiller = tiny.compiled(student)
    batches = ((tiny.IMAGES, tiny.LABELS) for _ in range(4))
    with pytest.raises(ValueError, match="give it steps_per_epoch"):
        distiller.fit(batches, epochs=2, verbose=0, callbacks=[compress.Pruning(sparsity=0.5)])


def two_branches(mask=True):
    """Neurons behind a batch norm that a shortcut reads too."""
    image = keras.Input((6, 6, 2))
    x = kd.layers.Direct(2)(image)
    x = kd.layers.OverTime(keras.layers.Conv2D(4, 3, padding="same"), name="first")(x)
    norm = keras.layers.BatchNormalization(name="norm")(x)
    spikes = kd.neurons.LIF(threshold=0.3, name="lif")(norm)
    y = kd.layers.OverTime(keras.layers.Conv2D(4, 3, padding="same"), name="second")(spikes)
    y = kd.neurons.LIF(threshold=0.3, name="last")(keras.layers.add([norm, y]))
    y = kd.layers.OverTime(keras.layers.Flatten())(y)
    return keras.Model(image, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(3), name="classifier")(y)))


def test_neurons_whose_currents_a_shortcut_reads_too_have_no_mask():
    student = compress.prunable(two_branches(), "unstructured")
    assert not [layer for layer in student.layers if isinstance(layer, kd.layers.NeuronMask)]


def test_layers_of_any_kind_can_be_skipped():
    image = keras.Input((5, 3))
    x = keras.layers.GRU(4, name="gru")(image)
    model = keras.Model(image, keras.layers.Dense(3, name="classifier")(x))
    (pruned,) = compress.prunable_layers(compress.prunable(model, skip=["gru"]))
    assert pruned.name == "classifier"
