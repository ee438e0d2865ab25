"""Export of one time step, with the neurons' state as inputs and outputs: for streams, for long T, and for answers before step T."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array, Shape, Tensor
from keras_snnkd.edge.tensors import PADDED_STEP_SIGNATURE, STEP_SIGNATURE
from keras_snnkd.errors import UnsupportedError
from keras_snnkd.export.freeze import check_one_input, first_line, freeze, timesteps
from keras_snnkd.export.litert import calibration_samples, check_form, needs_calibration, write_files
from keras_snnkd.export.parity import Reference
from keras_snnkd.export.report import ExportReport
from keras_snnkd.files.logits import LOGITS
from keras_snnkd.files.padding import lengths
from keras_snnkd.files.staging import staged
from keras_snnkd.keras_internals import call_again, producer
from keras_snnkd.layers import FakeQuant
from keras_snnkd.layers.encoders import Encoder
from keras_snnkd.layers.frames import Frames
from keras_snnkd.layers.readouts import Readout
from keras_snnkd.layers.series import CausalConv1D, Standardize
from keras_snnkd.metrics.anytime import final_readout
from keras_snnkd.neurons import SpikingLayer

STATES = ("membrane", "adaptation")
"""What a neuron's state is made of; a state is called `<layer>_membrane` in the file."""

CALIBRATION_SEQUENCES = 64
"""Images whose states show the ranges of a file of integers."""


def streaming(
    model: keras.Model,
    path: str | Path,
    quantize: str = "float32",
    *,
    samples: np.ndarray,
    calibration: np.ndarray | None = None,
    io: str = "float32",
) -> ExportReport:
    """Write a `.tflite` file of one time step, compare T steps of it with the model, and only then give it its name.

    ``logits[t], v[t], a[t] = file(image[t], v[t-1], a[t-1])``: the file takes `image`, one frame `[1, ...]`, and the state of each layer
    of neurons, `<layer>_membrane` (and `<layer>_adaptation`), `[1, ...]`; it gives `logits`, `[1, C]`, of this step alone, and the new
    states under the same names. Of a causal convolution the steps that it sees again are a state, `<layer>_past`. A state is the distance
    from rest: a sequence starts with zeros. With latency encoding the number of the step, from 0, is a state too, `encoder_step`. The
    file's size does not depend on T. `keras_snnkd.edge.Runner` runs it.

    The step's logits are what the readout reads: the classifier's output, whose mean over the steps is the model's output; with
    `readout="spike_count"` the output neurons' spikes, whose sum it is; with `readout="membrane"` the membrane potentials, of which the
    last ones count. The name of the file's signature says which, and T: `mean_of_4_steps`, `sum_of_4_steps`, `last_of_4_steps`.

    Args:
        model: A functional Keras model with one input (an image, or frames `[B, T, ...]`) and a readout over time as its last
            layer: of neurons, or the ANN twin of such a network for series.
        path: The file; one that exists is replaced.
        quantize: As in `litert`.
        samples: Real images (or sequences of frames) to compare on, float `[N, ...]`.
        calibration: As in `litert`; the network runs on these images to see its states.
        io: As in `litert`, for the states too: of a quantization-aware model they are whole steps of its membranes in and out, so that
            nothing is rounded between the steps.

    Returns:
        What the comparison found.

    Raises:
        UnknownNameError: For an unknown `quantize` or `io`.
        ValueError: For integers in and out of a file that computes with floats.
        UnsupportedError: If the model cannot be run step by step: no neurons, no readout, a layer with another state, several
            inputs.
        ExportError: If the model cannot be exported at all (random encoding, weights that are not finite), or the
            file does not do what the model does. Nothing is written then.
        ShapeError: If the samples do not fit the model.
        OutputError: If the file cannot be written.

    Example:
        >>> kd.export.streaming(student, "student_streaming.tflite", samples=images)
        >>> kd.edge.Runner("student_streaming.tflite").run(images[0], until_confidence=0.9)
    """
    check_form(quantize, io)
    reference = Reference(model, samples)
    with staged(path) as (file,):
        (report,) = write_streaming(reference, {quantize: file}, [Path(path)], calibration, io)
    return report


def write_streaming(
    reference: Reference, files: dict[str, Path], finals: list[Path], calibration: np.ndarray | None = None, io: str = "float32"
) -> list[ExportReport]:
    """Write and verify a file of one time step for each quantization, which will be renamed to `finals`."""
    check_one_input(reference.model, "a file of one time step", "write all steps, keras_snnkd.export.litert, with T of at most 64")
    last = producer(reference.model.outputs[0])
    if isinstance(last, FakeQuant):  # rounds the answer of all steps, which is not in the file
        whole = keras.Model(reference.model.inputs[0], last.input, name=reference.model.name)
        reference = Reference(whole, reference.samples)
    step = one_step(reference.model, reference.taps)
    T = timesteps(reference.model) or reference.samples.shape[1]  # of frames with T open, that of the samples
    form = PADDED_STEP_SIGNATURE if step.padded else STEP_SIGNATURE
    signature = form.format(readout=step.readout, timesteps=T)
    models = {"plain": step.model, **({"tapped": step.tapped} if reference.taps else {})}
    seen = None
    if needs_calibration(reference, files):
        seen = _inputs_seen(step, calibration_samples(reference, calibration)[:CALIBRATION_SEQUENCES], T)
    return write_files(reference, models, files, finals, target="streaming", endpoint=signature, calibration=seen, io=io)


def _inputs_seen(step: "Step", images: Array, T: int) -> dict[str, Array]:
    """The inputs of a model of one step while it runs T steps on each image (or sequence of frames), by name, `[N T, ...]`."""
    model = step.model
    shapes = {tensor.name: tensor.shape for tensor in model.inputs}
    ends = lengths(images) if step.padded else [None] * len(images)
    seen: dict[str, list[Array]] = {name: [] for name in shapes}
    for image, end in zip(images, ends, strict=True):
        inputs = {name: np.zeros(shape, "float32") for name, shape in shapes.items()}
        for frame in [image] * T if image.shape == shapes["image"][1:] else image[:end]:
            inputs["image"] = frame[np.newaxis]
            for name, value in inputs.items():
                seen[name].append(value)
            outputs = model(list(inputs.values()), training=False)
            inputs = {name: inputs[name] if name == "image" else ops.convert_to_numpy(outputs[name]) for name in shapes}
    return {name: np.concatenate(values) for name, values in seen.items()}


@dataclass(frozen=True)
class Step:
    """One time step of a model.

    Args:
        model: `[image, *states]` to a dict of `"logits"` and the new states.
        tapped: The same, with the spikes `[1, 1, ...]` of each tapped layer too.
        readout: How the logits of the steps become the model's output: `"mean"`, `"sum"` or `"last"`.
        padded: Whether zeros at the end of a series do not count.
    """

    model: keras.Model
    tapped: keras.Model
    readout: str
    padded: bool


def one_step(model: keras.Model, taps: Sequence[str] = ()) -> Step:
    """Turn a model over T time steps into a model of one step, with its weights, for a batch of 1.

    Its graph is walked from the image on with a time axis of length 1. On the way, neurons get their state as a further input and give the
    new one, and an encoder gives what belongs to the step; every other layer is called as it is.

    Args:
        model: See `streaming`.
        taps: Names of layers of neurons.

    Raises:
        UnsupportedError, ExportError: See `streaming`.
    """
    frozen = freeze(model, batch_size=1)
    readout = _readout(frozen)
    walk = _Walk(frozen.name)
    over_time = not any(isinstance(layer, Encoder) and not isinstance(layer, Frames) for layer in frozen.layers)
    shape = frozen.inputs[0].shape
    frame = keras.Input(batch_shape=(1, 1, *shape[2:]) if over_time else shape, name="image")
    try:
        logits = call_again(frozen, frame, walk.call)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UnsupportedError(
            f"{frozen.name} cannot be run one time step at a time: {first_line(error)}. Between the neurons every layer has to treat each "
            "step alike, as in keras_snnkd.layers.OverTime."
        ) from error
    outputs = {LOGITS: keras.tree.flatten(logits)[0], **walk.after}
    inputs = [frame, *walk.before.values()]
    spikes = {name: walk.spikes[name] for name in taps}
    padded = any(isinstance(layer, Standardize) and layer.padded for layer in frozen.layers)
    return Step(_model(inputs, outputs, over_time), _model(inputs, {**outputs, **spikes}, over_time), readout, padded)


def _model(inputs: Any, outputs: Any, over_time: bool) -> keras.Model:
    if not over_time:
        return keras.Model(inputs, outputs)
    inner = keras.Model(inputs, outputs)  # the file takes a frame, without the time axis
    image, *states = [keras.Input(batch_shape=tensor.shape, name=tensor.name) for tensor in inputs]
    image = keras.Input(batch_shape=(1, *image.shape[2:]), name="image")
    return keras.Model([image, *states], inner([ops.expand_dims(image, 1), *states]))


def _readout(model: keras.Model) -> str:
    """How the steps of a model become its output; refuses models that have no steps, or more state than that of their neurons."""
    own = [layer for layer in model.layers if graphs.fires(layer) and not isinstance(layer, SpikingLayer)]
    if own:
        raise UnsupportedError(
            f"{model.name}: the state of the own neurons {own[0].name!r} ({type(own[0]).__name__}) is not known, so that a streaming file "
            "would lose it; use the layers of keras_snnkd.neurons, or keras_snnkd.export.litert."
        )
    try:
        layers = [layer for _, layer, _, _ in graphs.calls(model)]
        readout = final_readout(model).over_time
    except ValueError as error:
        if not any(isinstance(layer, SpikingLayer) for layer in model.layers):
            raise UnsupportedError(
                f"{model.name} has no neurons, so there are no time steps to stream; use keras_snnkd.export.litert."
            ) from error
        raise UnsupportedError(f"{error}.") from error
    for layer in layers:
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
            raise UnsupportedError(
                f"{model.name}: layer {layer.name!r} ({type(layer).__name__}) has a state that a streaming file would lose; use the layers "
                "of keras_snnkd.neurons, such as LIF, in place of cells."
            )
    return readout


class _Walk:
    """Calls the layers of a model for one time step, and collects the states.

    Attributes:
        before: Input tensors of the states, by name.
        after: The new states, by the same names.
        spikes: Outputs of the neurons, by layer.
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        self.before: dict[str, Tensor] = {}
        self.after: dict[str, Tensor] = {}
        self.spikes: dict[str, Tensor] = {}

    def call(self, layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        """As `layer(*args, **kwargs)`, for one step, which is never padding."""
        kwargs.pop("mask", None)
        if isinstance(layer, Standardize):
            return layer.scaled(*args)
        if isinstance(layer, Frames):
            return self._frame(layer, *args)
        if isinstance(layer, Encoder):
            return self._encode(layer, *args)
        if isinstance(layer, SpikingLayer):
            return self._fire(layer, *args, **kwargs)
        if isinstance(layer, CausalConv1D):
            return self._convolve(layer, *args)
        if isinstance(layer, Readout):
            return ops.squeeze(layer.of_steps(args[0]), 1)
        return layer(*args, **kwargs)

    def _encode(self, encoder: Encoder, inputs: Any) -> Tensor:
        if not encoder.needs_clock:
            return ops.expand_dims(encoder.at(inputs), 1)
        step = self._state(encoder.name, "step", (1,))
        outputs, self.after[step.name] = _EncoderStep(encoder, name=f"{step.name}_once")(inputs, step)
        return outputs

    def _frame(self, layer: Frames, inputs: Any) -> Tensor:
        if layer.changes_nothing:
            return inputs
        raise UnsupportedError(
            f"{self.model_name}: layer {layer.name!r} (Frames) puts several steps of its input into one frame, and one step at a time sees "
            "none of that; build the model for frames that are put together before, or take keras_snnkd.export.litert."
        )

    def _fire(self, neuron: SpikingLayer, inputs: Any, initial_state: Any = None) -> Tensor:
        if initial_state is not None or neuron.return_state:
            raise UnsupportedError(
                f"{self.model_name}: layer {neuron.name!r} takes or gives its state in the model itself; build it without: a "
                "streaming file does that for all layers."
            )
        shape = (inputs.shape[0], *inputs.shape[2:])
        states = [self._state(neuron.name, part, shape) for part in STATES[: neuron.dynamics.state_size]]
        spikes, *after = _NeuronStep(neuron, name=f"{states[0].name}_once")(inputs, states)
        self.after.update({state.name: new for state, new in zip(states, after, strict=True)})
        self.spikes.setdefault(neuron.name, spikes)  # as in Keras, `layer.output` is that of the first use
        return spikes

    def _convolve(self, layer: CausalConv1D, inputs: Any) -> Tensor:
        seen = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        if not seen:
            return layer(inputs)
        past = self._state(layer.name, "past", (inputs.shape[0], seen, inputs.shape[-1]))
        outputs, self.after[past.name] = _ConvolutionStep(layer, name=f"{past.name}_once")(inputs, past)
        return outputs

    def _state(self, layer: keras.Layer, part: str, shape: Shape) -> Tensor:
        name = re.sub(r"\W", "_", f"{layer}_{part}")
        while name in self.before:  # a layer that is used twice has two states
            name += "_again"
        state = self.before[name] = keras.Input(batch_shape=shape, name=name)
        return state


class _NeuronStep(keras.Layer):
    """One time step of neurons: currents `[1, 1, ...]` and states `[1, ...]` to spikes and new states; rest is 0."""

    def __init__(self, neuron: SpikingLayer, name: str) -> None:
        super().__init__(name=name)
        self.neuron = neuron

    def call(self, inputs: Any, states: Sequence[Tensor]) -> Any:
        dynamics = self.neuron.dynamics
        v, *rest = states
        v = v + dynamics.v_reset if dynamics.v_reset else v
        outputs, (v, *rest) = self.neuron.step(ops.squeeze(inputs, 1), [v, *rest])
        return [ops.expand_dims(outputs, 1), dynamics.above_rest(v), *rest]


class _ConvolutionStep(keras.Layer):
    """The newest step of a causal convolution: `[1, 1, C]` and the steps before that it sees, to its output and those of the next step."""

    def __init__(self, convolution: CausalConv1D, name: str) -> None:
        super().__init__(name=name)
        self.convolution = convolution

    def call(self, inputs: Any, past: Tensor) -> Any:
        window = ops.concatenate([past, inputs], axis=1)
        return [self.convolution.newest(window), window[:, 1:]]


class _EncoderStep(keras.Layer):
    """One time step of an encoder that reads the number of the step."""

    def __init__(self, encoder: Encoder, name: str) -> None:
        super().__init__(name=name)
        self.encoder = encoder

    def call(self, inputs: Any, step: Tensor) -> Any:
        return [ops.expand_dims(self.encoder.at(inputs, step), 1), step + 1]
