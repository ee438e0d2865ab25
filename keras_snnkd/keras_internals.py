"""The one place that reaches below the public interface of Keras, and why each time; checked with the versions in `CHECKED`.

A new version of Keras may change any of it. `tests/test_keras_internals.py` fails there until somebody has looked and named the version.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.ops.numpy import Add, Concatenate

CHECKED = ("3.15.1",)
"""The versions of Keras with which this file was checked."""

FUNCTIONAL = ("keras.src.models.functional", "Functional")
"""Module and name by which a `.keras` file calls a functional model."""

OPERATIONS = "keras.src.ops."
"""Where a `.keras` file says that operations between layers of a functional model come from."""


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of a model at every depth, also of one that is subclassed; `model.layers` holds the outermost alone."""
    return model._flatten_layers(include_self=False)


def producer(tensor: keras.KerasTensor) -> keras.Operation:
    """The operation, most often a layer, whose output a symbolic tensor is."""
    return tensor._keras_history.operation


def kernel_variable(layer: keras.Layer) -> keras.Variable:
    """The variable of a layer's kernel, also where `layer.kernel` is computed from it."""
    return layer._kernel


def read_by(layer: keras.Layer) -> keras.KerasTensor:
    """The first tensor that a layer of a functional model reads; `layer.input` is a list where a mask comes with it."""
    return keras.tree.flatten(layer.input)[0]


def mask_of(tensor: keras.KerasTensor) -> keras.KerasTensor | None:
    """The mask that goes with a symbolic tensor of a functional model, and is a tensor of that model too; `None` without."""
    return getattr(tensor, "_keras_mask", None)


def nodes(model: keras.Model) -> Any:
    """The calls of layers of which a functional or built sequential model consists, first to last; `None` for a subclassed model.

    Each has `operation`, `is_input`, `input_tensors` and `output_tensors`. A layer that is called twice is there twice.
    """
    graph = getattr(model, "_functional", None) or model
    by_depth = getattr(graph, "_nodes_by_depth", None)
    if by_depth is None:
        return None
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def call_again(model: keras.Model, inputs: keras.KerasTensor, call: Callable[..., Any]) -> Any:
    """The outputs of a functional or built sequential model on other inputs.

    ``call(layer, *args, **kwargs)`` stands for the call of each layer.
    `keras.models.clone_model` does the same, but cannot make a model with more inputs than it was given.
    """
    graph = getattr(model, "_functional", None) or model
    return graph._run_through_graph(inputs, call_fn=call)


def run_through(model: keras.Model, inputs: Any, of: Callable[[keras.Operation], Callable[..., Any]]) -> Any:
    """The outputs of a functional model, where ``of(layer)`` stands for each layer; it may give something else than tensors."""
    return model._run_through_graph(inputs, operation_fn=of)


def layer_for(operation: keras.Operation, name: str | None = None) -> keras.Layer | None:
    """A new layer that does what `x + y` or `keras.ops.concatenate` does in a functional model; `None` for other operations.

    Only tensors of one shape and type are added so, as only these come from branches. The layer takes them as one list.
    """
    if not isinstance(operation, (Add, Concatenate)):
        return None
    tensors = keras.tree.flatten(operation.input)
    more = {"name": name or operation.name, "dtype": operation.output.dtype}
    if isinstance(operation, Concatenate):
        return keras.layers.Concatenate(axis=operation.axis, **more)
    alike = len(tensors) == 2 and len({(tuple(tensor.shape), tensor.dtype) for tensor in tensors}) == 1
    return keras.layers.Add(**more) if alike and keras.backend.is_float_dtype(tensors[0].dtype) else None


def unconnected(layer: keras.Layer) -> keras.Layer:
    """A second handle on a layer, with the same weights and sublayers, and without connections.

    A layer used in two graphs answers `layer.output` for the first one only, and taps, exports and counts of spikes read that.
    """
    twin = object.__new__(type(layer))
    vars(twin).update(vars(layer))
    vars(twin).update(_inbound_nodes=[], _outbound_nodes=[])
    return twin


@contextlib.contextmanager
def without_memory() -> Iterator[None]:
    """A scope in which models are built and their weights take no memory; what is built in it can be counted, and nothing else."""
    noted = "uninitialized_variables"  # which Keras fills at the end of a scope: these never
    before = list(global_state.get_global_attribute(noted, []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(noted, before)


class Distributed(keras.Model):
    """What a `keras.Model` with a `train_step` of its own needs beside `training.strategy.reducible`, as its base."""

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # Keras takes a batch out of the data to see its shapes, and across workers fails on it (keras issue 20585). The data tell them.
        if iterator is not None and self._distribute_strategy is not None:
            data_batch = keras.tree.map_structure(_of_one_replica, iterator._get_iterator().element_spec)
        super()._maybe_symbolic_build(data_batch=data_batch)

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        # Keras does this where a step gives all metrics. Else it takes the mean of the replicas' metrics, and they may have unequal parts.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        if not on_tensorflow or self.distribute_strategy.num_replicas_in_sync == 1 or not isinstance(logs, dict):
            return super()._get_metrics_result_or_logs(logs)
        whole = self.get_metrics_result()
        return {name: whole.get(name, value) for name, value in logs.items()}


def _of_one_replica(spec: Any) -> Any:
    """The shape and type of one replica's part."""
    return getattr(spec, "_value_specs", [spec])[0]
