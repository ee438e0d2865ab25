"""Layers of networks that read tokens: where a token stands, which ones are padding, and attention, of spikes or by softmax."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import ShapeError

PADDING = 0
"""The id of no token, as of `keras.layers.TextVectorization`."""

FAR = 1e4
"""What is taken from the scores of padding before a softmax."""


@public
class TokenMask(keras.layers.Layer):
    """Which places hold a token: ``m[b, l] = 1 if id[b, l] != 0 else 0``, `[B, L] -> [B, L]`, float32.

    Example:
        >>> TokenMask()(keras.ops.array([[5, 3, 0]]))  # [[1, 1, 0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})

    def call(self, ids: Tensor) -> Tensor:
        return ops.cast(ops.not_equal(ids, PADDING), "float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def compute_output_spec(self, ids: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="float32")

    def get_config(self) -> Config:
        config = super().get_config()
        config.pop("autocast", None)
        return config


@public
class Positions(keras.layers.Layer):
    """Adds a learned vector for each place: ``y[b, l] = x[b, l] + p[l]``, `[B, L, D] -> [B, L, D]`, L known.

    Example:
        >>> Positions()(keras.ops.zeros((2, 16, 32))).shape  # (2, 16, 32)
    """

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or None in input_shape[1:]:
            raise ShapeError(f"{self.name}: expected tokens [B, L, D] of known length, got {tuple(input_shape)}")
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=input_shape[1:], initializer=initializer, name="table")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.table

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class _Attention(keras.layers.Layer):
    """What both halves of attention share.

    Args:
        heads: Parts into which the width is divided; each attends by itself.
        softmax: Whether scores become weights by a softmax, as in an ANN; of spikes they are counts and stay as they are.
    """

    def __init__(self, heads: int = 1, softmax: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.softmax = heads, bool(softmax)

    def get_config(self) -> Config:
        return {**super().get_config(), "heads": self.heads, "softmax": self.softmax}

    def _by_head(self, x: Tensor) -> Tensor:
        """`[B, (T,) L, D]` as `[B * (T *) heads, L, D / heads]`: one matrix product for all."""
        *_, length, width = x.shape
        split = ops.reshape(x, (-1, length, self.heads, width // self.heads))
        return ops.reshape(ops.transpose(split, (0, 2, 1, 3)), (-1, length, width // self.heads))


@public
class AttentionScore(_Attention):
    """How much each token attends to each other one.

    With queries q and keys k of each head, of width d, and m = 1 for keys that are there, else 0::

        spikes    a[l, n] = m[n] / d        sum over d of q[l, d] k[n, d]        a count of common spikes
        softmax   a[l, n] = 1 / sqrt(d)     sum over d of q[l, d] k[n, d]        less 10,000 where m[n] = 0

    Spiking self-attention needs no softmax, since counts are not negative (Spikformer, Zhou et al., ICLR 2023, arXiv:2209.15425).

    Args:
        heads: Number of heads; divides the width.
        softmax: Which of the two.

    Call arguments:
        queries, keys: `[B, (T,) L, D]`.
        present: 1 where there is a key and 0 for padding, `[B, L]`.

    Returns:
        `[B, (T,) heads, L, L]`.

    Raises:
        ShapeError: If the width is no multiple of the heads.

    Example:
        >>> AttentionScore(heads=2)(queries, keys, mask).shape  # (B, T, 2, L, L)
    """

    def build(self, queries_shape: Shape, keys_shape: Shape, present_shape: Shape) -> None:
        if queries_shape[-1] % self.heads:
            raise ShapeError(f"{self.name}: {self.heads} heads do not divide the width {queries_shape[-1]}")
        self.built = True

    def call(self, queries: Tensor, keys: Tensor, present: Tensor) -> Tensor:
        length, width = queries.shape[-2:]
        depth = width // self.heads
        scores = ops.matmul(self._by_head(queries), ops.transpose(self._by_head(keys), (0, 2, 1)))
        scores = ops.reshape(scores, (-1, *queries.shape[1:-2], self.heads, length, length))
        mask = ops.reshape(ops.cast(present, scores.dtype), (-1, *(1,) * (len(scores.shape) - 2), length))
        return scores / depth**0.5 - FAR * (1 - mask) if self.softmax else scores * mask / depth

    def compute_output_shape(self, queries_shape: Shape, keys_shape: Shape, present_shape: Shape) -> Shape:
        length = queries_shape[-2]
        return (*queries_shape[:-2], self.heads, length, length)


@public
class Attend(_Attention):
    """What the tokens attended to say: ``y[l] = sum over n of w[l, n] v[n]``, where w is the score, or the softmax of scores over n.

    Args:
        heads: As of the scores.
        softmax: As of the scores.

    Call arguments:
        scores: `[B, (T,) heads, L, L]`.
        values: `[B, (T,) L, D]`.

    Returns:
        `[B, (T,) L, D]`.

    Example:
        >>> Attend(heads=2)(scores, values).shape  # (B, T, L, D)
    """

    def build(self, scores_shape: Shape, values_shape: Shape) -> None:
        self.built = True

    def call(self, scores: Tensor, values: Tensor) -> Tensor:
        length, width = values.shape[-2:]
        weights = ops.softmax(scores, axis=-1) if self.softmax else scores
        heads = ops.matmul(ops.reshape(weights, (-1, length, length)), self._by_head(values))
        split = ops.reshape(heads, (-1, self.heads, length, width // self.heads))
        return ops.reshape(ops.transpose(split, (0, 2, 1, 3)), (-1, *values.shape[1:]))

    def compute_output_shape(self, scores_shape: Shape, values_shape: Shape) -> Shape:
        return values_shape


@public
class MeanOverTokens(keras.layers.Layer):
    """The mean of what tokens hold, without padding: ``y[b] = sum over l of m[b, l] x[b, l] / max(1, sum over l of m[b, l])``.

    Call arguments:
        inputs: `[B, (T,) L, D]`.
        present: 1 for tokens and 0 for padding, `[B, L]`.

    Returns:
        `[B, (T,) D]`.

    Example:
        >>> MeanOverTokens()(states, mask).shape  # (B, T, D)
    """

    def build(self, inputs_shape: Shape, present_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor, present: Tensor) -> Tensor:
        mask = ops.cast(present, inputs.dtype)
        shares = mask / ops.maximum(ops.sum(mask, axis=-1, keepdims=True), 1)
        shares = ops.reshape(shares, (-1, *(1,) * (len(inputs.shape) - 3), inputs.shape[-2], 1))
        return ops.sum(inputs * shares, axis=-2)

    def compute_output_shape(self, inputs_shape: Shape, present_shape: Shape) -> Shape:
        return (*inputs_shape[:-2], inputs_shape[-1])
