"""One network runs for several T with the same weights."""

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.models import build, with_timesteps
from tests.distill import tiny
from tests.harness import gradients

IMAGES = np.random.default_rng(0).uniform(size=(4, 6, 6, 2)).astype("float32")
SPECS = {
    "MLP": {"builder": "MLP", "widths": [8, 6]},
    "ConvNet": {"builder": "ConvNet", "widths": [4, "pool", 6], "head": "flatten"},
    "ResNet": {"builder": "ResNet", "widths": [4, 6], "blocks": [1, 1]},
}


def fresh(spec="ConvNet", **arguments):
    return build(SPECS[spec], (6, 6, 2), 3, **{"timesteps": 2, "threshold": 0.3, **arguments})


def network(spec="ConvNet", **arguments):
    model = fresh(spec, **arguments)
    model(IMAGES, training=True)  # moves the batch norms' moments away from where they start
    return model


def taps(model, images=IMAGES):
    neurons = [layer.name for layer in model.layers if getattr(layer, "emits_spikes", False)]
    return kd.TapModel(model, [*neurons, "logits"])(images)


@pytest.mark.every(3)
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("neuron", ["lif", "if", "plif", "alif"])
def test_the_first_steps_are_the_same(spec, neuron):
    model = network(spec, neuron=neuron)
    few, many = taps(model), taps(with_timesteps(model, 5))
    assert sum(np.sum(many[tap]) for tap in many if "neuron" in tap) > 0
    for tap in set(few) - {"output"}:
        assert many[tap].shape[1] == 5
        np.testing.assert_allclose(many[tap][:, :2], few[tap], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"encoder": "latency", "readout": "membrane"}, {"encoder": "poisson", "readout": "spike_count"}], ids=str
)
def test_does_what_a_network_built_for_that_t_does(options):
    model, other = network(**options), fresh(**options, timesteps=7)
    kd.models.copy_weights(model, other)
    found = with_timesteps(model, 7)
    assert [layer.name for layer in found.layers] == [layer.name for layer in other.layers]
    assert found.output_shape == other.output_shape
    np.testing.assert_allclose(found(IMAGES), other(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_weights_are_shared_whichever_of_the_two_learns():
    model = network(neuron="plif")
    other = with_timesteps(model, 5)
    assert len(other.weights) == len(model.weights)
    assert all(theirs is ours for theirs, ours in zip(other.weights, model.weights, strict=True))
    _, found = gradients(lambda x: keras.ops.sum(other(x)[:, 0]), IMAGES, variables=model.trainable_variables)
    assert all(gradient is not None for gradient in found)
    assert np.any(found[1])
    before = tiny.values(model)
    other.compile("sgd", tiny.crossentropy(), jit_compile=False)
    other.fit(IMAGES, np.arange(4) % 3, verbose=0)
    assert any(np.any(old != new) for old, new in zip(before, tiny.values(model), strict=True))
    tiny.assert_equal_weights(other, tiny.values(model))


def test_the_model_is_as_it_was(tmp_path):
    model = network()
    config, outputs, tapped = model.get_config(), model(IMAGES), taps(model)
    other = with_timesteps(model, 5)
    assert other.name == "convnet_T5"
    assert model.get_config() == config
    for tap, output in taps(model).items():
        np.testing.assert_array_equal(output, tapped[tap])
    assert model.get_layer("block1_neuron").output.shape[1] == 2
    assert other.get_layer("block1_neuron").output.shape[1] == 5
    for saved in (model, other):
        saved.save(tmp_path / "model.keras")
        np.testing.assert_allclose(kd.models.load(tmp_path / "model.keras")(IMAGES), saved(IMAGES), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(model(IMAGES), outputs)


def test_of_a_compiled_of_another_and_of_a_sequential_model():
    model = network()
    model.compile("adam", "mse")
    back = with_timesteps(with_timesteps(model, 5), 2, name="back")
    assert not back.compiled
    assert back.name == "back"
    np.testing.assert_array_equal(back(IMAGES), model(IMAGES))
    layers = [
        keras.layers.Flatten(),
        kd.layers.Direct(2),
        kd.neurons.LIF(),
        kd.layers.OverTime(keras.layers.Dense(3)),
        kd.layers.MeanOverTime(),
    ]
    sequential = keras.Sequential([keras.Input((6, 6, 2)), *layers])
    assert with_timesteps(sequential, 3).layers[2].output.shape == (None, 3, 72)


@pytest.mark.filterwarnings("ignore:the student student .* is not smaller")
def test_a_student_run_for_more_steps_teaches_itself():
    student = tiny.snn()
    teacher = with_timesteps(student, 6)
    distiller = kd.Distiller(student, teacher, [{"objective": "soft_targets", "temperature": 2.0}])
    before = tiny.values(student)
    expected = float(distiller.objectives[0].compute_loss(teacher(tiny.IMAGES), kd.TapModel(student)(tiny.IMAGES, training=True)["logits"]))
    for weight, value in zip(student.weights, before, strict=True):
        weight.assign(value)  # the moments that training moved
    distiller.compile("sgd", tiny.crossentropy())
    assert tiny.fit(distiller, batch_size=12)["soft_targets"] == pytest.approx(expected, rel=1e-4)
    assert any(np.any(old != new) for old, new in zip(before, tiny.values(student), strict=True))
    tiny.assert_equal_weights(teacher, tiny.values(student))


@pytest.mark.filterwarnings("ignore:the student student .* is not smaller")
def test_the_distiller_file_holds_the_weights_once(tmp_path):
    student = tiny.snn()
    distiller = tiny.compiled(student, with_timesteps(student, 6), ["soft_targets"])
    tiny.fit(distiller)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    tiny.assert_equal_weights(loaded.student, tiny.values(student))
    np.testing.assert_array_equal(loaded.student(tiny.IMAGES), student(tiny.IMAGES))


@pytest.mark.parametrize(
    ("make", "timesteps", "message"),
    [
        (network, 0, "time steps T must be a whole number above 0, got 0"),
        (lambda: network(neuron="relu"), 2, "convnet has no encoder"),
        (lambda: tiny.Subclassed(name="closed"), 2, "closed must be a functional .* got a Subclassed"),
    ],
)
def test_refuses_what_has_no_other_t(make, timesteps, message):
    with pytest.raises(ValueError, match=message):
        with_timesteps(make(), timesteps)
