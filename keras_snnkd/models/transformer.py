"""Networks for text: spiking self-attention on tokens, and its ANN twin, an ordinary transformer."""

from typing import Any

import keras

from keras_snnkd import layers, neurons
from keras_snnkd._types import Tensor
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers.encoders import check_timesteps, is_count
from keras_snnkd.models.network import BATCH_NORM_MOMENTUM, neuron_arguments


def SpikingTransformer(  # noqa: N802 - reads as a class, like keras.applications
    length: int,
    vocabulary: int,
    outputs: int,
    width: int = 64,
    depth: int = 2,
    heads: int = 2,
    *,
    hidden: int | None = None,
    timesteps: int = 4,
    neuron: str = "lif",
    dropout: float = 0.0,
    name: str = "transformer",
    **arguments: Any,
) -> keras.Model:
    """A transformer of spiking neurons: every matrix of weights but the first reads spikes, and attention counts common spikes.

    With the states H of all tokens, H[0] their embeddings, block i is, all of `[B, T, L, D]`::

        q, k, v  =  neurons(norm(W_q s)), neurons(norm(W_k s)), neurons(norm(W_v s)),      s = neurons(H[i - 1])
        H'       =  H[i - 1] + norm(W_o neurons(norm((q k^T / d) v)))
        H[i]     =  H'       + norm(W_2 neurons(norm(W_1 neurons(H'))))

    and the output a classifier on the mean over tokens of ``neurons(H[depth])``, averaged over time. Attention is that of Spikformer (Zhou
    et al., ICLR 2023, arXiv:2209.15425), which SpikeBERT (arXiv:2308.15122) took to text; the residual is of currents and not of spikes
    (Yao et al., NeurIPS 2023, arXiv:2307.01694). The ANN twin (`neuron="relu"`) has the same layer names and weight shapes, no time, ReLU
    in place of neurons, and a softmax over the scores, with queries, keys and values as they are.

    Args:
        length: Tokens L of a text; shorter ones are padded with 0.
        vocabulary: Number of ids, 0 (padding) among them.
        outputs: Classes, or numbers of a regression, at least 1.
        width: D.
        depth: Number of blocks.
        heads: Of attention; divides the width.
        hidden: Neurons between ``W_1`` and ``W_2``; twice the width by default.
        timesteps: T.
        neuron: A name of `keras_snnkd.neurons`, or `"relu"`.
        dropout: Share of the embeddings that training leaves out.
        name: Of the model.
        **arguments: Of the neuron layer, such as `tau`.

    Returns:
        A functional model, token ids int32 `[B, L]` to logits `[B, outputs]`. Its states are the layers `embedding_hidden`,
        `block1_hidden`, ..., its attention scores `block1_scores`, ...

    Raises:
        UnknownNameError: For an unknown neuron or argument of the neuron.
        ShapeError: If the heads do not divide the width.
        ValueError: For a number that is none above 0.

    Example:
        >>> student = kd.models.SpikingTransformer(32, 8000, 2, width=64, depth=2, timesteps=4)
    """
    counts = {"length": length, "vocabulary": vocabulary, "outputs": outputs, "width": width, "depth": depth, "heads": heads}
    counts["hidden"] = hidden if hidden is not None else 2 * width
    for argument, value in counts.items():
        if not is_count(value):
            raise ValueError(f"{argument} must be a whole number above 0, got {value!r}")
    if neuron not in ("relu", *neurons.names()):
        raise unknown_name("neuron", neuron, ["relu", *neurons.names()])
    for argument in arguments:
        if argument not in neuron_arguments(neuron):
            raise unknown_name(f"argument (neuron={neuron!r})", argument, neuron_arguments(neuron))
    parts = _Parts(heads, neuron, check_timesteps(timesteps), arguments)
    ids = keras.Input((length,), dtype="int32", name="tokens")
    mask = layers.TokenMask(name="mask")(ids)
    x = keras.layers.Embedding(vocabulary, width, name="embedding")(ids)
    x = layers.Positions(name="positions")(x)
    x = parts.norm(x, "embedding_norm")
    if dropout:
        x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    if parts.spiking:
        x = layers.Direct(timesteps, name="encoder")(x)
    x = keras.layers.Identity(name="embedding_hidden")(x)
    for index in range(depth):
        block = f"block{index + 1}"
        x = parts.attention(x, mask, width, block)
        x = parts.perceptron(x, counts["hidden"], width, block)
    x = parts.fire(x, "last_neuron")
    x = layers.MeanOverTokens(name="tokens_mean")(x, mask)
    x = parts.over_time(keras.layers.Dense(outputs, name="classifier"))(x)
    readout = layers.MeanOverTime(name="readout") if parts.spiking else keras.layers.Activation("linear", dtype="float32", name="readout")
    return keras.Model(ids, readout(x), name=name)


class _Parts:
    """What the blocks are put together from, of spikes or not."""

    def __init__(self, heads: int, neuron: str, timesteps: int, arguments: dict[str, Any]) -> None:
        self.heads, self.timesteps, self.arguments = heads, timesteps, arguments
        self.spiking = neuron != "relu"
        self.neuron = neurons.get(neuron) if self.spiking else None

    def fire(self, x: Tensor, name: str) -> Tensor:
        """Neurons, or ReLU."""
        if self.neuron is None:
            return keras.layers.ReLU(name=name)(x)
        return self.neuron(**self.arguments, name=name)(x)

    def over_time(self, layer: keras.Layer) -> keras.Layer:
        """The layer for every time step, where there is time."""
        return layers.OverTime(layer, name=layer.name) if self.spiking else layer

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Batch norm over batch, time and tokens."""
        return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)(x)

    def synapse(self, x: Tensor, width: int, name: str) -> Tensor:
        """A matrix without bias, and a norm."""
        x = self.over_time(keras.layers.Dense(width, use_bias=False, name=f"{name}_dense"))(x)
        return self.norm(x, f"{name}_norm")

    def attention(self, x: Tensor, mask: Tensor, width: int, block: str) -> Tensor:
        """States with what tokens say to one another."""
        spikes = self.fire(x, f"{block}_neuron")
        query, key, value = (self.synapse(spikes, width, f"{block}_{name}") for name in ("query", "key", "value"))
        if self.spiking:
            query, key, value = (
                self.fire(currents, f"{block}_{name}_neuron") for name, currents in (("query", query), ("key", key), ("value", value))
            )
        soft = not self.spiking
        scores = layers.AttentionScore(self.heads, softmax=soft, name=f"{block}_scores")(query, key, mask)
        said = layers.Attend(self.heads, softmax=soft, name=f"{block}_attend")(scores, value)
        said = self.fire(self.norm(said, f"{block}_attend_norm"), f"{block}_attend_neuron")
        return keras.layers.Add(name=f"{block}_attended")([x, self.synapse(said, width, f"{block}_output")])

    def perceptron(self, x: Tensor, hidden: int, width: int, block: str) -> Tensor:
        """States with what each token makes of itself."""
        spikes = self.fire(x, f"{block}_attended_neuron")
        spikes = self.fire(self.synapse(spikes, hidden, f"{block}_inner"), f"{block}_inner_neuron")
        return keras.layers.Add(name=f"{block}_hidden")([x, self.synapse(spikes, width, f"{block}_outer")])
