"""Quantization-aware networks: the network that an 8-bit file will compute, in Keras, so that it can be trained."""

import collections
from typing import Any

import keras
import numpy as np

from keras_snnkd import graphs
from keras_snnkd._types import Array, Config, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.keras_internals import producer
from keras_snnkd.layers import (
    Direct,
    FakeQuant,
    Frames,
    LastStep,
    MeanOverTime,
    OverTime,
    QuantizedConv1D,
    QuantizedConv2D,
    QuantizedDense,
    SpikeCount,
    Standardize,
)
from keras_snnkd.models.calibration import calibrate
from keras_snnkd.neurons import QuantizedNeuron, SpikingLayer
from keras_snnkd.neurons.adaptation import AdaptiveDynamics
from keras_snnkd.neurons.fake_quant import check_weight_bits
from keras_snnkd.weights.folding import folded, following_norm, is_linear, readers

SYNAPSES = {keras.layers.Conv1D: QuantizedConv1D, keras.layers.Conv2D: QuantizedConv2D, keras.layers.Dense: QuantizedDense}

SAME_RANGE = (
    Direct,
    LastStep,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.ZeroPadding2D,
)
"""Layers that hand numbers on, repeat them or choose among them: nothing is rounded."""

ROUNDED = (
    Frames,
    keras.layers.Add,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.ReLU,
    MeanOverTime,
    SpikeCount,
)
"""Layers that make new numbers, which are rounded behind them."""

TOO_SLOW = (
    "AdLIF, recurrent neurons and time constants of single neurons have none: of a state with a time constant of tau steps, "
    "tau / 2 of the 128 steps above rest would not decay, 50 of an adaptation with tau = 100. Take LIF neurons with one time constant "
    "(neuron='lif', tau=20), or a file of the form 'dynamic', in which only weights are integers."
)
"""Why some neurons have no 8-bit form, and what to do."""

BYTES = (0.0, 255 / 256)
"""The range of images that are bytes / 256, as `keras_snnkd.data` gives them: each byte is one step."""


def quantize_aware(
    model: keras.Model,
    images: np.ndarray,
    name: str | None = None,
    weight_bits: int = 8,
    adder_bits: int = 0,
    multiplier_bits: int = 0,
) -> keras.Model:
    """The network that the 8-bit file of a trained model computes, as a Keras model that can be trained further.

    Batch norms are folded into the synapses before them. Then, in float, everything is rounded that will be an 8-bit integer::

        weights     per output channel, steps max |w_c| / 127, found anew in each call    QuantizedConv2D, QuantizedDense
        membranes   steps R / 128 in -R .. R, R the threshold times a power of two        QuantizedNeuron
        the rest    256 steps of the range that these images have there                   FakeQuant

    "The rest" are the image (pixels that are bytes / 256 keep their values), sums, averages and logits. Series are scaled by `Standardize`
    in float, and rounded behind it: channels of a sensor differ too much for one step. Where a batch norm was there is a
    `FakeQuant` of the same name; all other layers keep their names too, and what is added ends in `_quant`. A leak that multiplies the
    currents of neurons goes into the synapse before them, a learned one becomes constant, and potentials are counted from rest.
    Gradients pass the roundings unchanged, and are 0 where a range clips.

    R is the power of two times the threshold with which the fewest spikes change on these images. All ranges are then fixed: training does
    not move them.

    Args:
        model: A functional model with one input and one output, spiking or not, trained. It is not changed.
        images: Some hundred images of the training set, `[N, ...]`, prepared as for the model.
        name: Of the new model; `<name of the model>_int8` by default.
        weight_bits: 8, 4, or 2 for ternary weights; the rest is in 8 bits, and so is the file, which then packs the better
            (see `keras_snnkd.neurons.fake_quant.fake_quant_weights`).
        adder_bits, multiplier_bits: Low bits that the arithmetic of neurons which fire leaves out; see `QuantizedNeuron`. Such networks
            with other bits, or another T, are variants of one student (`keras_snnkd.edge.Variants`).

    Returns:
        A functional model in float32, not compiled. It can be a `Distiller`'s student with `model` as its teacher; of it
        `keras_snnkd.export.litert(..., quantize="int8")` makes a file of integers that gives the same spikes.

    Raises:
        ShapeError: If the images do not fit the model.
        ValueError: For bits that cannot be; if the model is no graph of one input and one output, or has a layer that has no 8-bit form
            here, which is named: among them AdLIF and recurrent neurons, those with a time constant for each channel, and causal
            convolutions.

    Example:
        >>> student_int8 = kd.models.quantize_aware(student, images)
        >>> kd.Distiller(student_int8, student, ["soft_targets"]).fit(...)

    Source: folding and rounding as in Jacob et al. (CVPR 2018, arXiv:1712.05877) and Krishnamoorthi (arXiv:1806.08342).
    """
    if len(getattr(model, "inputs", None) or ()) > 1:
        raise ValueError(
            f"{model.name} has the inputs {', '.join(tensor.name for tensor in model.inputs)}, and an 8-bit network has one; "
            "of several take keras_snnkd.export.litert(model, path, 'int8', samples=..., calibration=...)"
        )
    if not getattr(model, "outputs", None) or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"{getattr(model, 'name', model)!r} must be a functional or Sequential model with one input and one output")
    expected = tuple(model.inputs[0].shape[1:])
    images = np.asarray(images)
    if images.shape[1:] != expected or not len(images) or images.dtype.kind != "f":
        raise ShapeError(
            f"expected images [N, {', '.join(map(str, expected))}] of floats, scaled as in training, to find the ranges on, "
            f"got shape {images.shape} of {images.dtype}"
        )
    check_weight_bits(weight_bits)
    approximate = {"adder_bits": adder_bits, "multiplier_bits": multiplier_bits}
    return _Rebuild(model, images.astype("float32"), weight_bits, approximate).model(name or f"{model.name}_int8")


def is_quantize_aware(model: keras.Model) -> bool:
    """Whether a model is one that `quantize_aware` made."""
    return any(isinstance(layer, FakeQuant) for layer in model.layers)


class _Rebuild:
    """Goes through a model layer by layer; remembers of each tensor its counterpart and the range in which that is rounded."""

    def __init__(self, source: keras.Model, images: Array, weight_bits: int, approximate: dict[str, int]) -> None:
        self.weight_bits, self.approximate = weight_bits, approximate
        source = graphs.flat(source)
        self.source = keras.Model(source.inputs[0], source.outputs[0])
        self.norms = [following_norm(layer, self.source) for layer in self.source.layers if type(_inner(layer)) in SYNAPSES]
        self.of_masks = _mask_operations(self.source)
        unknown = [layer for layer in self.source.operations if id(layer) not in self.of_masks and not self._known(layer)]
        if unknown:
            kinds = ", ".join(f"{layer.name} ({type(_inner(layer)).__name__})" for layer in unknown)
            reason = f" {TOO_SLOW}" if any(isinstance(layer, SpikingLayer) for layer in unknown) else ""
            raise ValueError(
                f"{source.name} has layers without an 8-bit form: {kinds}.{reason} Export it with quantize='dynamic', or replace them"
            )
        calls = collections.Counter(layer.name for _, layer, *_ in graphs.calls(self.source))
        if twice := [name for name, times in calls.items() if times > 1]:
            raise ValueError(
                f"{source.name} calls {', '.join(twice)} more than once, and each call has a range of its own in 8 bits; build it with a "
                "layer for each call"
            )
        self.seen = calibrate(self.source, images, max(approximate.values()))
        self.leaked: set[str] = set()  # neurons whose leak is in the synapse before them
        self.made: dict[int, Any] = {}

    def _known(self, layer: keras.Layer) -> bool:
        kinds = (keras.layers.InputLayer, Standardize, *SAME_RANGE, *ROUNDED)
        inner = _inner(layer)
        if isinstance(inner, SpikingLayer):
            return _has_one_leak(inner)
        return type(inner) in SYNAPSES or isinstance(inner, kinds) or any(layer is norm for norm in self.norms) or _is_identity(inner)

    def model(self, name: str) -> keras.Model:
        start = self.source.inputs[0]
        image = keras.Input(start.shape[1:], name=self.source.layers[0].name)
        low, high = self.seen.ranges[self.source.layers[0].name]
        behind = [layer for layer in readers(start, self.source) if id(layer) not in self.of_masks]
        if all(isinstance(layer, Standardize) for layer in behind):
            self.made[id(start)] = image, None
        else:
            self.made[id(start)] = self._rounded(self.source.layers[0], image, BYTES if high <= BYTES[1] and low >= 0 else (low, high))
        for layer in self.source.layers[1:]:
            tensors = [tensor for tensor in keras.tree.flatten(layer.input) if not _is_mask(tensor)]
            made = [self.made[id(tensor)][0] for tensor in tensors]
            inputs, read = made[0] if len(made) == 1 else made, self.made[id(tensors[0])][1]
            self.made[id(layer.output)] = self._place(layer, inputs, read)
        return keras.Model(image, self.made[id(self.source.outputs[0])][0], name=name)

    def _place(self, layer: keras.Layer, inputs: Tensor, read: Any) -> tuple[Tensor, Any]:
        """The counterpart of a layer on `inputs`, of which the first is rounded in the range `read`: its output, and that one's range."""
        inner = _inner(layer)
        if type(inner) in SYNAPSES:
            return self._synapse(layer, inputs, read)
        if any(layer is norm for norm in self.norms):
            return self._rounded(layer, inputs, self._range(layer), layer.name)
        if isinstance(inner, SpikingLayer):
            neuron: Any = self._neuron(layer)
            return neuron(inputs), (0.0, 1.0) if neuron.emits_spikes else neuron.dynamics.limits
        twin = type(layer).from_config(_in_float32(layer.get_config()))
        outputs = twin(inputs)
        if isinstance(inner, Standardize):
            twin.set_weights(layer.get_weights())
        if isinstance(inner, SAME_RANGE) or _is_identity(inner):
            return outputs, read
        return self._rounded(layer, outputs, read if isinstance(inner, keras.layers.AveragePooling2D) else self._range(layer))

    def _synapse(self, layer: keras.Layer, inputs: Tensor, read: Any) -> tuple[Tensor, Any]:
        inner, norm = _inner(layer), following_norm(layer, self.source)
        kernel, bias = folded(inner, norm)
        neuron = self._neuron_behind((norm or layer).output)
        if neuron is not None and neuron.dynamics.decay_input and is_linear(layer):
            self.leaked.add(neuron.name)
            leak = self._neuron(neuron).dynamics.leak
            kernel, bias = kernel * leak, bias * leak
        config = {key: value for key, value in inner.get_config().items() if key not in ("use_bias", "dtype", "quantization_config")}
        synapse = SYNAPSES[type(inner)](**_fresh(config), input_step=(read[1] - read[0]) / 255, weight_bits=self.weight_bits)
        placed = OverTime(synapse, layer.remat, name=layer.name, dtype="float32") if isinstance(layer, OverTime) else synapse
        outputs = placed(inputs)
        synapse.set_weights([kernel, bias])
        return (outputs, None) if norm is not None else self._rounded(layer, outputs, self._range(layer))

    def _rounded(self, layer: keras.Layer, outputs: Tensor, limits: Any, name: str | None = None) -> tuple[Tensor, Any]:
        """`outputs` in 8 bits; a ReLU that follows is computed before they are rounded."""
        behind = readers(layer.output, self.source)
        if len(behind) == 1 and isinstance(_inner(behind[0]), keras.layers.ReLU):
            return (keras.layers.Activation("linear", dtype="float32", name=name)(outputs) if name else outputs), None
        return FakeQuant(*limits, name=name or f"{layer.name}_quant")(outputs), limits

    def _range(self, layer: keras.Layer) -> Any:
        """Of currents that one layer of neurons reads, that of its membranes, in the same steps; else what was seen."""
        neuron = self._neuron_behind(layer.output)
        if neuron is None:
            return self.seen.ranges[layer.name]
        twin: Any = self._neuron(neuron)
        factor = 1 / twin.dynamics.leak if twin.dynamics.decay_input else 1.0
        return tuple(limit * factor for limit in twin.dynamics.limits)

    def _neuron_behind(self, tensor: Tensor) -> SpikingLayer | None:
        """The neurons that alone read a tensor, perhaps repeated over time, or `None`."""
        behind = readers(tensor, self.source)
        if len(behind) == 1 and isinstance(behind[0], Direct):
            return self._neuron_behind(behind[0].output)
        return behind[0] if len(behind) == 1 and isinstance(behind[0], SpikingLayer) else None

    def _neuron(self, layer: keras.Layer) -> QuantizedNeuron:
        leaks = layer.dynamics.decay_input and layer.name not in self.leaked
        approximate = {} if layer.dynamics.threshold is None else self.approximate
        return QuantizedNeuron.of(layer, self.seen.exponents[layer.name], decay_input=leaks, **approximate)


def _is_mask(tensor: Any) -> bool:
    return keras.backend.standardize_dtype(tensor.dtype) == "bool"


def _mask_operations(model: keras.Model) -> set[int]:
    """The identities of the operations of a model that compute which steps are real."""
    found: set[int] = set()
    tensors = [tensor for layer in model.layers for tensor in keras.tree.flatten(layer.input) if _is_mask(tensor)]
    while tensors:
        operation: Any = producer(tensors.pop())
        if not isinstance(operation, keras.Layer) and id(operation) not in found:
            found.add(id(operation))
            tensors += keras.tree.flatten(operation.input)
    return found


def _has_one_leak(layer: SpikingLayer) -> bool:
    """Whether all neurons of a layer are alike and without recurrence, as those with 8-bit membranes are."""
    learned: Any = layer.leak
    alike = learned is None or len(np.ravel(keras.ops.convert_to_numpy(learned))) == 1
    return alike and not isinstance(layer.dynamics, AdaptiveDynamics)


def _inner(layer: keras.Layer) -> keras.Layer:
    return layer.layer if isinstance(layer, OverTime) else layer


def _is_identity(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Activation) and is_linear(layer)


def _in_float32(config: Config) -> dict[str, Any]:
    """A layer's config with the dtype policy float32, also of the layer that it wraps."""
    if "layer" in config:
        wrapped = config["layer"]
        config = {**config, "layer": {**wrapped, "config": _in_float32(wrapped["config"])}}
    return {**config, "dtype": "float32"}


def _fresh(config: Config) -> dict[str, Any]:
    """A config's values as objects, such as initializers."""
    return {
        key: keras.saving.deserialize_keras_object(value) if isinstance(value, dict) and "class_name" in value else value
        for key, value in config.items()
    }
