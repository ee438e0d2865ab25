"""The graph of a functional model: its calls in order, models inside it laid open, and which of its layers fire."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_snnkd._types import Tensor
from keras_snnkd.errors import wrong_kind
from keras_snnkd.files.samples import Samples
from keras_snnkd.keras_internals import call_again, layer_for, nodes, unconnected

MERGES = (keras.layers.Add, keras.layers.Concatenate)
"""The layers in which branches come together, of a list of tensors."""

Place = Callable[[keras.Operation], Sequence[keras.Operation] | None]
"""What stands for an operation in a graph that is made again, one after the other; `None` for the operation itself."""


def is_graph(model: object) -> bool:
    """Whether a model is functional or a built `Sequential`, so that its layers can be seen."""
    return isinstance(model, keras.Model) and bool(getattr(model, "outputs", None)) and nodes(model) is not None


def inputs_of(model: keras.Model) -> Any:
    """What a graph of the same inputs begins with: the one input of a functional model, or the list of several."""
    inputs = list(model.inputs)
    return inputs[0] if len(inputs) == 1 else inputs  # a list of one makes Keras warn


def fresh_inputs(model: keras.Model) -> Any:
    """New inputs of the same shapes, types and names, on which a functional model can be called: one, or the list of several."""
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name) for tensor in model.inputs]
    return inputs[0] if len(inputs) == 1 else inputs


def taken(model: keras.Model, samples: Samples) -> Samples:
    """What a functional model takes of samples of several inputs: those of its own, by name, or of one input the array."""
    if not isinstance(samples, Mapping):
        return samples
    own = {tensor.name: samples[tensor.name] for tensor in model.inputs}
    return own if len(own) > 1 else next(iter(own.values()))


def in_order(model: keras.Model, samples: Samples) -> Any:
    """Samples as a functional model is called with them: an array, or of several inputs the list in the model's order."""
    given = taken(model, samples)
    return list(given.values()) if isinstance(given, Mapping) else given


def check_built(model: keras.Model, what: str = "the model") -> None:
    """Raise a `ValueError` for a model that has no shapes yet, and a `KindError` for what is no model."""
    if not isinstance(model, keras.Model):
        call = "; of a function give what it returns" if callable(model) else ""
        raise wrong_kind(what, model, f"a built keras.Model, such as kd.models.load(path) or keras.Model(inputs, outputs) gives{call}")
    if isinstance(model, keras.Sequential) and not is_graph(model):
        raise ValueError(
            f"the Sequential model {model.name} is not built, so that the shape of its images is not known; "
            "put keras.Input(image_shape) before its first layer, or call it on a batch first"
        )


def calls(model: keras.Model) -> list[tuple[str, keras.Layer, Any, Any]]:
    """The layers of a functional model in the order in which they run, once for each time they are called.

    Args:
        model: A functional or sequential model. Of models inside it the layers are told, as `flat` names them.

    Returns:
        `(name, layer, input, output)` per call, the tensors symbolic and of `flat(model)`, and the first one where there are several.
        From the second call of a shared layer on, the name ends in `:2`, `:3`, ...

    Raises:
        ValueError: If the model is subclassed, or not built.

    Example:
        >>> [name for name, layer, _, _ in calls(model) if fires(layer)]
    """
    check_built(model)
    if not is_graph(model):
        raise ValueError(
            f"{model.name} is a {type(model).__name__}, whose layers cannot be read one by one; "
            "expected a functional or sequential model that is built, such as kd.models.ConvNet(...) returns"
        )
    found: list[tuple[str, keras.Layer, Any, Any]] = []
    times: dict[str, int] = {}
    for node in nodes(flat(model)):
        layer = node.operation
        if node.is_input or not isinstance(layer, keras.Layer):
            continue
        times[layer.name] = times.get(layer.name, 0) + 1
        name = layer.name if times[layer.name] == 1 else f"{layer.name}:{times[layer.name]}"
        found.append((name, layer, node.input_tensors[0], node.output_tensors[0]))
    return found


def fires(layer: keras.Layer) -> bool:
    """Whether a layer's output is spikes: it says so in `emits_spikes`, as the neurons here do and any own layer may.

    The protocol of an own neuron: a Keras layer with ``emits_spikes = True`` whose output are the spikes `[B, T, ...]`. It may have a
    `threshold`, a number, and a method `membrane(inputs)` that gives the membrane potentials before the reset, `[B, T, ...]`.
    """
    return bool(getattr(layer, "emits_spikes", False))


def first_output(layer: keras.Layer) -> Any:
    """What a layer of a graph gives, or the first of several: the spikes of neurons that return their state too."""
    return keras.tree.flatten(layer.output)[0]


def producer(model: keras.Model, tensor: Any) -> Any:
    """The operation that makes a tensor of a graph, and what it reads; `None` for an input."""
    for node in nodes(model):
        if not node.is_input and any(output is tensor for output in node.output_tensors):
            return node.operation, list(node.input_tensors)
    return None


def flat(model: keras.Model) -> keras.Model:
    """The same network without models inside: their layers stand in one graph, with the same weights.

    A `Sequential` becomes such a graph too: the tensors of its layers need not be those of its own one, as in a file that was loaded.
    Branches that come together by `x + y` or `keras.ops.concatenate` do so in an `Add` or a `Concatenate` of the same name.

    Layers keep their names; where two have one name, the inner one is told by its model's name too, `outer_inner`. The output of a model
    inside keeps the name of that model.

    Args:
        model: A functional or sequential model.

    Returns:
        The model itself, if it is functional and has neither in it; else one with the same variables, not compiled.

    Example:
        >>> flat(keras.Sequential([keras.Input((32, 32, 3)), backbone, keras.layers.Dense(10)]))
    """
    if not is_graph(model):
        return model
    changed = any(_is_inner(operation) or layer_for(operation) for operation in _operations(model))
    return remade(model) if changed or isinstance(model, keras.Sequential) else model


def remade(model: keras.Model, place: Place = lambda operation: None, name: str | None = None) -> keras.Model:
    """A model of the same weights, without models inside, in which some operations have another in their place.

    Args:
        model: A functional or sequential model.
        place: The operations in place of another.
        name: Of the new model; the old one by default.

    Returns:
        A functional model, not compiled, whose layers have no part in other graphs.
    """
    return _run_again(model, [tensor.shape for tensor in model.inputs], place, name)


def sized(model: keras.Model, image_shape: Sequence[int] | Mapping[str, Sequence[int]]) -> keras.Model:
    """The same network for images of one shape, where it takes images of several.

    Args:
        model: A functional or sequential model, such as one that begins with `keras.Input((None, None, 3))`.
        image_shape: Of one image, which fits the model; of several inputs a mapping by the input's name.

    Returns:
        The model itself, if its inputs leave nothing open, have other sizes, or its graph cannot be seen; else one with the same
        variables, without models inside, not compiled.

    Example:
        >>> sized(keras.Sequential([keras.Input((None, None, 3)), backbone, keras.layers.Dense(10)]), (32, 32, 3))
    """
    by_name = isinstance(image_shape, Mapping)
    if not is_graph(model) or (len(model.inputs) > 1 and not by_name):
        return model
    wanted = [tuple(image_shape[tensor.name] if by_name else image_shape) for tensor in model.inputs]
    taken = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if not all(map(_fits, taken, wanted)) or not any(None in shape for shape in taken):
        return model
    return _run_again(model, [(tensor.shape[0], *shape) for tensor, shape in zip(model.inputs, wanted, strict=True)])


def _fits(taken: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    """Whether an input takes samples of a shape."""
    return len(taken) == len(shape) and all(want in (None, got) for want, got in zip(taken, shape, strict=True))


def _run_again(model: keras.Model, shapes: Sequence[Any], place: Place = lambda operation: None, name: str | None = None) -> keras.Model:
    """The graph of a model on inputs of these shapes, batch included."""
    inputs = [
        keras.Input(batch_shape=shape, dtype=tensor.dtype, name=tensor.name) for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]
    outputs = _Copy(place, model).run(model, inputs)
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs, name=name or model.name)


def handle(layer: keras.Operation, **changes: Any) -> keras.Operation:
    """A second handle on a layer, see `keras_internals.unconnected`, that differs in some attributes."""
    twin = unconnected(layer)
    vars(twin).update(changes)
    return twin


class _Copy:
    """Runs the graphs of a model and of those inside it once more, with handles in place of the layers."""

    def __init__(self, place: Place, model: keras.Model) -> None:
        self.place = place
        self.made: dict[int, list[keras.Operation]] = {}
        self.names = {operation.name for operation in _operations(model) if not _is_inner(operation)}

    def run(self, model: keras.Model, inputs: Sequence[Any], prefix: str = "", **context: Any) -> list[Tensor]:
        """The outputs of a model's graph on symbolic `inputs`; `context` are arguments with which all its layers are called."""

        def call(operation: Any, *arguments: Any, **named: Any) -> Any:
            if _is_inner(operation):
                forced = {**context, **{key: value for key, value in named.items() if key == "training" and value is not None}}
                return self._inner(operation, keras.tree.flatten(arguments), prefix, forced)
            first, *behind = self._in_place(operation, prefix)
            if isinstance(first, MERGES) and not isinstance(operation, MERGES):
                arguments = (keras.tree.flatten(arguments),)
            named = {key: value for key, value in {**named, **context}.items() if key in named or key in _arguments(operation)}
            if type(first) is not type(operation):
                named = {key: value for key, value in named.items() if key in _arguments(first)}
            outputs = first(*arguments, **named)
            for other in behind:
                outputs = other(outputs)
            return outputs

        return keras.tree.flatten(call_again(model, inputs, call))

    def _inner(self, model: keras.Model, inputs: Sequence[Any], prefix: str, context: Any) -> Any:
        outputs = self.run(model, inputs, f"{prefix}{model.name}_", **context)
        if len(outputs) == 1:
            outputs = [keras.layers.Identity(name=self._free(model.name, prefix))(outputs[0])]
        return outputs[0] if len(outputs) == 1 else outputs

    def _in_place(self, operation: Any, prefix: str) -> Any:
        if id(operation) not in self.made:
            others = self.place(operation)
            name = self._free(operation.name, prefix) if prefix else operation.name  # those of the outermost graph keep theirs
            self.made[id(operation)] = list(others or [layer_for(operation, name) or handle(operation, name=name)])
        return self.made[id(operation)]

    def _free(self, name: str, prefix: str) -> str:
        """A name that is not taken yet."""
        free = name if name not in self.names else f"{prefix}{name}"
        number = 2
        while free in self.names:
            free, number = f"{prefix}{name}_{number}", number + 1
        self.names.add(free)
        return free


def _is_inner(operation: Any) -> bool:
    """Whether an operation is a model whose graph is all that it does."""
    if not is_graph(operation):
        return False
    return type(operation).call.__qualname__ in ("Functional.call", "Sequential.call")


def _operations(model: keras.Model) -> list[Any]:
    """The layers and operations of a graph, each once."""
    return list({id(node.operation): node.operation for node in nodes(model)}.values())


def _arguments(operation: Any) -> Mapping[str, Any]:
    return inspect.signature(operation.call).parameters
