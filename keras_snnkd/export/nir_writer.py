"""From a Keras model to a NIR graph."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    InputLayer,
    MaxPooling2D,
    ReLU,
    ZeroPadding2D,
)

from keras_snnkd._types import Array, Shape, Tensor
from keras_snnkd._version import __version__
from keras_snnkd.errors import UnsupportedError
from keras_snnkd.layers import Frames, OverTime
from keras_snnkd.layers.encoders import Encoder
from keras_snnkd.layers.readouts import Readout
from keras_snnkd.layers.series import Standardize
from keras_snnkd.models.network import ENCODERS
from keras_snnkd.models.nir_file import DT, READOUTS, WITHOUT_ENCODER, above, fifteen_digits
from keras_snnkd.neurons import ALIF, IF, LIF, PLIF, RLIF, AdLIF, LeakyIntegrator, RadLIF, SpikingLayer
from keras_snnkd.weights.folding import folded, following_norm


class Writer:
    """Goes through a model's layers in the order in which they run, and makes a node of each that NIR knows.

    Args:
        package: The module nir.
        model: From `freeze`.
        path: Of the file, for messages.
    """

    def __init__(self, package: Any, model: keras.Model, path: Path) -> None:
        self.package, self.model, self.path = package, model, path
        self.taken = {layer.name for layer in model.layers}
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.said: dict[str, Any] = {"encoder": WITHOUT_ENCODER}
        # by the id of a tensor:
        self.sources: dict[int, list[str]] = {}  # the names of the nodes whose outputs, added, it is
        self.padding: dict[int, Any] = {}  # rows and columns of zeros that it has on each side
        self.maps: dict[int, Any] = {}  # the maps (H, W, C) of which it is the flattened vector
        self.timed: set[int] = set()  # whether it has a time axis
        self.folded: set[int] = set()  # whether it comes from a batch norm that the synapse before has taken up

    def graph(self) -> Any:
        """The `nir.NIRGraph`.

        Raises:
            UnsupportedError: At the first layer that NIR cannot say.
        """
        kinds = {kind for kind in (Encoder, SpikingLayer) for layer in self.model.layers if isinstance(layer, kind)}
        if frames := [layer for layer in self.model.layers if isinstance(layer, Frames)]:
            raise self.refused(frames[0], "puts several steps into one, which NIR cannot say")
        for layer in self.model.layers:
            output, *more = keras.tree.flatten(layer.output)
            reads = [] if isinstance(layer, InputLayer) else keras.tree.flatten(layer.input)
            if more or any(self.sources.get(id(tensor)) is None for tensor in reads):
                raise self.refused(layer, "gives its state too" if more else "comes after the readout, which is outside NIR")
            if isinstance(layer, Encoder) or kinds == {SpikingLayer} or any(id(tensor) in self.timed for tensor in reads):
                self.timed.add(id(output))
            inner = layer.layer if isinstance(layer, OverTime) else layer
            if not isinstance(inner, Conv2D) and any(id(tensor) in self.padding for tensor in reads):
                raise self.refused(layer, "reads padded maps, which only a convolution can in NIR")
            if (maps := {self.maps.get(id(tensor)) for tensor in reads}) - {None} and not isinstance(inner, Dense):
                if len(maps) > 1 or isinstance(inner, Readout):
                    raise self.refused(layer, "reads flattened maps, whose order is another one in NIR", "put a Dense layer between")
                self.maps[id(output)] = maps.pop()
            sources = [name for tensor in reads for name in self.sources[id(tensor)]]
            if len(set(sources)) < len(sources):
                raise self.refused(layer, "adds a tensor to itself, and NIR has one edge between two nodes")
            self.sources[id(output)] = self.write(inner, layer, sources)
        if "readout" not in self.said:
            raise UnsupportedError(
                f"{self.path} not written: {self.model.name} does not end in a readout such as keras_snnkd.layers.MeanOverTime"
            )
        said = {**self.said, "fires": "above", "reset": "hard", "dt": DT, "created_by": f"keras_snnkd {__version__}"}
        return self.package.NIRGraph(self.nodes, self.edges, metadata=said)

    def refused(self, layer: keras.Layer, reason: str, advice: str = "build the model without it") -> UnsupportedError:
        return UnsupportedError(f"{self.path} not written: layer {layer.name!r} ({type(layer).__name__}) {reason}; {advice}.")

    def add(self, name: str, node: Any, sources: list[str]) -> list[str]:
        """A node that reads the sum of `sources`."""
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return [name]

    def free_name(self, name: str) -> str:
        """A name for a node that stands for no layer."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def shape(self, tensor: Tensor) -> Shape:
        """Of one sample at one step, in NIR's order: `(C, H, W)` or `(N,)`."""
        shape = tensor.shape[2 if id(tensor) in self.timed else 1 :]
        return (shape[-1], *shape[:-1])

    # Layers; each returns the names of the nodes whose sum is the layer's output

    @functools.singledispatchmethod
    def write(self, inner: Any, layer: keras.Layer, sources: list[str]) -> Any:
        raise self.refused(layer, f"is a {type(inner).__name__}, for which NIR has no node")

    @write.register
    def _(self, inner: InputLayer, layer: keras.Layer, sources: list[str]) -> Any:
        shape = self.shape(layer.output)
        if len(shape) not in (1, 3) or None in shape:
            raise self.refused(layer, f"takes {shape}, expected maps [H, W, C] or vectors [N] of fixed size")
        if id(layer.output) in self.timed:
            self.said["timesteps"] = layer.output.shape[1]
        return self.add(self.free_name("input"), self.package.Input(np.array(shape)), [])

    @write.register
    def _(self, inner: Encoder, layer: keras.Layer, sources: list[str]) -> Any:
        self.said["encoder"] = self.known_name(inner, layer, ENCODERS)
        self.said["timesteps"] = inner.timesteps
        if self.said["encoder"] != "direct" and not isinstance(self.nodes[sources[0]], self.package.Input):
            raise self.refused(layer, "does not read the image itself, and NIR has no encoders", "put it at the input")
        return sources

    @write.register
    def _(self, inner: Readout, layer: keras.Layer, sources: list[str]) -> Any:
        self.said["readout"] = self.known_name(inner, layer, READOUTS)
        self.add(self.free_name("output"), self.package.Output(np.array(self.shape(layer.input))), sources)
        return None

    @write.register(Add)
    @write.register(Dropout)
    def _(self, inner: Any, layer: keras.Layer, sources: list[str]) -> Any:
        return sources

    @write.register
    def _(self, inner: Activation, layer: keras.Layer, sources: list[str]) -> Any:
        self.check_linear(inner, layer)
        return sources

    @write.register
    def _(self, inner: ReLU, layer: keras.Layer, sources: list[str]) -> Any:
        raise self.refused(layer, "is no spiking neuron, and NIR has no activation functions", "export its spiking twin (neuron='lif')")

    @write.register
    def _(self, inner: MaxPooling2D, layer: keras.Layer, sources: list[str]) -> Any:
        raise self.refused(layer, "takes maxima, for which NIR has no node", "build and train the model with pooling='average'")

    @write.register
    def _(self, inner: BatchNormalization, layer: keras.Layer, sources: list[str]) -> Any:
        if id(layer.output) not in self.folded:
            raise self.refused(layer, "cannot be folded into a synapse", "put it right behind the convolution or dense layer")
        return sources

    @write.register
    def _(self, inner: ZeroPadding2D, layer: keras.Layer, sources: list[str]) -> Any:
        (top, bottom), (left, right) = inner.padding
        if (top, left) != (bottom, right):
            raise self.refused(layer, f"pads {inner.padding}, and NIR pads both sides alike")
        self.padding[id(layer.output)] = (top, left)
        return sources

    @write.register
    def _(self, inner: Conv2D, layer: keras.Layer, sources: list[str]) -> Any:
        self.check_linear(inner, layer)
        rows, columns = inner.kernel_size
        if inner.groups != 1 or rows != columns or inner.data_format != "channels_last":
            raise self.refused(layer, "has groups, a kernel that is not square, or channels first; nir 1.0 infers shapes for none of these")
        size = np.array(self.shape(layer.input)[1:])
        padding = np.array(self.padding.get(id(layer.input), (0, 0)))
        weight, bias = self.folded_weights(inner, layer)
        node = self.package.Conv2d(
            tuple(map(int, size - 2 * padding)),
            np.ascontiguousarray(weight.transpose(3, 2, 0, 1)),
            tuple(inner.strides),
            tuple(map(int, padding + self.own_padding(inner, layer, size))),
            tuple(inner.dilation_rate),
            1,
            bias,
        )
        return self.add(layer.name, node, sources)

    @write.register
    def _(self, inner: Dense, layer: keras.Layer, sources: list[str]) -> Any:
        self.check_linear(inner, layer)
        if len(self.shape(layer.input)) != 1:
            raise self.refused(layer, "reads maps pixel by pixel", "flatten them, or use a 1x1 convolution")
        weight, bias = self.folded_weights(inner, layer)
        if maps := self.maps.get(id(layer.input)):
            weight = weight.reshape(*maps, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
        return self.add(layer.name, self.package.Affine(np.ascontiguousarray(weight.T), bias), sources)

    @write.register
    def _(self, inner: Standardize, layer: keras.Layer, sources: list[str]) -> Any:
        if inner.padded:
            raise self.refused(layer, "marks padded steps, which NIR cannot say", "build the model with padded=False, for whole series")
        scale = 1 / _numpy(inner.deviation)
        weight, bias = (array.astype("float32") for array in (np.diag(scale), -_numpy(inner.mean) * scale))
        return self.add(layer.name, self.package.Affine(weight, bias), sources)

    @write.register
    def _(self, inner: AveragePooling2D, layer: keras.Layer, sources: list[str]) -> Any:
        if self.own_padding(inner, layer, np.array(self.shape(layer.input)[1:])).any():
            raise self.refused(layer, "pads its maps", "use padding='valid'")
        node = self.package.AvgPool2d(np.array(inner.pool_size), np.array(inner.strides), np.array([0, 0]))
        return self.add(layer.name, node, sources)

    @write.register
    def _(self, inner: GlobalAveragePooling2D, layer: keras.Layer, sources: list[str]) -> Any:
        channels, *size = self.shape(layer.input)
        names = self.add(layer.name, self.package.AvgPool2d(np.array(size), np.array(size), np.array([0, 0])), sources)
        return names if inner.keepdims else self.flatten(self.free_name(f"{layer.name}_flatten"), (channels, 1, 1), names)

    @write.register
    def _(self, inner: Flatten, layer: keras.Layer, sources: list[str]) -> Any:
        channels, *size = self.shape(layer.input)
        if not size:
            return sources
        self.maps[id(layer.output)] = (*size, channels)
        return self.flatten(layer.name, (channels, *size), sources)

    @write.register
    def _(self, inner: ALIF, layer: keras.Layer, sources: list[str]) -> Any:
        raise self.refused(layer, "has an adaptive threshold, which NIR does not know", "train with neuron='lif'")

    @write.register(AdLIF)
    @write.register(RLIF)
    @write.register(RadLIF)
    def _(self, inner: Any, layer: keras.Layer, sources: list[str]) -> Any:
        reason = "has an adaptation current or recurrent synapses, for which NIR has no node"
        raise self.refused(layer, reason, "train with neuron='lif'")

    @write.register(LIF)
    @write.register(PLIF)
    @write.register(LeakyIntegrator)
    def _(self, inner: Any, layer: keras.Layer, sources: list[str]) -> Any:
        self.check_reset(inner, layer)
        leak = inner.dynamics.leak if inner.leak is None else _numpy(inner.leak)
        rest = inner.dynamics.v_reset
        tau = fifteen_digits(1 / float(leak)) if np.ndim(leak) == 0 else self.in_nir_order(layer, 1 / leak)
        values = {"tau": tau * DT, "r": 1.0 if inner.decay_input else tau, "v_leak": rest}
        if inner.emits_spikes:
            values |= {"v_threshold": above(inner.threshold), "v_reset": rest}
        kind = self.package.LIF if inner.emits_spikes else self.package.LI
        return self.add(layer.name, kind(**self.for_each_neuron(layer, values)), sources)

    @write.register
    def _(self, inner: IF, layer: keras.Layer, sources: list[str]) -> Any:
        self.check_reset(inner, layer)
        values = {"r": 1 / DT, "v_threshold": above(inner.threshold), "v_reset": inner.v_reset}
        return self.add(layer.name, self.package.IF(**self.for_each_neuron(layer, values)), sources)

    # Parts of them

    def known_name(self, inner: Any, layer: keras.Layer, classes: Any) -> str:
        for name, kind in classes.items():
            if type(inner) is kind:
                return name
        raise self.refused(layer, f"is a {type(inner).__name__}, which a file cannot name", f"use one of {', '.join(classes)}")

    def flatten(self, name: str, shape: Shape, sources: list[str]) -> list[str]:
        return self.add(name, self.package.Flatten(np.array(shape), 0, -1), sources)

    def for_each_neuron(self, layer: keras.Layer, values: Any) -> dict[str, Array]:
        shape = self.shape(layer.input)
        return {name: np.full(shape, value) for name, value in values.items()}

    def in_nir_order(self, layer: keras.Layer, values: Any) -> Array:
        """What each neuron or channel has, `[(H, W,) C]`, for each neuron as NIR orders them."""
        channels, *size = self.shape(layer.input)
        values = np.broadcast_to(values, (*size, channels))
        if maps := self.maps.get(id(layer.input)):
            return np.moveaxis(values.reshape(maps), -1, 0).ravel()
        return np.moveaxis(values, -1, 0)

    def folded_weights(self, inner: Any, layer: keras.Layer) -> tuple[Array, Array]:
        """Kernel ``w s`` and bias ``beta + (bias - mean) s`` with the batch norm that follows, ``s = gamma / sqrt(variance + epsilon)``."""
        if (norm := following_norm(layer, self.model)) is not None:
            self.folded.add(id(norm.output))
        kernel, bias = folded(inner, norm)
        return kernel.astype("float32"), bias.astype("float32")

    def own_padding(self, inner: Any, layer: keras.Layer, size: Any) -> Any:
        """Zeros on each side that the layer adds to maps of `size` itself."""
        if inner.padding == "valid":
            return np.array([0, 0])
        window = np.array(getattr(inner, "kernel_size", None) or inner.pool_size)
        dilation, strides = np.array(getattr(inner, "dilation_rate", (1, 1))), np.array(inner.strides)
        total = np.maximum((-(-size // strides) - 1) * strides + dilation * (window - 1) + 1 - size, 0)
        if (total % 2).any():
            raise self.refused(
                layer,
                f"pads one side more than the other (padding='same', stride {inner.strides}), which NIR cannot say",
                "use ZeroPadding2D and padding='valid', as the builders do",
            )
        return total // 2

    def check_linear(self, inner: Any, layer: keras.Layer) -> None:
        if inner.activation is not keras.activations.linear:
            raise self.refused(layer, f"has the activation {inner.activation.__name__!r}, and NIR has no activation functions")

    def check_reset(self, inner: Any, layer: keras.Layer) -> None:
        if inner.emits_spikes and inner.reset != "hard":
            raise self.refused(layer, "subtracts the threshold at a spike (a soft reset), which NIR cannot say", "train with reset='hard'")


def _numpy(weight: Any) -> Array:
    return keras.ops.convert_to_numpy(weight).astype("float64")
