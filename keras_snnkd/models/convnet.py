"""Plain convolutional network."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.models.network import Network, check_counts

HEADS = ("average", "flatten")
POOLINGS = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}


def ConvNet(  # noqa: N802 - reads as a class, like keras.applications
    image_shape: tuple[int, ...],
    num_classes: int,
    widths: Sequence[int | str] = (32, "pool", 64, "pool", 64),
    *,
    head: str = "flatten",
    pooling: str = "max",
    timesteps: int = 4,
    neuron: str = "lif",
    encoder: str = "direct",
    readout: str = "mean",
    normalization: str = "batch",
    remat: bool = False,
    name: str = "convnet",
    **neuron_arguments: Any,
) -> keras.Model:
    """A plain convolutional network: per width ``3x3 convolution - batch norm - neurons``, with 2x2 pooling where asked.

    Max pooling of spikes gives spikes again, so every convolution after the first reads zeros and ones. Behind average pooling they read
    quarters: for what has no maximum, such as NIR and the hardware behind it.

    Args:
        image_shape: `(H, W, C)`, or `(N, H, W, 2)` of N frames of events, which are put into T.
        num_classes: Number of classes C.
        widths: Channels of each convolution, and `"pool"` where the maps are halved.
        head: `"flatten"`, or `"average"` (global average pooling, then the classifier): fewer weights, but small spiking networks learn
            slowly behind it.
        pooling: `"max"` or `"average"`.
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
        A functional model, images `[B, H, W, C]` to logits `[B, C]`. Its neurons are the layers `block1_neuron`, `block2_neuron`, ...

    Raises:
        UnknownNameError, ShapeError, ValueError: See `Network`; also for an unknown head or pooling, a width that is neither a number nor
            `"pool"`, and images too small for the pools.

    Example:
        >>> student = kd.models.ConvNet((28, 28, 1), 10, widths=(16, "pool", 32), timesteps=4)
    """
    if head not in HEADS:
        raise unknown_name("head", head, HEADS)
    if pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    check_counts("widths", widths, "pool")
    network = Network(image_shape, num_classes, timesteps, neuron, encoder, readout, normalization, neuron_arguments, remat)
    x, block, pools = network.start, 0, 0
    for width in widths:
        if width == "pool":
            pools += 1
            if 1 in x.shape[-3:-1]:
                raise ShapeError(
                    f"images {tuple(image_shape)} are too small for {list(widths).count('pool')} poolings: pool{pools} would halve maps of "
                    f"{x.shape[-3]}x{x.shape[-2]}; take out a 'pool', or use larger images"
                )
            x = network.synapse(x, POOLINGS[pooling](2, name=f"pool{pools}"))
        else:
            block += 1
            x = network.fire(network.conv(x, int(width), f"block{block}"), f"block{block}_neuron")
    if head == "average":
        x = network.synapse(x, keras.layers.GlobalAveragePooling2D(name="average"))
    else:
        x = network.synapse(x, keras.layers.Flatten(name="flatten"))
    return network.model(x, name)
