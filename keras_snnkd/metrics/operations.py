"""How many operations the synapses of a network perform."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._types import Tensor
from keras_snnkd.layers import OverTime
from keras_snnkd.metrics.measurement import Measurement, calls
from keras_snnkd.neurons import SpikingLayer


@dataclasses.dataclass(frozen=True)
class Operations:
    """Synaptic operations for one image, mean over the images they were counted on.

    Args:
        dense: Operations if no input and no weight were zero: what a machine performs that skips nothing.
        effective_macs: Multiply-accumulates of a nonzero input and a nonzero weight, in layers whose input is not spikes.
        effective_acs: Accumulates of a nonzero weight for a spike, in layers whose input is 0, 1 or -1.
        layers: By layer, the same three numbers under the same names.
    """

    dense: float
    effective_macs: float
    effective_acs: float
    layers: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return dataclasses.asdict(self)


def synaptic_operations(model: keras.Model, images: Any, batch_size: int = 128) -> Operations:
    """Count the synaptic operations of a model on some images, exactly.

    For a synapse with input ``x`` and weights ``w``, summed over the time steps::

        effective = sum over all connections of [x != 0] [w != 0]
        dense     = number of connections

    Connections to the padding around an image do not count. A layer's effective operations are accumulates (AC) if its input is 0, 1
    or -1 in all images and steps, else multiply-accumulates (MAC): the first layer on a real-valued image, or a classifier behind average
    pooling. A layer that stands before the time axis runs once, not T times. Biases, normalization (which deployment folds into the
    synapses) and the neurons' own arithmetic are not synaptic operations.

    The names and definitions are NeuroBench's: Yik et al. (2025), Nature Communications 16:1545, arXiv:2304.04640. One departure:
    whether a layer's input is spikes is decided on all images together, not batch by batch.

    Args:
        model: A functional model whose synapses are `Dense` and `Conv2D` layers, bare or in `OverTime`.
        images: `[B, H, W, C]`, prepared as for the model.
        batch_size: Images at a time.

    Returns:
        The `Operations`, its layers in the order in which they run.

    Raises:
        ShapeError: If the images do not fit the model.
        ValueError: If a layer of another kind has a matrix of weights, if there are no images, or if the model is not functional.

    Example:
        >>> kd.metrics.synaptic_operations(student, images).effective_acs
    """
    counters = {name: _Synapse(layer) for name, layer, _, _ in calls(model) if _is_synapse(layer)}
    inputs = {name: tensor for name, _, tensor, _ in calls(model) if name in counters}
    if not counters:
        return Operations(0.0, 0.0, 0.0, {})

    def count(values: dict[str, Tensor]) -> Any:
        return {name: counters[name].count(x) for name, x in values.items()}

    dense, effective, binary = dict.fromkeys(counters, 0.0), dict.fromkeys(counters, 0.0), dict.fromkeys(counters, True)
    for batch in Measurement(model, inputs, count).batches(images, batch_size):
        for name, (used, connections, is_binary) in batch.items():
            effective[name] += float(used.sum(dtype="float64"))  # float32 counts exactly only up to 2**24
            dense[name] = float(connections.sum(dtype="float64"))
            binary[name] &= bool(is_binary)
    layers = {}
    for name in counters:
        mean = effective[name] / len(images)
        macs, acs = (0.0, mean) if binary[name] else (mean, 0.0)
        layers[name] = {"dense": dense[name], "effective_macs": macs, "effective_acs": acs}
    totals = {kind: sum(layer[kind] for layer in layers.values()) for kind in ("dense", "effective_macs", "effective_acs")}
    return Operations(**totals, layers=layers)


def twin_operations(model: keras.Model) -> float:
    """Dense multiply-accumulates for one image of a model's ANN twin: the same network with ReLU, in which every synapse runs once.

    Args:
        model: As for `synaptic_operations`, spiking or not.

    Raises:
        ValueError: As `synaptic_operations`.

    Example:
        >>> kd.metrics.twin_operations(student)
    """
    return sum(_Synapse(layer).connections(tensor) for _, layer, tensor, _ in calls(model) if _is_synapse(layer))


def synapses(model: keras.Model) -> dict[str, keras.Layer]:
    """By name, the `Dense` and `Conv2D` layers of a functional model, taken out of `OverTime`; once for each call.

    Raises:
        ValueError: If a layer of another kind has a matrix of weights, or if the model is not functional.
    """
    return {name: layer.layer if isinstance(layer, OverTime) else layer for name, layer, _, _ in calls(model) if _is_synapse(layer)}


def _is_synapse(layer: keras.Layer) -> bool:
    inner = layer.layer if isinstance(layer, OverTime) else layer
    if isinstance(inner, (keras.layers.Dense, keras.layers.Conv2D)):
        return True
    if not isinstance(inner, SpikingLayer) and any(len(weight.shape) > 1 for weight in inner.weights):
        raise ValueError(
            f"layer {layer.name!r} is a {type(inner).__name__}; synaptic operations are counted for Dense and Conv2D, bare or in OverTime"
        )
    return False


class _Synapse:
    """Counts the connections of one layer.

    The layer is applied to the mask of its nonzero inputs with the mask of its nonzero weights in place of the weights; the sum of the
    outputs is the number of connections in use. Output channels are summed before, so that this costs a fraction of the layer itself.
    """

    def __init__(self, layer: keras.Layer) -> None:
        self.timed = isinstance(layer, OverTime)
        self.layer = layer.layer if self.timed else layer
        kernel = ops.convert_to_numpy(self.layer.kernel)
        self.used, self.all = self._fan_out(kernel != 0), self._fan_out(np.ones_like(kernel))

    def _fan_out(self, mask: np.ndarray) -> np.ndarray:
        """`[..., in, out] -> [..., in, 1]`; groups stay apart."""
        groups = getattr(self.layer, "groups", 1)
        return mask.astype("float32").reshape(*mask.shape[:-1], groups, -1).sum(axis=-1)

    def count(self, x: Tensor) -> Any:
        """Connections in use at each position of the output, those of one image, and whether the input `[B, (T,) ...]` is spikes."""
        nonzero = x != 0
        spikes = ops.all(ops.logical_or(ops.logical_not(nonzero), ops.abs(x) == 1))
        mask = ops.cast(nonzero, "float32")
        if isinstance(self.layer, keras.layers.Dense):
            mask = ops.reshape(mask, (-1, int(np.prod(mask.shape[1:-1])), mask.shape[-1]))
        else:
            mask = ops.reshape(mask, (-1, mask.shape[1] if self.timed else 1, *mask.shape[-3:]))
        return self._connections(mask, self.used), self._connections(ops.ones_like(mask[:1]), self.all), spikes

    def connections(self, tensor: Tensor) -> float:
        """All connections for one image and one time step of an input `[B, (T,) ...]`."""
        shape = tensor.shape[2 if self.timed else 1 :]
        if isinstance(self.layer, keras.layers.Dense):
            shape = (int(np.prod(shape[:-1])), shape[-1])
        return float(ops.convert_to_numpy(self._connections(ops.ones((1, 1, *shape)), self.all)).sum(dtype="float64"))

    def _connections(self, mask: Tensor, fan_out: Tensor) -> Tensor:
        """`[B, T, ...]` to the number of connections at each position of the output, `[B T, ...]`."""
        folded = ops.reshape(mask, (-1, *mask.shape[2:]))
        if isinstance(self.layer, keras.layers.Dense):
            return ops.matmul(folded, fan_out)
        layer = self.layer
        return ops.conv(folded, fan_out, layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
