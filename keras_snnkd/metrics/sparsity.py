"""How many of a network's weights and activations are zero."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array, Tensor
from keras_snnkd.files import samples
from keras_snnkd.layers import OverTime
from keras_snnkd.layers.synapses import parts
from keras_snnkd.metrics.measurement import Measurement

ACTIVATIONS = ("relu", "sigmoid")
"""The activations of an ANN whose zeros count; NeuroBench's list."""


def connection_sparsity(model: keras.Model) -> float:
    """The share of weights that are zero, over the kernels of all synapses::

        connection sparsity = number of w = 0 / number of w

    Biases, normalization and the neurons' parameters are not connections. The name and the definition are NeuroBench's (Yik et al., 2025,
    Nature Communications 16:1545, arXiv:2304.04640), which rounds the result to four places.

    Args:
        model: As for `synaptic_operations`.

    Returns:
        0 for a dense network, 1 for one without connections; 0 also where there are no synapses.

    Raises:
        ValueError: If a layer of another kind has a matrix of weights, or if the model is not functional.

    Example:
        >>> kd.metrics.connection_sparsity(student)
    """
    kernels: dict[tuple[int, int], Array] = {}  # a shared layer counts once
    for name, layer, *_ in graphs.calls(model):
        inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else layer
        kernels.update({(id(inner), number): synapse.kernel for number, synapse in enumerate(parts(name, layer).values())})
    total = sum(kernel.size for kernel in kernels.values())
    return sum(int(np.sum(kernel == 0)) for kernel in kernels.values()) / total if total else 0.0


def activation_sparsity(model: keras.Model, images: Any, batch_size: int = 128) -> float | None:
    """The share of activations that are zero, over all neurons, time steps and images::

        activation sparsity = number of s[b, t, n] = 0 / number of s[b, t, n]

    Activations are the spikes of all neurons that can fire, own ones too (see `keras_snnkd.graphs.fires`), and in an ANN the outputs of its
    ReLUs and sigmoids, layers of their own or the `activation` of another. The name and the definition are NeuroBench's (Yik et al., 2025,
    Nature Communications 16:1545, arXiv:2304.04640).

    Args:
        model: A functional model.
        images: `[B, H, W, C]`, prepared as for the model; of several inputs a mapping by name.
        batch_size: Images at a time.

    Returns:
        0..1; `None` where no layer is known to be of neurons: then nothing is known of their activations either.

    Raises:
        ShapeError: If the images do not fit the model.
        ValueError: If there are no images, or if the model is not functional.

    Example:
        >>> kd.metrics.activation_sparsity(student, images)
    """
    model = graphs.sized(graphs.flat(model), samples.of_each(lambda values: np.shape(values)[1:], images))
    outputs = {name: output for name, layer, _, output in graphs.calls(model) if _is_activation(layer)}
    if not outputs:
        return None

    def count(values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: ops.sum(ops.cast(value != 0, "float32"), axis=tuple(range(1, value.ndim))) for name, value in values.items()}

    batches = Measurement(model, outputs, count).batches(images, batch_size)
    active = sum(float(counts.sum(dtype="float64")) for batch in batches for counts in batch.values())
    neuron_steps = samples.count(images) * sum(int(np.prod(output.shape[1:])) for output in outputs.values())
    return (neuron_steps - active) / neuron_steps


def _is_activation(layer: keras.Layer) -> bool:
    inner = layer.layer if isinstance(layer, OverTime) else layer
    named = getattr(getattr(inner, "activation", None), "__name__", None)
    return graphs.fires(layer) or isinstance(inner, keras.layers.ReLU) or named in ACTIVATIONS
