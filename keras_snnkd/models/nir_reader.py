"""From a NIR graph to a Keras model."""

import graphlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_snnkd import layers, neurons
from keras_snnkd._types import Array, Tensor
from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.models.network import ENCODERS
from keras_snnkd.models.nir_file import READOUTS, WITHOUT_ENCODER, at, fifteen_digits, first_line


class Reader:
    """Builds one functional model. As in `Network`, the layers before the first neuron run once on a static image.

    Args:
        path: Of the file, for messages.
        graph: From `read_graph`.
        timesteps: Number of time steps T.
        dt: Seconds of a time step.
        fires: Of `FIRES`.
        reset: Of `RESETS`.
    """

    def __init__(self, path: Path, graph: Any, timesteps: int, dt: float, fires: str = "above", reset: str = "hard") -> None:
        self.path, self.graph, self.timesteps, self.dt = path, graph, timesteps, dt
        self.fires, self.reset = fires, reset
        self.kinds = {node: type(content).__name__ for node, content in graph.nodes.items()}
        self.taken: set[str] = set()
        self.names = {node: self.free_name(node) for node in graph.nodes}
        self.sources = {node: [source for source, target in graph.edges if target == node] for node in graph.nodes}
        self.tensors: dict[str, Tensor] = {}
        self.timed: set[int] = set()
        self.flattened: dict[int, Any] = {}

    def model(self, encoder: str, readout: str, name: str) -> keras.Model:
        """The finished model.

        Args:
            encoder: As in `from_nir`.
            readout: As in `from_nir`.
            name: Of the model.

        Raises:
            FileFormatError: At the first node for which there is no layer.
        """
        self.encoder = encoder
        try:
            order = list(graphlib.TopologicalSorter(self.sources).static_order())
        except graphlib.CycleError as error:
            raise self.refused(f"it is recurrent ({' - '.join(error.args[1])}), and models here are not") from None
        counts = [list(self.kinds.values()).count(kind) for kind in ("Input", "Output")]
        if counts != [1, 1]:
            raise self.refused(f"it has {counts[0]} inputs and {counts[1]} outputs, expected one of each")
        for node in order:
            build = getattr(self, f"read_{self.kinds[node].lower()}", None)
            if build is None:
                raise self.refused(f"node {node!r} is a {self.kinds[node]}, for which there is no layer")
            try:
                self.tensors[node] = build(node, self.graph.nodes[node])
            except KDError:
                raise
            except Exception as error:  # of NumPy, Keras or TensorFlow, for values that make no sense
                raise self.refused(f"node {node!r} ({self.kinds[node]}) makes no layer: {first_line(error)}") from error
        logits = self.in_time(next(self.tensors[node] for node, kind in self.kinds.items() if kind == "Output"))
        logits = READOUTS[readout](name=self.free_name("readout"))(logits)
        return keras.Model(self.image, logits, name=_legal(name))

    def refused(self, reason: str) -> FileFormatError:
        return FileFormatError(f"{self.path} cannot be read as a Keras model: {reason}")

    def free_name(self, wanted: str) -> str:
        """A legal name for a layer that no other one has."""
        name, number = _legal(wanted), 1
        while name in self.taken:
            name, number = f"{_legal(wanted)}_{number}", number + 1
        self.taken.add(name)
        return name

    # Tensors

    def reads(self, node: str) -> Tensor:
        """What a node reads: edges that meet are added."""
        tensors = [self.tensors[source] for source in self.sources[node]]
        if len(tensors) == 1:
            return tensors[0]
        tensors = [self.in_nir_order(tensor) for tensor in tensors]
        if any(id(tensor) in self.timed for tensor in tensors):
            tensors = [self.in_time(tensor) for tensor in tensors]
        total = keras.layers.Add(name=self.free_name(f"{node}_add"), dtype="float32")(tensors)
        return self.note_time(total, tensors[0])

    def in_time(self, x: Tensor) -> Tensor:
        """`x` with a time axis."""
        if id(x) in self.timed:
            return x
        x = layers.Direct(self.timesteps, name=self.free_name("encoder"), dtype="float32")(x)
        self.timed.add(id(x))
        return x

    def note_time(self, x: Tensor, like: Tensor) -> Tensor:
        if id(like) in self.timed:
            self.timed.add(id(x))
        return x

    def synapse(self, x: Tensor, layer_class: Any, name: str, weights: Sequence[Any] = (), **arguments: Any) -> Tensor:
        """A layer on `x`, over time where `x` has time."""
        layer = layer_class(name=name, dtype="float32", **arguments)
        y = layers.OverTime(layer, name=name, dtype="float32")(x) if id(x) in self.timed else layer(x)
        layer.set_weights(weights)
        return self.note_time(y, x)

    def neurons(self, node: str, layer_class: Any, taus: Any = None, **arguments: Any) -> Tensor:
        """Neurons of one class; `taus`, in NIR's order, where each has its own."""
        read = self.reads(node)
        x = self.in_time(read)
        layer = layer_class(name=self.names[node], dtype="float32", **arguments, **({} if taus is None else {"learn_tau": "neuron"}))
        y = layer(x)
        if taus is not None:
            if id(read) in self.flattened:
                *size, channels = self.flattened[id(read)]
                taus = taus.reshape(channels, *size)
            layer.w.assign(np.reshape(-np.log(np.moveaxis(taus, 0, -1) - 1), layer.w.shape))
        if id(read) in self.flattened:
            self.flattened[id(y)] = self.flattened[id(read)]
        return self.note_time(y, x)

    def in_nir_order(self, x: Tensor) -> Tensor:
        """Keras flattens maps channels last, which the next matrix takes up; without one, a vector is put in NIR's order here."""
        if id(x) not in self.flattened:
            return x
        x = self.synapse(x, keras.layers.Reshape, self.free_name("maps"), target_shape=self.flattened[id(x)])
        x = self.synapse(x, keras.layers.Permute, self.free_name("channels_first"), dims=(3, 1, 2))
        return self.synapse(x, keras.layers.Flatten, self.free_name("flatten"))

    # Nodes, by their kind

    def read_input(self, node: str, content: Any) -> Tensor:
        shape = tuple(map(int, np.asarray(content.input_type["input"]).reshape(-1)))
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise self.refused(f"its input has shape {shape}, expected (N,) or (C, H, W)")
        shape = (*shape[1:], shape[0])
        steps = (self.timesteps,) if self.encoder == WITHOUT_ENCODER else ()
        x = self.image = keras.Input((*steps, *shape), name=self.free_name("image"), dtype="float32")
        if self.encoder in ("direct", WITHOUT_ENCODER):
            self.timed.update([id(x)] if steps else [])
            return x
        x = ENCODERS[self.encoder](self.timesteps, name=self.free_name("encoder"), dtype="float32")(x)
        self.timed.add(id(x))
        return x

    def read_output(self, node: str, content: Any) -> Tensor:
        return self.in_nir_order(self.reads(node))

    def read_affine(self, node: str, content: Any) -> Tensor:
        x, weight = self.reads(node), _numbers(content.weight)
        units, fan_in = weight.shape
        if id(x) in self.flattened:
            height, width, channels = self.flattened[id(x)]
            kernel = weight.reshape(units, channels, height, width).transpose(2, 3, 1, 0).reshape(fan_in, units)
        else:
            kernel = weight.T
        bias = [_numbers(content.bias)] if hasattr(content, "bias") else []
        return self.synapse(x, keras.layers.Dense, self.names[node], [kernel, *bias], units=units, use_bias=bool(bias))

    read_linear = read_affine

    def read_conv2d(self, node: str, content: Any) -> Tensor:
        x, weight, stride, dilation = self.reads(node), _numbers(content.weight), _pair(content.stride), _pair(content.dilation)
        if int(content.groups) != 1:
            raise self.refused(f"node {node!r} is a convolution in {int(content.groups)} groups")
        around = tuple(rate * (size - 1) for rate, size in zip(dilation, weight.shape[2:], strict=True))
        named = {"valid": (0, 0), "same": tuple(size / 2 for size in around)}
        padding = named[content.padding] if isinstance(content.padding, str) else _pair(content.padding)
        same = stride == (1, 1) and padding == named["same"]
        if isinstance(content.padding, str) and content.padding == "same" and not same:
            raise self.refused(f"node {node!r} pads 'same' with stride {stride}, which frameworks do differently")
        return self.synapse(
            x if same else self.padded(x, node, padding),
            keras.layers.Conv2D,
            self.names[node],
            [weight.transpose(2, 3, 1, 0), _numbers(content.bias)],
            filters=weight.shape[0],
            kernel_size=weight.shape[2:],
            strides=stride,
            dilation_rate=dilation,
            padding="same" if same else "valid",
        )

    def padded(self, x: Tensor, node: str, padding: Any) -> Tensor:
        if not any(padding):
            return x
        return self.synapse(x, keras.layers.ZeroPadding2D, self.free_name(f"{node}_pad"), padding=padding)

    def read_avgpool2d(self, node: str, content: Any) -> Tensor:
        x, size, stride, padding = self.reads(node), _pair(content.kernel_size), _pair(content.stride), _pair(content.padding)
        if size == tuple(x.shape[-3:-1]) and not any(padding):
            return self.synapse(x, keras.layers.GlobalAveragePooling2D, self.names[node], keepdims=True)
        x = self.padded(x, node, padding)
        return self.synapse(x, keras.layers.AveragePooling2D, self.names[node], pool_size=size, strides=stride)

    def read_sumpool2d(self, node: str, content: Any) -> Tensor:
        """A convolution of each channel with ones, which do not learn."""
        x, size, stride, padding = self.reads(node), _pair(content.kernel_size), _pair(content.stride), _pair(content.padding)
        ones = np.ones((*size, x.shape[-1], 1), "float32")
        return self.synapse(
            self.padded(x, node, padding),
            keras.layers.DepthwiseConv2D,
            self.names[node],
            [ones],
            kernel_size=size,
            strides=stride,
            use_bias=False,
            trainable=False,
        )

    def read_flatten(self, node: str, content: Any) -> Tensor:
        x = self.reads(node)
        shape = x.shape[2 if id(x) in self.timed else 1 :]
        if len(shape) == 1:
            return x
        if (int(content.start_dim), int(content.end_dim) % len(shape)) != (0, len(shape) - 1):
            raise self.refused(f"node {node!r} flattens the axes {content.start_dim}..{content.end_dim}, expected all")
        y = self.synapse(x, keras.layers.Flatten, self.names[node])
        self.flattened[id(y)] = shape
        return y

    def read_lif(self, node: str, content: Any) -> Tensor:
        threshold, v_reset = self.threshold(content), _uniform(content.v_reset)
        if not np.isclose(v_reset, _uniform(content.v_leak)):
            raise self.refused(f"node {node!r} rests at {_uniform(content.v_leak)} and is reset to {v_reset}; here both are one")
        return self.neurons(node, neurons.LIF, threshold=threshold, v_reset=v_reset, reset=self.reset, **self.leak(node, content))

    def threshold(self, content: Any) -> float:
        """The threshold at which our neurons fire, as those of the file do."""
        value = _uniform(content.v_threshold)
        return at(value) if self.fires == "above" else value

    def read_li(self, node: str, content: Any) -> Tensor:
        if _uniform(content.v_leak) != 0:
            raise self.refused(f"node {node!r} integrates and rests at {_uniform(content.v_leak)}, expected 0")
        return self.neurons(node, neurons.LeakyIntegrator, **self.leak(node, content))

    def read_if(self, node: str, content: Any) -> Tensor:
        r = _uniform(content.r)
        if not np.isclose(r * self.dt, 1, rtol=1e-6):
            advice = f"was it written for steps of {1 / r:g} s? Then read it with dt={1 / r:g}" if r > 0 else "expected a positive one"
            raise self.refused(f"node {node!r} has r = {r:g}, expected 1 / dt = {1 / self.dt:g}; {advice}")
        return self.neurons(node, neurons.IF, threshold=self.threshold(content), v_reset=_uniform(content.v_reset), reset=self.reset)

    def leak(self, node: str, content: Any) -> dict[str, Any]:
        """`tau` in steps, and whether the leak multiplies the input."""
        taus, r = np.asarray(content.tau, "float64") / self.dt, np.asarray(content.r, "float64")
        alike = len(np.unique(taus)) == 1
        tau = fifteen_digits(_uniform(content.tau) / self.dt) if alike else taus
        if not alike and not (np.isfinite(taus) & (taus > 1)).all():
            raise self.refused(f"node {node!r} has time constants from {taus.min():g} to {taus.max():g} steps, expected more than 1")
        for decay_input, expected in ((True, 1.0), (False, tau)):
            if np.allclose(r, expected, rtol=1e-6, atol=0):
                return {"decay_input": decay_input, **({"tau": tau} if alike else {"taus": taus})}
        one = alike and r.flat[0] > 1
        advice = f" (dt={fifteen_digits(taus.flat[0] * self.dt / r.flat[0]):g})" if one else " (dt)"
        said = f"r = {r.min():g} to {r.max():g}" if len(np.unique(r)) > 1 else f"r = {r.flat[0]:g}"
        raise self.refused(f"node {node!r} has {said}, expected 1 or tau / dt = {taus.min():g}; was it written for another step{advice}?")


def _legal(name: str) -> str:
    """`name` as TensorFlow takes names of scopes."""
    return re.sub(r"^[^A-Za-z0-9.]", "n", re.sub(r"[^A-Za-z0-9_.-]", "_", name)) or "n"


def _numbers(array: Any) -> Array:
    array = np.asarray(array)
    if array.dtype.kind not in "fiu" or not array.size or not np.all(np.isfinite(array)):
        raise ValueError(f"an array of {array.dtype}, shape {array.shape}, where finite numbers are expected")
    return array.astype("float32")


def _uniform(array: Any) -> float:
    """The one value of all neurons, in float64."""
    values = np.unique(np.asarray(array, "float64"))
    if len(values) != 1 or not np.isfinite(values[0]):
        raise ValueError(f"its neurons have {len(values)} different values of a parameter, expected a finite one")
    return float(values[0])


def _pair(value: Any) -> tuple[int, int]:
    """Two whole numbers, where NIR allows one."""
    values = np.asarray(value).reshape(-1)
    if values.dtype.kind not in "iu" or len(values) not in (1, 2) or values.min() < 0:
        raise ValueError(f"{value!r} where one or two whole numbers are expected")
    return int(values[0]), int(values[-1])
