"""A network without what made it smaller while it trained: ordinary layers that compute the same."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.compress.tensor_trains import kept_kernels, undone
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers.pruned import NeuronMask, Reparametrized
from keras_snnkd.layers.tensor_train import TensorTrainConv2D
from keras_snnkd.models.prunable import config_of, copy_bias, feeding
from keras_snnkd.models.rebuild import Form, inner, rebuilt

TRAINS = ("smaller", "merged", "kept")


def plain(model: keras.Model, trains: str = "smaller", name: str | None = None, strict: bool = True) -> keras.Model:
    """A network of ordinary layers that computes the same: what every export, count and further training starts from.

    Thresholds and masks become zeros of ordinary kernels. A mask of neurons becomes channels without input: kernel, bias and batch norm
    are 0 there. A tensor train becomes one convolution, or one for each factor.

    Args:
        model: What `prunable` or `decomposed` made, or any other graph, of which it is a copy then.
        trains: `"merged"` into one convolution, `"kept"` as several, or `"smaller"`: whichever has fewer weights.
        name: Of the new model; the old one by default.
        strict: Whether a tensor train with mode `"half"`, which has no plain form, is an error; else it stays.

    Returns:
        A functional model of ordinary layers with weights of its own, not compiled.

    Raises:
        UnknownNameError: For an unknown `trains`.
        ValueError: If `strict`, for a tensor train with mode `"half"`.

    Example:
        >>> kd.export.litert(kd.compress.plain(student), "student.tflite", samples=images)
    """
    if trains not in TRAINS:
        raise unknown_name("form of tensor trains", trains, TRAINS)
    graph = graphs.flat(model)
    again = rebuilt(graph, lambda layer: _plain_form(layer, trains, strict), name or model.name)
    for _, layer, tensor, _ in graphs.calls(graph):
        if isinstance(layer, NeuronMask):
            neurons = graphs.producer(graph, tensor)[0]
            silent = np.asarray(ops.convert_to_numpy(layer.mask)) == 0
            for source in feeding(graph, neurons) or ():
                _silence(again.get_layer(source.name), silent)
    return again


def is_plain(model: keras.Model) -> bool:
    """Whether `plain` would change nothing: there are no thresholds, masks, or tensor trains that have a plain form."""
    layers = [inner(layer) for layer in graphs.flat(model).layers]
    trains = [layer for layer in layers if isinstance(layer, TensorTrainConv2D) and layer.mode != "half"]
    return not trains and not any(isinstance(layer, (Reparametrized, NeuronMask)) for layer in layers)


def _plain_form(layer: keras.layers.Layer, trains: str, strict: bool) -> Form | None:
    if isinstance(layer, NeuronMask):
        return Form([])
    if isinstance(layer, TensorTrainConv2D) and layer.mode == "half" and not strict:
        return None
    if isinstance(layer, TensorTrainConv2D):
        weights = sum(int(np.prod(factor.shape)) for factor in kept_kernels(layer))
        fewer = weights < int(np.prod(layer.kernel.shape))
        return undone(layer, kept=trains == "kept" or (trains == "smaller" and fewer))
    if not isinstance(layer, Reparametrized):
        return None
    base: Any = keras.layers.Conv2D if isinstance(layer, keras.layers.Conv2D) else keras.layers.Dense

    def fill(twin: Any) -> None:
        twin.kernel.assign(layer.reparametrized(ops.convert_to_tensor(layer.trained_kernel)))  # in float32, whatever it computes in
        copy_bias(layer, twin)

    return Form([base.from_config(config_of(layer, base))], fill)


def _silence(layer: keras.layers.Layer, silent: np.ndarray) -> None:
    """Have a synapse or a batch norm give 0 in some channels."""
    one: Any = inner(layer)
    names = ("kernel", "bias", "gamma", "beta", "moving_mean")
    for variable in (getattr(one, name, None) for name in names):
        if variable is not None:
            variable.assign(np.where(silent, 0.0, ops.convert_to_numpy(variable)))
