"""What a model ends in: logits, or probabilities that a softmax or sigmoid makes of them."""

from collections.abc import Callable
from typing import Any

import keras

from keras_snnkd._types import Tensor
from keras_snnkd.graphs.flat import flat, handle, is_graph, producer, remade

UNCHANGED = (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.InputLayer,
    keras.layers.Permute,
    keras.layers.Reshape,
)
"""Layers behind an activation that leave its numbers as they are."""

PROBABILITIES = {"softmax": "softmax", "sigmoid": "sigmoid", "hard_sigmoid": "sigmoid"}
"""What kind of probabilities an activation gives."""

LOGITS = ("elu", "gelu", "leaky_relu", "linear", "log_softmax", "relu", "relu6", "selu", "silu", "softplus", "tanh")
"""Activations that give no probabilities."""


def last_activation(model: keras.Model) -> str | None:
    """The kind of probabilities that a model ends in, as far as its graph tells.

    Args:
        model: Any.

    Returns:
        `"softmax"`, `"sigmoid"`, `"linear"` for logits, or `None` where the graph does not tell: a subclassed model, or an own last layer.

    Example:
        >>> last_activation(keras.applications.MobileNetV2(weights=None))  # "softmax"
    """
    found = _ending(flat(model)) if is_graph(model) else None
    if found is None:
        return None
    name = _activation_of(found)
    if name in PROBABILITIES:
        return PROBABILITIES[name]
    return "linear" if name in LOGITS or type(found).__module__.startswith("keras_snnkd.") else None


def gives_numbers(model: keras.Model) -> bool:
    """Whether a model's outputs are numbers, and not the logits or probabilities of classes.

    They are where its last layer says so, `gives_numbers = True` as of `keras_snnkd.layers.Numbers`, and where an output has more axes
    than `[B, N]`.
    """
    if not is_graph(model):
        return False
    made = producer(model, model.outputs[0])
    return len(model.outputs[0].shape) > 2 or (made is not None and bool(getattr(made[0], "gives_numbers", False)))


def before_activation(model: keras.Model) -> keras.Model:
    """The same network without the softmax or sigmoid that it ends in: it gives the logits, with the same weights.

    Args:
        model: A functional or sequential model for which `last_activation` tells a softmax or a sigmoid.
    """
    return _with_ending(model, lambda operation: [_linear(operation, operation.name)])


def apart(model: keras.Model) -> tuple[keras.Model, Any]:
    """The same network with the softmax or sigmoid that it ends in as a layer of its own, and the tensor that this reads, the logits.

    Args:
        model: As for `before_activation`.
    """
    source = flat(model)
    if _is_bare(_ending(source)):
        return source, producer(source, _ending_tensor(source))[1][0]
    split = _with_ending(
        model,
        lambda operation: [
            _linear(operation, f"{operation.name}_logits"),
            keras.layers.Activation(operation.activation, dtype=operation.dtype_policy, name=operation.name),
        ],
    )
    return split, producer(split, _ending_tensor(split))[1][0]


def _with_ending(model: keras.Model, place: Callable[[keras.Operation], list[keras.Operation]]) -> keras.Model:
    """The same network with other operations in place of the last activation."""
    source = flat(model)
    ending = _ending(source)
    return remade(source, lambda operation: place(operation) if operation is ending else None)


def _linear(operation: keras.Operation, name: str) -> keras.Operation:
    """An operation without its activation."""
    if _is_bare(operation):
        return keras.layers.Identity(name=name)
    return handle(operation, activation=keras.activations.linear, name=name)


def _is_bare(operation: keras.Operation) -> bool:
    """Whether an operation is an activation and nothing else."""
    return not isinstance(operation, keras.Layer) or isinstance(operation, (keras.layers.Softmax, keras.layers.Activation))


def _ending(model: keras.Model) -> keras.Operation | None:
    """The operation that decides what the output means."""
    made = producer(model, _ending_tensor(model))
    return made[0] if made else None


def _ending_tensor(model: keras.Model) -> Tensor:
    """What that operation gives."""
    tensor = model.outputs[0]
    while (made := producer(model, tensor)) is not None:
        operation, inputs = made
        if not _passes(operation) or len(inputs) != 1:
            break
        tensor = inputs[0]
    return tensor


def _passes(operation: keras.Operation) -> bool:
    """Whether an operation hands numbers on as they are."""
    bare = isinstance(operation, keras.layers.Activation) and _activation_of(operation) == "linear"
    return bare or isinstance(operation, UNCHANGED)


def _activation_of(operation: keras.Operation) -> str:
    """The name of an operation's activation, `"linear"` for none."""
    if isinstance(operation, keras.layers.Softmax) or type(operation).__name__ == "Softmax":
        return "softmax"
    if type(operation).__name__ in ("Sigmoid", "HardSigmoid"):
        return "sigmoid"
    activation = getattr(operation, "activation", None)
    if activation is None:
        return "linear" if isinstance(operation, keras.Layer) and hasattr(operation, "kernel") else "unknown"
    return getattr(activation, "__name__", type(activation).__name__).lower()
