"""Frames that are dropped: a learned score for each, and what is left of them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import ShapeError

KEPT_AT = 0.5
"""Frames of at least this score are kept."""


@public
class FrameGate(keras.layers.Layer):
    """A temporal embedding, one learned number ``e[t]`` for each frame, decides which frames count: ``y[b, t] = m[t] x[b, t]``.

    ``m[t] = 1`` where the score ``sigmoid(e[t])`` is at least 1/2, else 0. The gradient passes the step as that of the score. The loss has
    ``penalty`` times the mean score besides, so that frames that do not help fall away. Afterwards `keras_snnkd.models.keep_frames` makes
    the network that never sees the dropped ones.

    Args:
        penalty: Weight of the mean score in the loss, at least 0.
        start: ``e`` at the start, for all frames.

    Call arguments:
        inputs: `[B, T, ...]`, T known.

    Returns:
        Same shape.

    Raises:
        ShapeError: If T is not known.
        ValueError: If the penalty is below 0.

    Example:
        >>> FrameGate(start=-1.0)(keras.ops.ones((1, 3, 2)))  # zeros

    Source: the idea of Razor SNN (Zhang et al., ICANN 2023, arXiv:2306.17597), whose embedding and loss are not known to us: a
    reconstruction.
    """

    def __init__(self, penalty: float = 0.1, start: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not penalty >= 0:
            raise ValueError(f"{self.name}: penalty must be at least 0, got {penalty!r}")
        self.penalty, self.start = float(penalty), float(start)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3 or input_shape[1] is None:
            raise ShapeError(f"{self.name}: it gates frames [B, T, ...] of known T, got shape {tuple(input_shape)}")
        initializer = keras.initializers.Constant(self.start)
        common = {"dtype": "float32", "autocast": False, "name": "embedding"}
        self.embedding = self.add_weight(shape=(input_shape[1],), initializer=initializer, regularizer=self._cost, **common)
        super().build(input_shape)

    @property
    def scores(self) -> Tensor:
        """``sigmoid(e)``, `[T]`."""
        return ops.sigmoid(ops.convert_to_tensor(self.embedding))

    def _cost(self, embedding: Tensor) -> Tensor:
        return self.penalty * ops.mean(ops.sigmoid(embedding))

    def call(self, inputs: Tensor) -> Tensor:
        scores = self.scores
        gate = scores + ops.stop_gradient(ops.cast(scores >= KEPT_AT, scores.dtype) - scores)
        return inputs * ops.cast(ops.reshape(gate, (1, -1, *[1] * (len(inputs.shape) - 2))), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "penalty": self.penalty, "start": self.start}


@public
class KeptFrames(keras.layers.Layer):
    """Some of the frames, in their order: ``y[b, k] = x[b, kept[k]]``, `[B, T, ...] -> [B, K, ...]`.

    Args:
        kept: Numbers of the frames, from 0.

    Raises:
        ValueError: If they are not in order.
        ShapeError: If the input has fewer frames.

    Example:
        >>> KeptFrames([0, 2])(keras.ops.arange(3.0)[None, :, None])[0, :, 0]  # [0, 2]
    """

    def __init__(self, kept: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kept = [int(frame) for frame in kept]
        if not self.kept or self.kept != sorted(set(self.kept)) or self.kept[0] < 0:
            raise ValueError(f"{self.name}: kept must be numbers of frames in order, at least one, got {list(kept)!r}")
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if input_shape[1] is None or input_shape[1] <= self.kept[-1]:
            raise ShapeError(f"{self.name}: frame {self.kept[-1]} of inputs of {input_shape[1]} frames cannot be kept")
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.take(inputs, ops.convert_to_tensor(self.kept, dtype="int32"), axis=1)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return None if previous_mask is None else ops.take(previous_mask, ops.convert_to_tensor(self.kept, dtype="int32"), axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], len(self.kept), *input_shape[2:])

    def get_config(self) -> Config:
        return {**super().get_config(), "kept": self.kept}
