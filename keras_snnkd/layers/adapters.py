"""Layers that bring what a teacher takes and gives into the form of the data and of logits."""

from typing import Any

import keras
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import unknown_name

SMALLEST = 1e-30
"""The least probability of which a logarithm is taken."""

GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey image, as ITU-R BT.601 has them; what picture readers take."""

KINDS = ("softmax", "sigmoid", "binary", "margin")


@public
class Logits(keras.layers.Layer):
    """Logits of probabilities, in float32.

    With probabilities ``p`` `[B, C]`::

        softmax   z = log p                 of C classes, which add up to 1
        sigmoid   z = log p/(1 - p)         of each of C classes against the rest
        binary    z = [0, log p/(1 - p)]    of the second of two classes, `[B, 1] -> [B, 2]`
        margin    z = [0, m]                of the logit m of the second of two classes, `[B, 1] -> [B, 2]`

    so that ``softmax(z)`` are the probabilities again, but for `sigmoid`.

    Args:
        kind: `"softmax"`, `"sigmoid"`, `"binary"` or `"margin"`.

    Example:
        >>> Logits()(keras.ops.array([[0.9, 0.1]]))  # log 0.9, log 0.1
    """

    def __init__(self, kind: str = "softmax", **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if kind not in KINDS:
            raise unknown_name("kind", kind, KINDS)
        self.kind = kind

    def call(self, inputs: Tensor) -> Tensor:
        values = inputs if self.kind == "margin" else self._logs(inputs)
        return ops.concatenate([ops.zeros_like(values), values], axis=-1) if self._of_two else values

    def _logs(self, probabilities: Tensor) -> Tensor:
        log = ops.log(ops.maximum(probabilities, SMALLEST))
        return log if self.kind == "softmax" else log - ops.log(ops.maximum(1 - probabilities, SMALLEST))

    @property
    def _of_two(self) -> bool:
        return self.kind in ("binary", "margin")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 2) if self._of_two else tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


@public
class Channels(keras.layers.Layer):
    """Images with another number of channels: grey ones repeated, coloured ones made grey.

    ::

        grey = 0.299 red + 0.587 green + 0.114 blue

    Args:
        channels: Of the output, 1 or 3.

    Call arguments:
        inputs: Images `[B, H, W, C]`, C 1 or 3.

    Example:
        >>> Channels(3)(grey_images)  # [B, H, W, 3]
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, got {channels!r}")
        self.channels = channels

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1] == self.channels:
            return inputs
        if self.channels == 3:
            return ops.repeat(inputs, 3, axis=-1)
        return ops.sum(inputs * ops.cast(ops.array(GREY), inputs.dtype), axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


def logits_of(model: keras.Model, probabilities: bool = False) -> keras.Model:
    """A model as one that gives logits `[B, C]`, C at least 2, with the same weights.

    A softmax or sigmoid at its end is left out; behind one output `[B, 1]` of two classes stands `Logits`.

    Args:
        model: A functional or sequential model; one of another kind stays as it is.
        probabilities: Whether its outputs are probabilities, where its graph does not tell; then their logarithms are the logits.

    Returns:
        The model itself, if it gives logits, or numbers (`keras_snnkd.layers.Numbers`).

    Example:
        >>> logits_of(keras.applications.MobileNetV2(weights=None))
    """
    if not graphs.is_graph(model) or len(model.outputs) != 1 or graphs.gives_numbers(model):
        return model
    of_two = model.outputs[0].shape[-1] == 1
    if graphs.last_activation(model) in ("softmax", "sigmoid"):
        model = graphs.before_activation(model)
        return _with_logits(model, "margin") if of_two else model
    if probabilities:
        return _with_logits(model, "binary" if of_two else "softmax")
    return _with_logits(model, "margin") if of_two else model


def _with_logits(model: keras.Model, kind: str) -> keras.Model:
    inputs = graphs.fresh_inputs(model)
    return graphs.flat(keras.Model(inputs, Logits(kind, name="logits_of_output")(model(inputs)), name=model.name))
