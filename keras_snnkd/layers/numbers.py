"""The layer that says that a network's outputs are numbers, and not the logits of classes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor


@public
class Numbers(keras.layers.Layer):
    """The last layer of a network whose outputs are numbers: hands them on, as they are or in the unit of the labels, in float32::

        y = deviation x + mean

    A network with one output is otherwise taken for one of two classes, and one that ends in a softmax or sigmoid for one of classes.
    Outputs with more axes than `[B, N]` are numbers in any case. With the mean and the deviation of the labels a network learns numbers of
    any size as those around 0.

    Args:
        deviation: Of each of the N numbers; 1 by default.
        mean: Likewise; 0 by default.

    Raises:
        ValueError: For deviations that are not above 0.

    Example:
        >>> keras.Sequential([keras.Input((8,)), keras.layers.Dense(1), kd.layers.Numbers()])
    """

    gives_numbers = True

    def __init__(self, deviation: Sequence[float] | None = None, mean: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.deviation = None if deviation is None else [float(number) for number in deviation]
        self.mean = None if mean is None else [float(number) for number in mean]
        if self.deviation is not None and not all(0 < number < np.inf for number in self.deviation):
            raise ValueError(f"Numbers: deviations must be above 0 and finite, got {self.deviation!r:.200}")
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        if self.deviation is not None:
            inputs = inputs * ops.convert_to_tensor(np.array(self.deviation, "float32"))
        return inputs if self.mean is None else inputs + ops.convert_to_tensor(np.array(self.mean, "float32"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "deviation": self.deviation, "mean": self.mean}


def with_numbers(model: keras.Model) -> keras.Model:
    """A model that says that its outputs are numbers, of the same weights; itself, if it says so already or cannot.

    Args:
        model: A functional model with one output; another stays as it is.

    Example:
        >>> kd.layers.with_numbers(keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)]))
    """
    if not graphs.is_graph(model) or len(model.outputs) != 1 or graphs.gives_numbers(model):
        return model
    return keras.Model(graphs.inputs_of(model), Numbers(name="numbers")(model.outputs[0]), name=model.name)


def in_units(model: keras.Model, deviation: Sequence[float], mean: Sequence[float]) -> keras.Model:
    """A model of the same weights whose outputs are in the unit of labels with this deviation and mean, see `Numbers`.

    Args:
        model: A functional model with one output, which is to learn numbers around 0.
        deviation, mean: Of the labels, one for each of their numbers.

    Example:
        >>> model = kd.layers.in_units(model, labels.std(axis=0), labels.mean(axis=0))
    """
    return keras.Model(graphs.inputs_of(model), Numbers(deviation, mean, name="units")(model.outputs[0]), name=model.name)
