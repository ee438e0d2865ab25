"""What the objectives share that look through a classifier, the layer `classifier` of a model."""

from typing import Any

import keras
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.distill.taps import classifier_layer
from keras_snnkd.errors import ShapeError, unknown_name

CLASSIFIER = "classifier"


def classifier_of(model: keras.Model) -> keras.layers.Dense:
    """The fully connected layer `classifier` of a model, else its last one, also where it runs over time.

    Raises:
        UnknownNameError: If the model has no such layer.
        ValueError: If it is no `Dense`.
    """
    graph = graphs.flat(model)
    layer = classifier_layer(graph)
    if layer is None:
        raise unknown_name(f"layer of {model.name}", CLASSIFIER, [layer.name for layer in graph.layers])
    dense = getattr(layer, "layer", layer)
    if not isinstance(dense, keras.layers.Dense):
        raise ValueError(f"{model.name}: its layer '{CLASSIFIER}' must be a Dense, got a {type(dense).__name__}")
    return dense


def frozen(inputs: int, classes: int, name: str, use_bias: bool = False) -> keras.layers.Dense:
    """A classifier that does not train, for the weights of another; NaN until it gets them, so that a loss without them shows."""
    not_yet = keras.initializers.Constant(float("nan"))
    dense = keras.layers.Dense(classes, use_bias=use_bias, kernel_initializer=not_yet, trainable=False, dtype="float32", name=name)
    dense.build((None, inputs))
    return dense


def copy_to(weight: keras.Variable, value: Any) -> None:
    """Set a weight to a copy: on JAX an array in two models would be gone from one when the other trains."""
    weight.assign(ops.copy(ops.convert_to_tensor(value)))


def misread(objective: Any, model: keras.Model, tap: str, size: str) -> ShapeError:
    """The error for a tap that is not what the classifier reads."""
    inputs = classifier_of(model).kernel.shape[0]
    return ShapeError(
        f"{objective.name}: the classifier of {model.name} reads {inputs} features, which cannot be those of the tap {tap!r}, {size}; "
        "tap the last layer before the classifier"
    )


def is_pair(shapes: Any) -> bool:
    """Whether these are the shapes of two taps, and not the shape of one."""
    return len(shapes) == 2 and all(isinstance(shape, tuple) for shape in shapes)
