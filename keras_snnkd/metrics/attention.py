"""The products of attention, which have no weights: how many of their terms an input uses."""

from typing import Any

import keras
from keras import ops

from keras_snnkd import graphs
from keras_snnkd._types import Tensor
from keras_snnkd.layers import Attend, AttentionScore


class Product:
    """Counts the terms of a product of two things that a network computes itself.

    Of scores, a term is a channel in which both the query and the key are not 0; of what is attended to, a score and a value that are not.

    Args:
        layer: An `AttentionScore` or an `Attend`.
    """

    def __init__(self, layer: AttentionScore | Attend) -> None:
        self.scores = isinstance(layer, AttentionScore)
        self.heads, self.width = layer.heads, graphs.first_output(layer).shape[-1]

    @staticmethod
    def inputs(layer: keras.Layer) -> list[Tensor]:
        """The two factors."""
        return list(keras.tree.flatten(layer.input)[:2])

    def count(self, factors: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Terms in use, those of one text over all time steps, and whether what is added up are spikes."""
        first, second = factors
        masks = [ops.cast(factor != 0, "float32") for factor in factors]
        everything = [ops.ones_like(mask[:1]) for mask in masks]
        of_spikes = second if not self.scores else ops.concatenate([ops.reshape(factor, (-1,)) for factor in (first, second)])
        spikes = ops.all(ops.logical_or(of_spikes == 0, ops.abs(of_spikes) == 1))
        return self._terms(*masks), self._terms(*everything), spikes

    def connections(self, first: Tensor) -> float:
        """All terms of one text and one time step."""
        length = first.shape[-2]
        width = first.shape[-1] if self.scores else self.width
        return float(length * length * width)

    def _terms(self, first: Tensor, second: Tensor) -> Tensor:
        if self.scores:  # for each pair of tokens and each channel
            return ops.einsum("...ld,...nd->...ln", first, second)
        *front, length, width = second.shape
        values = ops.reshape(second, (-1, *front[1:], length, self.heads, width // self.heads))
        return ops.einsum("...hln,...nhd->...lhd", first, values)
