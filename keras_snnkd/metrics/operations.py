"""How many operations the synapses of a network perform."""

import dataclasses
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.files import samples
from keras_snnkd.layers import Attend, AttentionScore
from keras_snnkd.layers.synapses import parts
from keras_snnkd.metrics.attention import Product
from keras_snnkd.metrics.measurement import Measurement


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

    Attention's two products have no weights and count too: a term is one where both factors are not 0. A table of embeddings is looked up,
    and connects nothing.

    The names and definitions are NeuroBench's: Yik et al. (2025), Nature Communications 16:1545, arXiv:2304.04640. One departure:
    whether a layer's input is spikes is decided on all images together, not batch by batch.

    Args:
        model: A functional model whose synapses are `Dense`, `Conv`, `DepthwiseConv`, `SeparableConv` (counted as its two) and
            `ConvTranspose` layers, bare or in `OverTime`; models inside it are laid open.
        images: `[B, H, W, C]`, prepared as for the model; of several inputs a mapping by name.
        batch_size: Images at a time.

    Returns:
        The `Operations`, its layers in the order in which they run.

    Raises:
        ShapeError: If the images do not fit the model.
        UncountableError: If a layer of another kind, such as attention, has a matrix of weights.
        ValueError: If there are no images, or if the model is not functional.

    Example:
        >>> kd.metrics.synaptic_operations(student, images).effective_acs
    """
    model = graphs.flat(model)
    counters: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name, layer, tensor, output in graphs.calls(model):
        for part, synapse in parts(name, layer).items():
            counters[part], inputs[part] = synapse, output if synapse.reads_output else tensor
        if isinstance(layer, (AttentionScore, Attend)):
            counters[name], inputs[name] = Product(layer), Product.inputs(layer)
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
    layers, total = {}, samples.count(images)
    for name in counters:
        mean = effective[name] / total
        macs, acs = (0.0, mean) if binary[name] else (mean, 0.0)
        layers[name] = {"dense": dense[name], "effective_macs": macs, "effective_acs": acs}
    totals = {kind: sum(layer[kind] for layer in layers.values()) for kind in ("dense", "effective_macs", "effective_acs")}
    return Operations(**totals, layers=layers)


def twin_operations(model: keras.Model) -> float:
    """Dense multiply-accumulates for one image of a model's ANN twin: the same network with ReLU, in which every synapse runs once.

    Args:
        model: As for `synaptic_operations`, spiking or not.

    Raises:
        ShapeError: If the model takes images of any size, so that its operations have no number.
        ValueError: As `synaptic_operations`.

    Example:
        >>> kd.metrics.twin_operations(student)
    """
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs] if graphs.is_graph(model) else []
    if taken := next((shape for shape in shapes if None in shape), None):
        raise ShapeError(
            f"{model.name} takes images {taken}, and how many operations one costs depends on its size; give "
            "keras_snnkd.graphs.sized(model, image_shape)"
        )
    found = [(tensor, synapse) for name, layer, tensor, _ in graphs.calls(model) for synapse in parts(name, layer).values()]
    products = [(tensor, Product(layer)) for _, layer, tensor, _ in graphs.calls(model) if isinstance(layer, (AttentionScore, Attend))]
    synaptic = sum(synapse.connections(tensor) for tensor, synapse in found if not synapse.reads_output)  # ReLUs have no recurrence
    return synaptic + sum(product.connections(tensor) for tensor, product in products)
