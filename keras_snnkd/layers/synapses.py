"""The layers of a network that are synapses, and how many connections of each an input uses."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_snnkd import graphs
from keras_snnkd._types import Tensor
from keras_snnkd.errors import KDError
from keras_snnkd.layers.attention import Positions
from keras_snnkd.layers.over_time import OverTime
from keras_snnkd.layers.tensor_train import TensorTrainConv2D
from keras_snnkd.neurons import SpikingLayer

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)

ELEMENTWISE = (layers.BatchNormalization, layers.LayerNormalization, layers.Normalization, layers.PReLU, layers.Embedding, Positions)
"""Layers whose weights scale or shift single numbers, or are looked up, so that they connect nothing."""

Apply = Callable[[Any, Any], Any]
"""From `[N, ...]` and a kernel to what the layer makes of them, without bias."""


class UncountableError(KDError, ValueError):
    """A layer whose connections are not counted."""


def parts(name: str, layer: keras.Layer) -> dict[str, "Synapse"]:
    """The synapses in a layer, by name: none, one, or the two of a separable convolution.

    Args:
        name: Of the layer's call.
        layer: A layer, perhaps in `OverTime` or `TimeDistributed`.

    Raises:
        UncountableError: For a layer of another kind with a matrix of weights.
    """
    timed = isinstance(layer, (OverTime, layers.TimeDistributed))
    inner = layer.layer if timed else layer
    if isinstance(inner, SpikingLayer) and getattr(inner, "recurrent", False):
        return {f"{name}:recurrent": RecurrentSynapse(inner.V)}
    computed = inner.rounded_kernel() if hasattr(inner, "rounded_kernel") else None
    if isinstance(inner, layers.Dense):
        return {name: Synapse(timed, 0, inner.kernel, (-1,), ops.matmul, computed=computed)}
    if isinstance(inner, CONVOLUTIONS):
        return {name: Synapse(timed, inner.rank, inner.kernel, (-1,), _convolution(inner), groups=inner.groups, computed=computed)}
    if isinstance(inner, DEPTHWISE):
        return {name: Synapse(timed, inner.rank, inner.kernel, (-1,), _depthwise(inner))}
    if isinstance(inner, TRANSPOSED):
        return {name: Synapse(timed, inner.rank, inner.kernel, (-2,), _transposed(inner))}
    if isinstance(inner, TensorTrainConv2D) and inner.mode != "half":
        return _of_train(name, inner, timed)
    if isinstance(inner, SEPARABLE):
        first = Synapse(timed, inner.rank, inner.depthwise_kernel, (-1,), _depthwise(inner))
        kernel = inner.depthwise_kernel
        between = Synapse(timed, inner.rank, inner.pointwise_kernel, (-1,), _pointwise(inner), lambda x: _depthwise(inner)(x, kernel))
        return {f"{name}:depthwise": first, f"{name}:pointwise": between}
    if any(_is_matrix(weight, layer) for weight in inner.weights) and not isinstance(inner, ELEMENTWISE):
        raise UncountableError(
            f"layer {name!r} is a {type(inner).__name__}, whose connections are not counted; synaptic operations are counted for Dense, "
            "Conv, DepthwiseConv, SeparableConv and ConvTranspose, bare or in OverTime"
        )
    return {}


def _of_train(name: str, layer: TensorTrainConv2D, timed: bool) -> dict[str, "Synapse"]:
    """The synapses of a tensor train: each factor, which reads what those before it make of the spikes; parallel ones are one."""

    def convolution(strides: tuple[int, int]) -> Apply:
        return lambda x, kernel: ops.conv(x, ops.convert_to_tensor(kernel), strides, layer.padding)

    height, width = layer.strides
    if layer.mode == "sequential":
        between = {"second": (layer.second, convolution((height, 1))), "third": (layer.third, convolution((1, width)))}
    else:
        between = {"middle": (layer.middle(), convolution(layer.strides))}
    one: Apply = convolution((1, 1))
    found: dict[str, Synapse] = {}
    before: Callable[[Any], Any] | None = None
    for factor, (kernel, apply) in {"first": (layer.first, one), **between, "last": (layer.fourth, one)}.items():
        found[f"{name}:{factor}"] = Synapse(timed, 2, kernel, (-1,), apply, before)
        before = functools.partial(_through, before, apply, kernel)
    return found


def _through(before: Callable[[Any], Any] | None, apply: Apply, kernel: Any, x: Tensor) -> Tensor:
    """What a factor makes of what those before it make."""
    return apply(x if before is None else before(x), kernel)


def synapses(model: keras.Model) -> dict[str, "Synapse"]:
    """By name, the synapses of a functional model; once for each call.

    Raises:
        UncountableError: For a layer of another kind with a matrix of weights.
        ValueError: If the model is not functional.
    """
    return {part: synapse for name, layer, _, _ in graphs.calls(model) for part, synapse in parts(name, layer).items()}


class Synapse:
    """Counts the connections of one layer.

    The layer is applied to the mask of its nonzero inputs with the mask of its nonzero weights in place of the weights; the sum of the
    outputs is the number of connections in use. Output channels are summed before, so that this costs a fraction of the layer itself.

    Args:
        timed: Whether its inputs have time as axis 1.
        rank: Number of spatial axes.
        kernel: Its weights, a variable.
        outputs: The axis of the kernel with output channels.
        apply: The layer, as a function of inputs and kernel.
        before: What is computed on its inputs first.
        groups: Of channels that stay apart.
        computed: With what the layer computes, where it rounds its weights in each call.
    """

    reads_output = False
    """Whether it reads what its layer gives, one step later, and not what its layer reads."""

    def __init__(
        self,
        timed: bool,
        rank: int,
        kernel: Any,
        outputs: tuple[int],
        apply: Apply,
        before: Callable[..., Any] | None = None,
        groups: int = 1,
        computed: Tensor | None = None,
    ) -> None:
        self.timed, self.rank, self.apply, self.before = timed, rank, apply, before
        self.weight, self.kernel = kernel, ops.convert_to_numpy(kernel if computed is None else computed)
        (self.axis,) = outputs
        self.groups = groups
        self.used, self.all = self._fan_out(self.kernel != 0), self._fan_out(np.ones_like(self.kernel))

    def _fan_out(self, mask: np.ndarray) -> np.ndarray:
        """The kernel's mask with its output channels added up; groups stay apart."""
        mask = mask.astype("float32")
        if self.groups > 1:
            return mask.reshape(*mask.shape[:-1], self.groups, -1).sum(axis=-1)
        return mask.sum(axis=self.axis, keepdims=True)

    def count(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Connections in use at each position of the output, those of one image, and whether the input `[B, (T,) ...]` is spikes."""
        x = self._folded(x)
        if self.before is not None:
            steps = x.shape[1]
            x = self.before(ops.reshape(x, (-1, *x.shape[2:])))
            x = ops.reshape(x, (-1, steps, *x.shape[1:]))
        nonzero = x != 0
        spikes = ops.all(ops.logical_or(ops.logical_not(nonzero), ops.abs(x) == 1))
        mask = ops.cast(nonzero, "float32")
        return self._connections(mask, self.used), self._connections(ops.ones_like(mask[:1]), self.all), spikes

    def connections(self, tensor: Tensor, nonzero: bool = False) -> float:
        """All connections for one image and one time step of an input `[B, (T,) ...]`, or those whose weight is not 0."""
        x = self._folded(ops.zeros((1, *tensor.shape[1:])))[:, :1]
        if self.before is not None:
            x = self.before(x[:, 0])[:, None]
        found = self._connections(ops.ones_like(x), self.used if nonzero else self.all)
        return float(ops.convert_to_numpy(found).sum(dtype="float64"))

    def operations(self, x: Tensor) -> Tensor:
        """The connections that spikes use, each once for its weight and not at all for a weight of 0.

        The sum is linear in `x`, so that it has a gradient; where `x` is 0 and 1 it is what `count` counts.

        Args:
            x: The spikes that the layer reads, `[B, (T,) ...]`.

        Returns:
            `[B]`, over all time steps.
        """
        folded = self._folded(x)
        used = self._connections(ops.cast(folded, "float32"), self.used)
        return ops.sum(ops.reshape(used, (-1, folded.shape[1] * int(np.prod(used.shape[1:])))), axis=1)

    def _folded(self, x: Tensor) -> Tensor:
        """Inputs as `[B, T, ...]`, T 1 without time; what a fully connected layer reads as `[B, T, N, features]`."""
        steps, shape = (x.shape[1], x.shape[2:]) if self.timed else (1, x.shape[1:])
        if self.rank == 0:
            return ops.reshape(x, (-1, steps, int(np.prod(shape[:-1])), shape[-1]))
        return ops.reshape(x, (-1, steps, *shape))

    def _connections(self, mask: Tensor, fan_out: Tensor) -> Any:
        """`[B, T, ...]` to the number of connections at each position of the output, `[B T, ...]`."""
        return self.apply(ops.reshape(mask, (-1, *mask.shape[2:])), fan_out)


class RecurrentSynapse(Synapse):
    """Counts the connections among the neurons of one layer: of each neuron to all others, for the spikes of the step before.

    Args:
        kernel: The recurrent weights `[C, C]`, a variable, whose diagonal does not count.
    """

    reads_output = True

    def __init__(self, kernel: Any) -> None:
        super().__init__(True, 0, kernel, (-1,), ops.matmul)
        others = 1 - np.eye(len(self.kernel), dtype="float32")
        self.kernel = self.kernel * others
        self.used, self.all = self._fan_out(self.kernel != 0), self._fan_out(others)

    def count(self, x: Tensor) -> Any:
        """As of any synapse, for the layer's own spikes `[B, T, ..., C]`."""
        return super().count(_a_step_later(x))

    def operations(self, x: Tensor) -> Tensor:
        """As of any synapse, for the layer's own spikes `[B, T, ..., C]`."""
        return super().operations(_a_step_later(x))


def _a_step_later(x: Tensor) -> Tensor:
    """What a layer reads of its own spikes `[B, T, ...]`: nothing in the first step."""
    return ops.concatenate([ops.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def _convolution(layer: keras.Layer) -> Apply:
    def apply(x: Tensor, kernel: Any) -> Any:
        padding = layer.padding
        if padding == "causal":
            before = [layer.dilation_rate[0] * (layer.kernel_size[0] - 1), 0]
            axes = [before, [0, 0]] if layer.data_format == "channels_last" else [[0, 0], before]
            x, padding = ops.pad(x, [[0, 0], *axes]), "valid"
        return ops.conv(x, kernel, layer.strides, padding, layer.data_format, layer.dilation_rate)

    return apply


def _depthwise(layer: keras.Layer) -> Apply:
    return lambda x, kernel: ops.depthwise_conv(x, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)


def _pointwise(layer: keras.Layer) -> Apply:
    return lambda x, kernel: ops.conv(x, kernel, 1, "valid", layer.data_format)


def _transposed(layer: keras.Layer) -> Apply:
    return lambda x, kernel: ops.conv_transpose(
        x, kernel, layer.strides, layer.padding, layer.output_padding, layer.data_format, layer.dilation_rate
    )


def _is_matrix(weight: Any, layer: keras.Layer) -> bool:
    """Whether a weight may connect neurons: it has two axes or more, and is not one number for each of the neurons that fire."""
    if len(weight.shape) < 2:
        return False
    if not graphs.fires(layer):
        return True
    neurons = tuple(graphs.first_output(layer).shape)
    return tuple(weight.shape) not in (neurons[1:], neurons[2:])
