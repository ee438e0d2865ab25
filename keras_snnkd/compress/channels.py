"""A network with fewer channels: as many as its activations have directions."""

import collections
import functools
from collections.abc import Collection
from typing import Any

import keras
import numpy as np
import scipy.linalg
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array
from keras_snnkd.errors import NothingToGainError, unknown_name
from keras_snnkd.layers import Direct, SpikeCount
from keras_snnkd.layers.encoders import is_number
from keras_snnkd.metrics.measurement import Measurement
from keras_snnkd.models.prunable import config_of
from keras_snnkd.models.rebuild import Form, inner, rebuilt
from keras_snnkd.weights.folding import readers

NARROWED = (keras.layers.Conv2D, keras.layers.Dense)

HANDED_ON = (
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.ReLU,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Flatten,
    Direct,
    SpikeCount,
)
"""Layers that leave channels where they are."""


def narrowed(model: keras.Model, images: Any, share: float = 0.99, skip: Collection[str] = (), name: str | None = None) -> keras.Model:
    """A trained network with as many channels in each hidden layer as the principal components of its activations need.

    With the mean over time of a layer's spikes, ``a[b, d]`` (positions of maps are samples), and the eigenvalues ``e`` of its covariance,
    largest first::

        channels = the smallest k with  e_1 + ... + e_k >= share (e_1 + ... + e_D)

    Which channels stay is chosen one by one: the one whose activations the ones before explain least (QR with pivots of the covariance).
    Weights of the others are cut out, so that training goes on from what was learned.

    Layers whose outputs are added to others, as in residual blocks, those that are called more than once, and the last one stay as they
    are.

    Args:
        model: A functional or sequential model. It is not changed.
        images: Some hundred training images, prepared as for the model.
        share: Of the variance, above 0 and at most 1.
        skip: Names of layers that stay.
        name: Of the new model; `<name of the model>_narrow` by default.

    Returns:
        A functional model with the same layer names and weights of its own, not compiled.

    Raises:
        ValueError: For an impossible share.
        NothingToGainError: If every layer needs all its channels.
        UnknownNameError: For a layer in `skip` that is not there.

    Example:
        >>> student = kd.compress.narrowed(trained, images, share=0.95)

    Source: widths by PCA on means over time, Chowdhury et al. (IJCNN 2021, arXiv:2104.12528), who then train; which channels is ours.
    """
    check_share(share)
    check_narrowable(model, skip)
    graph = graphs.flat(model)
    behind = _narrowable(graph, skip)
    kept = _kept(graph, {layer: active for layer, (active, *_) in behind.items()}, images, share)
    if not kept:
        raise NothingToGainError(f"{model.name} has no channel to spare at share={share:g} of the variance; take a smaller share")
    plans: dict[int, tuple[Array | None, Array | None]] = {}
    for layer, channels in kept.items():
        _, passed, ends = behind[layer]
        one = inner(graph.get_layer(layer))
        plans[id(one)] = plans.get(id(one), (None, None))[0], channels
        for other in passed:
            plans[id(inner(other))] = None, channels
        for end in ends:
            width = int(inner(graph.get_layer(layer)).kernel.shape[-1])
            rows = np.arange(inner(end).kernel.shape[-2] // width)[:, None] * width + channels
            plans[id(inner(end))] = rows.ravel(), plans.get(id(inner(end)), (None, None))[1]
    return rebuilt(graph, lambda layer: _cut(layer, *plans[id(layer)]) if id(layer) in plans else None, name or f"{model.name}_narrow")


def check_share(share: Any) -> None:
    """Raise a `ValueError` for what is no part of a variance."""
    if not is_number(share) or not 0 < share <= 1:
        raise ValueError(f"share is the part of the variance that is kept, above 0 and at most 1, got {share!r}")


def check_narrowable(model: keras.Model, skip: Collection[str] = ()) -> None:
    """Raise a `NothingToGainError` if a network has no layer whose channels `narrowed` could cut, whatever its weights."""
    if not _narrowable(graphs.flat(model), skip):
        raise NothingToGainError(
            f"{model.name} has no hidden layer whose channels can be cut: no Conv2D or Dense that is called once, is not skipped, and "
            "whose channels an active layer and other Conv2D and Dense alone read"
        )


def _narrowable(graph: keras.Model, skip: Collection[str]) -> dict[str, tuple[keras.layers.Layer, list[Any], list[Any]]]:
    """The layers whose channels can be cut, by name, with what reads these."""
    names = [layer.name for layer in graph.layers if type(inner(layer)) in NARROWED]
    for layer in skip:
        if layer not in names:
            raise unknown_name(f"layer of {graph.name}", layer, names)
    times = collections.Counter(layer.name for _, layer, *_ in graphs.calls(graph))
    shared = {layer for layer, count in times.items() if count > 1}
    behind = {layer.name: _behind(graph, layer, shared) for layer in graph.layers if layer.name not in skip}
    return {name: found for name, found in behind.items() if found is not None}


def _behind(
    graph: keras.Model, layer: keras.layers.Layer, shared: Collection[str]
) -> tuple[keras.layers.Layer, list[Any], list[Any]] | None:
    """What reads a synapse's channels: the active layer, all that hand them on, and the synapses behind; `None` if others do."""
    if type(inner(layer)) not in NARROWED or in_groups(layer) or layer.name in shared:
        return None
    passed: list[Any] = []
    ends: list[Any] = []
    active: list[Any] = []
    tensors = [(layer.output, False)]
    while tensors:
        tensor, flattened = tensors.pop()
        found = readers(tensor, graph)
        if not found or any(tensor is output for output in graph.outputs):
            return None
        for reader in found:
            one: Any = inner(reader)
            if reader.name in shared:
                return None
            if type(one) in NARROWED:
                if in_groups(reader):
                    return None
                ends.append(reader)
                continue
            fires = graphs.fires(one)
            if not (isinstance(one, HANDED_ON) or fires) or getattr(one, "recurrent", False):
                return None
            if flattened and not isinstance(one, (keras.layers.Dropout, Direct)):  # whose channels are those of all positions
                return None
            passed.append(reader)
            active += [reader] if fires or isinstance(one, keras.layers.ReLU) else []
            flat = isinstance(one, keras.layers.Flatten) and len(tensor.shape) > 2 + (one is not reader)
            tensors.append((graphs.first_output(reader), flattened or flat))
    return (active[0], passed, ends) if active and ends else None


def in_groups(layer: keras.layers.Layer) -> bool:
    """Whether a convolution's channels read a part of those before it each."""
    return getattr(inner(layer), "groups", 1) != 1


def _kept(graph: keras.Model, active: dict[str, keras.layers.Layer], images: Any, share: float) -> dict[str, Array]:
    """The channels that stay, of each layer that needs fewer than it has."""
    tensors = {name: graphs.first_output(layer) for name, layer in active.items()}
    sums: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    if not tensors:
        return {}
    over_time = {name for name, layer in active.items() if graphs.fires(layer) or inner(layer) is not layer}
    for batch in Measurement(graph, tensors, functools.partial(_moments, over_time=over_time)).batches(images, 64):
        for name, moments in batch.items():
            sums[name] = sums[name] + moments.astype("float64")
    kept = {}
    for name, moments in sums.items():
        count, mean = moments[0, 0], moments[0, 1:] / moments[0, 0]
        covariance = moments[1:, 1:] / count - np.outer(mean, mean)
        channels = _principal(covariance, share)
        if len(channels) < len(covariance):
            kept[name] = channels
    return kept


def _moments(values: dict[str, Any], over_time: Collection[str]) -> dict[str, Any]:
    """Of activations `a`, means over the steps of those that have some, the sums of ``(1, a)^T (1, a)`` over images and positions."""

    def of(x: Any, steps: bool) -> Any:
        x = ops.cast(x, "float32")
        x = ops.mean(x, axis=1) if steps else x
        x = ops.reshape(x, (-1, x.shape[-1]))
        x = ops.concatenate([ops.ones_like(x[:, :1]), x], axis=1)
        return ops.matmul(ops.transpose(x), x)

    return {name: of(x, name in over_time) for name, x in values.items()}


def _principal(covariance: Array, share: float) -> Array:
    """The channels that stay, in their order; at least one."""
    eigenvalues = np.clip(np.linalg.eigvalsh(covariance)[::-1], 0.0, None)
    total = np.cumsum(eigenvalues)
    count = int(np.searchsorted(total, share * total[-1] * (1 - 1e-12))) + 1
    _, _, pivots = scipy.linalg.qr(covariance, pivoting=True)
    return np.sort(pivots[: min(count, len(covariance))])


def _cut(layer: Any, rows: Array | None, channels: Array | None) -> Form:
    """A layer with some of its input rows and output channels."""
    config = config_of(layer)
    if type(layer) in NARROWED and channels is not None:
        config["units" if isinstance(layer, keras.layers.Dense) else "filters"] = len(channels)

    def fill(twin: Any) -> None:
        if type(layer) not in NARROWED:
            twin.set_weights([value[..., channels] if value.ndim and value.shape[-1] > 1 else value for value in layer.get_weights()])
            return
        kernel, *bias = layer.get_weights()
        kernel = kernel if rows is None else kernel[..., rows, :]
        twin.set_weights([value if channels is None else value[..., channels] for value in (kernel, *bias)])

    return Form([type(layer).from_config(config)], fill)
