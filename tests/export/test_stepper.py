import importlib
import os

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import models
from keras_snnkd.edge import Runner
from keras_snnkd.errors import ExportError, UnknownNameError
from keras_snnkd.export import litert, streaming
from keras_snnkd.export.parity import Reference
from tests.export.conftest import LITERT, SHAPE, digits
from tests.sampling import sampled

STEPPER = importlib.import_module("keras_snnkd.export.stepper")
BUILDS = {
    "lif": {"spec": "convnet:4,pool,8", "head": "flatten", "threshold": 0.3},
    "if_spike_count": {"spec": "mlp:24", "neuron": "if", "readout": "spike_count", "reset": "soft"},
    "plif_membrane_latency": {
        "spec": "mlp:24",
        "neuron": "plif",
        "readout": "membrane",
        "encoder": "latency",
        "threshold": 0.2,
        "timesteps": 6,
    },
    "alif_resnet": {"spec": "resnet:4/1", "neuron": "alif", "adaptation": 0.5, "threshold": 0.2},
    "v_reset": {"spec": "mlp:24", "v_reset": -0.5, "decay_input": False},
}


@pytest.fixture(scope="module")
def images():
    return digits()[0][:24]


@pytest.fixture(scope="module")
def student():
    keras.utils.set_random_seed(1)
    return models.build("mlp:12,12", SHAPE, 10, threshold=0.3)


@pytest.fixture(scope="module")
def reference(student, images):
    return Reference(student, images)


@pytest.fixture
def shared(monkeypatch, reference):
    """The student's outputs are computed once for all tests."""
    monkeypatch.setattr(STEPPER, "Reference", lambda model, samples: reference)


def steps_of(reference, tmp_path, quantizations=("float32",)):
    """The runner and the report of each file."""
    files = {quantize: tmp_path / f"{quantize}.tflite" for quantize in quantizations}
    reports = STEPPER.write_streaming(reference, files, list(files.values()))
    return [Runner(file) for file in files.values()], reports


@pytest.mark.parametrize("name", sampled(BUILDS, "lif"))
def test_t_steps_of_the_file_are_the_model(name, images, tmp_path, in_process):
    model = models.build(**BUILDS[name], image_shape=SHAPE, num_classes=10)
    reference = Reference(model, images)
    (exact, dynamic), reports = steps_of(reference, tmp_path, ["float32", "dynamic"])
    assert list(reports[0].spike_differences) == reference.taps
    assert max(reports[0].spike_differences.values()) == 0.0
    assert reports[0].agreement == 1.0
    assert all(spikes.any() for spikes in next(reference.chunks())[2].values())
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(exact.predict(images), expected, atol=1e-5 * np.ptp(expected))
    assert dynamic.readout == {"if_spike_count": "sum", "plif_membrane_latency": "last"}.get(name, "mean")
    assert reports[1].target == "streaming dynamic"


def test_states_are_called_after_their_layers():
    model = models.build("mlp:6", SHAPE, 10, neuron="alif", encoder="latency", readout="membrane")
    step = STEPPER.one_step(model)
    states = {
        "encoder_step": (1,),
        "block1_neuron_membrane": (1, 6),
        "block1_neuron_adaptation": (1, 6),
        "membrane_membrane": (1, 10),
    }
    assert {tensor.name: tensor.shape for tensor in step.model.inputs} == {"image": (1, *SHAPE), **states}
    assert {name: tensor.shape for name, tensor in step.model.output.items()} == {"logits": (1, 10), **states}


@pytest.mark.slow
def test_the_same_file_serves_any_number_of_steps_in_operators_that_the_fast_kernels_take(reference, student, images, tmp_path, in_process):
    (runner,), (report,) = steps_of(reference, tmp_path)
    longer = models.with_timesteps(student, 9).predict(images[:3], verbose=0)
    found = [runner.run(image, until_confidence=None, max_steps=9).logits for image in images[:3]]
    np.testing.assert_allclose(found, longer, atol=1e-5)
    assert report.operators.keys() <= {"ADD", "FLOOR", "FULLY_CONNECTED", "MINIMUM", "MUL", "RELU", "RESHAPE", "SUB"}


def test_neurons_that_are_used_twice_have_two_states():
    image = keras.Input(SHAPE)
    neuron, dense = kd.neurons.LIF(name="both"), kd.layers.OverTime(keras.layers.Dense(64))
    spikes = neuron(dense(neuron(kd.layers.Direct(3)(keras.layers.Flatten()(image)))))
    step = STEPPER.one_step(keras.Model(image, kd.layers.MeanOverTime()(spikes)), ["both"])
    assert [tensor.name for tensor in step.model.inputs] == ["image", "both_membrane", "both_membrane_again"]


@pytest.mark.slow
def test_a_network_that_takes_frames_is_stepped_frame_by_frame(images, tmp_path, in_process):
    frames = keras.Input((5, *SHAPE))
    maps = kd.layers.OverTime(keras.layers.Conv2D(4, 3))(frames)
    spikes = kd.neurons.LIF(threshold=0.2)(kd.layers.OverTime(keras.layers.Flatten())(maps))
    model = keras.Model(frames, kd.layers.MeanOverTime()(kd.layers.OverTime(keras.layers.Dense(3))(spikes)))
    clips = np.stack([images[i : i + 5] for i in range(8)])
    (runner,), (report,) = steps_of(Reference(model, clips), tmp_path)
    assert runner.image_shape == SHAPE
    np.testing.assert_allclose(runner.predict(clips), model.predict(clips, verbose=0), atol=1e-5)
    assert report.max_logit_difference < 1e-5


@pytest.mark.slow
def test_streaming_writes_one_file_by_the_converter_in_its_own_process(student, images, tmp_path, shared):
    report = streaming(student, tmp_path / "stream.tflite", quantize="dynamic", samples=images)
    assert os.listdir(tmp_path) == ["stream.tflite"]
    assert (report.target, report.bytes) == ("streaming dynamic", (tmp_path / "stream.tflite").stat().st_size)


def refused(match, model, images, folder, export=streaming):
    with pytest.raises(ExportError, match=match):
        export(model, folder / "student.tflite", samples=images)
    assert os.listdir(folder) == []


@pytest.mark.slow
def test_a_file_that_forgets_its_state_is_found(student, images, tmp_path, monkeypatch, in_process, shared):
    whole = STEPPER._NeuronStep.call

    def forgetful(layer, inputs, states):
        spikes, *_ = whole(layer, inputs, states)
        return [spikes, *(0.0 * state for state in states)]

    monkeypatch.setattr(STEPPER._NeuronStep, "call", forgetful)
    refused(r"layer block1_neuron: \d+ of its .* spikes .* differ with the membrane up to", student, images, tmp_path)


@pytest.mark.slow
def test_a_file_whose_states_are_swapped_is_found(student, images, tmp_path, monkeypatch, in_process, shared):
    build = STEPPER._model

    def swapped(inputs, outputs, over_time):
        first, second = (name for name in outputs if name.endswith("_membrane"))
        return build(inputs, {**outputs, first: outputs[second], second: outputs[first]}, over_time)

    monkeypatch.setattr(STEPPER, "_model", swapped)
    refused(r"layer block1_neuron: .* differ", student, images, tmp_path)


@pytest.mark.slow
def test_a_layer_that_mixes_time_steps_is_found(images, tmp_path, in_process):
    image = keras.Input(SHAPE)
    currents = kd.layers.Direct(4)(keras.layers.Dense(8)(keras.layers.Flatten()(image)))
    spikes = kd.neurons.LIF(threshold=0.3)(currents)
    mixed = keras.layers.Conv1D(5, 3, padding="causal")(spikes)
    refused("logits differ", keras.Model(image, kd.layers.MeanOverTime()(mixed)), images, tmp_path)
    flat = keras.layers.Dense(4)(keras.layers.Flatten()(spikes))
    folded = kd.layers.MeanOverTime()(kd.layers.Direct(2)(flat))
    refused("one time step at a time: .*every layer has to treat each step alike", keras.Model(image, folded), images, tmp_path)


def test_what_has_no_steps_or_hides_its_state_is_refused_with_the_reason(student, images, tmp_path):
    image = keras.Input(SHAPE)
    currents = kd.layers.Direct(2)(keras.layers.Flatten()(image))
    cells = keras.layers.RNN(kd.neurons.LIFCell(64), return_sequences=True, name="cells")(kd.neurons.LIF()(currents))
    stated, _ = kd.neurons.LIF(return_state=True, name="stated")(currents)
    mean = kd.layers.MeanOverTime()
    refused("has no neurons.*use keras_snnkd.export.litert", models.build("mlp:4", SHAPE, 10, neuron="relu"), images, tmp_path)
    refused(
        "ends in .*SpikeCount, SoftmaxSum or LastStep",
        keras.Model(image, mean(kd.neurons.LIF()(currents)) + 1),
        images,
        tmp_path,
    )
    refused("layer 'cells' .RNN. has a state that a streaming file would lose", keras.Model(image, mean(cells)), images, tmp_path)
    refused("layer 'stated' takes or gives its state", keras.Model(image, mean(stated)), images, tmp_path)
    refused("Poisson.*encoder='latency'", models.build("mlp:4", SHAPE, 10, encoder="poisson"), images, tmp_path)
    with pytest.raises(UnknownNameError, match="unknown quantization 'int4'"):
        streaming(student, tmp_path / "student.tflite", quantize="int4", samples=images)


class Comparator(keras.layers.Layer):
    """An own neuron, of which nobody knows whether it has a state."""

    emits_spikes = True

    def call(self, currents):
        return keras.ops.cast(currents > 1, "float32")


def test_an_own_neuron_has_no_streaming_file_and_the_message_says_what_does(images, tmp_path):
    image = keras.Input(SHAPE)
    currents = kd.layers.Direct(2)(keras.layers.Flatten()(image))
    spikes = Comparator(name="mine")(kd.neurons.LIF()(currents))
    own = keras.Model(image, kd.layers.MeanOverTime()(spikes), name="own")
    refused(
        r"own: the state of the own neurons 'mine' \(Comparator\) is not known, so that a streaming file would lose it; use the layers of "
        r"keras_snnkd\.neurons, or keras_snnkd\.export\.litert",
        own,
        images,
        tmp_path,
    )


def test_a_long_t_is_told_to_stream(student, images, tmp_path):
    long = models.with_timesteps(student, LITERT.UNROLLED_STEPS + 1)
    refused(r"T = 65.*the limit is 64.*keras_snnkd.export.streaming\(model, path", long, images, tmp_path, litert)
