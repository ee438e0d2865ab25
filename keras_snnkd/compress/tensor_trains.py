"""Trained convolutions as tensor trains, and back."""

import dataclasses
from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Array
from keras_snnkd.errors import NothingToGainError, unknown_name
from keras_snnkd.layers.encoders import is_count, is_number
from keras_snnkd.layers.tensor_train import MODES, TensorTrainConv2D
from keras_snnkd.models.rebuild import Form, inner, rebuilt
from keras_snnkd.weights.folding import is_linear


def decomposed(
    model: keras.Model,
    rank: int | None = None,
    energy: float | None = None,
    mode: str = "sequential",
    skip: Collection[str] = (),
    full_steps: int = 2,
    name: str | None = None,
) -> keras.Model:
    """A trained network with its convolutions as tensor trains, by singular value decomposition.

    `"sequential"` is the truncated tensor train of the kernel ``[C, k, k, filters]``. `"parallel"` and `"half"` can hold the cross of a
    kernel alone, its middle column and row: of that they take the leading singular vectors over input and output channels (Tucker-2).
    What the truncation loses, training the student from the network as it was brings back.

    A convolution stays as it is where the train would have no fewer weights, and where the kernel is 1x1.

    Args:
        model: A functional or sequential model. It is not changed.
        rank: The most that all ranks may be.
        energy: In its place, the share of the kernel's squares that each truncation keeps, above 0 and at most 1.
        mode: `"sequential"`, `"parallel"` or `"half"`; see `TensorTrainConv2D`. A layer before the time axis is parallel in place of half.
        skip: Names of convolutions that stay.
        full_steps: Of `"half"`.
        name: Of the new model; `<name of the model>_tt` by default.

    Returns:
        A functional model with weights of its own, not compiled.

    Raises:
        ValueError: For a rank of 0, or both or neither of rank and energy.
        NothingToGainError: If none of the convolutions becomes smaller.
        UnknownNameError: For an unknown mode, or a layer in `skip` that is not there.

    Example:
        >>> student = kd.compress.decomposed(trained, rank=4)
        >>> distiller = kd.Distiller(student, trained, ["soft_targets"])

    Source: TT-SNN, Lee et al. (DATE 2024, arXiv:2401.08001); the decomposition of a trained kernel is ours, since the released script
    for it does not run.
    """
    check_truncation(rank, energy, mode)
    graph = graphs.flat(model)
    convolutions = {layer.name: inner(layer) for layer in graph.layers if type(inner(layer)) is keras.layers.Conv2D}
    for layer in skip:
        if layer not in convolutions:
            raise unknown_name(f"convolution of {model.name}", layer, convolutions)
    timed = {id(inner(layer)) for layer in graph.layers if inner(layer) is not layer}
    chosen: dict[int, tuple[str, list[Array]]] = {}
    for one in (one for layer, one in convolutions.items() if layer not in skip):
        kind = "parallel" if mode == "half" and id(one) not in timed else mode
        factors = factorized(ops.convert_to_numpy(one.kernel), kind, Truncation(rank, energy))
        smaller = sum(factor.size for factor in factors) < int(np.prod(one.kernel.shape))
        if smaller and max(one.kernel_size) > 1 and one.groups == max(one.dilation_rate) == 1 and one.data_format == "channels_last":
            chosen[id(one)] = kind, factors
    if not chosen:
        raise NothingToGainError(
            f"no convolution of {model.name} becomes smaller as a tensor train of rank={rank!r}, energy={energy!r}; take less, or leave it"
        )
    return rebuilt(
        graph, lambda layer: _train(layer, *chosen[id(layer)], full_steps) if id(layer) in chosen else None, name or f"{model.name}_tt"
    )


def check_truncation(rank: Any, energy: Any, mode: Any) -> None:
    """Raise an error for what no kernel can be decomposed by; see `decomposed`."""
    if (rank is None) == (energy is None):
        raise ValueError(f"a tensor train goes to a rank or to a share of energy, got rank={rank!r} and energy={energy!r}")
    if rank is not None and not is_count(rank):
        raise ValueError(f"rank must be a whole number above 0, got {rank!r}")
    if energy is not None and (not is_number(energy) or not 0 < energy <= 1):
        raise ValueError(f"energy is the share of a kernel's squares that is kept, above 0 and at most 1, got {energy!r}")
    if mode not in MODES:
        raise unknown_name("mode of a tensor train", mode, MODES)


@dataclasses.dataclass(frozen=True)
class Truncation:
    """Where singular values are cut: at a rank, or where a share of their squares is reached."""

    rank: int | None = None
    energy: float | None = None

    def of(self, singular: Array) -> int:
        """How many of the singular values, largest first, stay."""
        if self.rank is not None:
            return min(self.rank, len(singular))
        squares = np.cumsum(np.square(singular.astype("float64")))
        return int(np.searchsorted(squares, (self.energy or 1.0) * squares[-1] * (1 - 1e-12))) + 1


def factorized(kernel: Array, mode: str, truncation: Truncation) -> list[Array]:
    """The four factors of a kernel `[k, k, C, filters]`, as `TensorTrainConv2D` has them."""
    return _sequential(kernel, truncation) if mode == "sequential" else _parallel(kernel, mode, truncation)


def _sequential(kernel: Array, truncation: Truncation) -> list[Array]:
    height, width, _, filters = kernel.shape
    rest = np.moveaxis(kernel, 2, 0).reshape(kernel.shape[2], -1)
    first, rest = _cut(rest, truncation)
    second, rest = _cut(rest.reshape(first.shape[1] * height, width * filters), truncation)
    third, fourth = _cut(rest.reshape(second.shape[1] * width, filters), truncation)
    r1, r2, r3 = first.shape[1], second.shape[1], third.shape[1]
    return [
        first[None, None],
        np.moveaxis(second.reshape(r1, height, r2), 1, 0)[:, None],
        np.moveaxis(third.reshape(r2, width, r3), 1, 0)[None],
        fourth[None, None],
    ]


def _cut(matrix: Array, truncation: Truncation) -> tuple[Array, Array]:
    """Two matrices whose product is the best of that rank; the singular values are shared evenly."""
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    rank = truncation.of(singular)
    root = np.sqrt(singular[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def _parallel(kernel: Array, mode: str, truncation: Truncation) -> list[Array]:
    height, width, channels, filters = kernel.shape
    row, column = (height - 1) // 2, (width - 1) // 2
    cross = np.zeros_like(kernel)
    cross[row], cross[:, column] = kernel[row], kernel[:, column]
    inputs, over_inputs, _ = np.linalg.svd(np.moveaxis(cross, 2, 0).reshape(channels, -1), full_matrices=False)
    outputs, over_outputs, _ = np.linalg.svd(np.moveaxis(cross, 3, 0).reshape(filters, -1), full_matrices=False)
    r1, r3 = truncation.of(over_inputs), truncation.of(over_outputs)
    if mode == "half":
        r1 = r3 = min(max(r1, r3), inputs.shape[1], outputs.shape[1])
    core = np.einsum("abio,ip,oq->abpq", cross, inputs[:, :r1], outputs[:, :r3])
    second, third = 2 * core[:, column : column + 1], 2 * core[row : row + 1]
    second[row, 0] /= 2  # the middle is in both
    third[0, column] /= 2
    return [inputs[None, None, :, :r1], second, third, outputs[:, :r3].T[None, None]]


def _train(layer: Any, mode: str, factors: list[Array], full_steps: int) -> Form:
    first, second, third, _ = factors
    behind = [] if is_linear(layer) else [keras.layers.Activation(layer.activation, name=layer.name, dtype=layer.dtype_policy)]
    ranks = (first.shape[-1], second.shape[-1] if mode == "sequential" else first.shape[-1], third.shape[-1])
    train = TensorTrainConv2D(
        layer.filters,
        layer.kernel_size,
        ranks,
        mode,
        layer.strides,
        layer.padding,
        layer.use_bias,
        full_steps,
        name=f"{layer.name}_train" if behind else layer.name,
        dtype=layer.dtype_policy,
    )

    def fill(train: TensorTrainConv2D, *_: Any) -> None:
        for variable, factor in zip(train.factors, factors, strict=True):
            variable.assign(factor)
        if train.bias is not None:
            train.bias.assign(layer.bias)

    return Form([train, *behind], fill, bare=mode == "half")


def kept_kernels(layer: TensorTrainConv2D) -> list[Any]:
    """The kernels of the convolutions that a train is where it is not merged; the two in parallel are one, a cross with zeros around."""
    return layer.factors if layer.mode == "sequential" else [layer.first, layer.middle(), layer.fourth]


def undone(layer: TensorTrainConv2D, kept: bool = False) -> Form:
    """A tensor train as ordinary convolutions: one with the whole kernel, or one for each factor.

    Raises:
        ValueError: For mode `"half"`, which is two convolutions, one for some steps each.
    """
    if layer.mode == "half":
        raise ValueError(f"{layer.name} is a tensor train with mode='half', another convolution in its last steps; it has no plain form")
    same: dict[str, Any] = {"padding": layer.padding, "dtype": layer.dtype_policy}

    def convolution(kernel: Any, strides: tuple[int, int], name: str, use_bias: bool = False) -> Any:
        return keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], strides, name=name, use_bias=use_bias, **same)

    kernels = kept_kernels(layer) if kept else [layer.kernel]
    if not kept:
        strides = [layer.strides]
    elif layer.mode == "sequential":
        height, width = layer.strides
        strides = [(1, 1), (height, 1), (1, width), (1, 1)]
    else:
        strides = [(1, 1), layer.strides, (1, 1)]
    names = [*[f"{layer.name}_factor{number}" for number in range(1, len(kernels))], layer.name]
    last = len(kernels) - 1
    made = [
        convolution(kernel, stride, name, layer.use_bias and index == last)
        for index, (kernel, stride, name) in enumerate(zip(kernels, strides, names, strict=True))
    ]

    def fill(*convolutions: Any) -> None:
        for one, kernel in zip(convolutions, kernels, strict=True):
            one.kernel.assign(kernel)
        if layer.bias is not None:
            convolutions[-1].bias.assign(layer.bias)

    return Form(made, fill)
