"""The layer that says that a network's outputs are numbers, and not the logits of classes."""

import keras

from keras_snnkd import graphs
from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor


@public
class Numbers(keras.layers.Layer):
    """The last layer of a network whose outputs are numbers: hands them on as they are, ``y = x``, in float32.

    A network with one output is otherwise taken for one of two classes, and one that ends in a softmax or sigmoid for one of classes.
    Outputs with more axes than `[B, N]` are numbers in any case.

    Example:
        >>> keras.Sequential([keras.Input((8,)), keras.layers.Dense(1), kd.layers.Numbers()])
    """

    gives_numbers = True

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def with_numbers(model: keras.Model) -> keras.Model:
    """A model that says that its outputs are numbers, of the same weights; itself, if it says so already or cannot.

    Args:
        model: A functional model with one output; another stays as it is.

    Example:
        >>> kd.layers.with_numbers(keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)]))
    """
    if not graphs.is_graph(model) or len(model.outputs) != 1 or graphs.gives_numbers(model):
        return model
    inputs = list(model.inputs)
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, Numbers(name="numbers")(model.outputs[0]), name=model.name)
