"""Fully connected network."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd.models.network import Network, check_counts


def MLP(  # noqa: N802 - reads as a class, like keras.applications
    image_shape: tuple[int, ...],
    num_classes: int,
    widths: Sequence[int] = (256,),
    *,
    timesteps: int = 4,
    neuron: str = "lif",
    encoder: str = "direct",
    readout: str = "mean",
    normalization: str = "batch",
    remat: bool = False,
    name: str = "mlp",
    **neuron_arguments: Any,
) -> keras.Model:
    """A fully connected network: per width ``dense - batch norm - neurons``, then a classifier.

    Args:
        image_shape: `(H, W, C)`, or `(N, H, W, 2)` of N frames of events, which are put into T.
        num_classes: Number of classes C.
        widths: Neurons of each hidden layer.
        timesteps: Number of time steps T, at least 1.
        neuron: `"lif"`, `"if"`, `"plif"`, `"alif"`, or `"relu"` for the ANN twin: same layer names, same weight shapes, no time
            but that of frames.
        encoder: `"direct"`, `"poisson"` or `"latency"`.
        readout: `"mean"`, `"spike_count"` or `"membrane"`.
        normalization: `"batch"` or `"threshold"` (tdBN).
        remat: Whether training makes spikes again instead of keeping them for the backward pass: less memory, some more time.
        name: Of the model.
        **neuron_arguments: Of the neuron layer, such as `tau=2.0`.

    Returns:
        A functional model, images `[B, H, W, C]` to logits `[B, C]`. Its hidden neurons are the layers `block1_neuron`, ...

    Raises:
        UnknownNameError, ShapeError, ValueError: See `Network`.

    Example:
        >>> student = kd.models.MLP((8, 8, 1), 10, widths=(64,), timesteps=4)
    """
    check_counts("widths", widths)
    network = Network(image_shape, num_classes, timesteps, neuron, encoder, readout, normalization, neuron_arguments, remat)
    x = network.synapse(network.start, keras.layers.Flatten(name="flatten"))
    for index, width in enumerate(widths, start=1):
        x = network.fire(network.dense(x, width, f"block{index}"), f"block{index}_neuron")
    return network.model(x, name)
