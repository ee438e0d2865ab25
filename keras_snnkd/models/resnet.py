"""Residual network."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd.models.network import Network, check_counts


def ResNet(  # noqa: N802 - reads as a class, like keras.applications
    image_shape: tuple[int, ...],
    num_classes: int,
    widths: Sequence[int] = (64, 128, 256, 512),
    blocks: Sequence[int] = (2, 2, 2, 2),
    *,
    timesteps: int = 4,
    neuron: str = "lif",
    encoder: str = "direct",
    readout: str = "mean",
    normalization: str = "batch",
    remat: bool = False,
    name: str = "resnet",
    **neuron_arguments: Any,
) -> keras.Model:
    """A residual network for small images; the defaults are the ResNet-18 of the CIFAR literature.

    Stem ``3x3 convolution - batch norm - neurons``, then stages of basic blocks ``conv - norm - neurons - conv - norm - (+ shortcut) -
    neurons``: the currents of both branches are added before the neurons fire, so that all activations stay spikes (Zheng et al., 2021,
    arXiv:2011.05280). The first block of every stage but the first halves the maps, with a 1x1 convolution on its shortcut.

    Args:
        image_shape: `(H, W, C)`, or `(N, H, W, 2)` of N frames of events, which are put into T.
        num_classes: Number of classes C.
        widths: Channels of each stage.
        blocks: Basic blocks of each stage; as many entries as `widths`.
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
        A functional model, images `[B, H, W, C]` to logits `[B, C]`. Its neurons are the layers `stem_neuron`,
        `stage1_block1_neuron1`, `stage1_block1_neuron2`, ...

    Raises:
        UnknownNameError, ShapeError, ValueError: See `Network`; also for `widths` and `blocks` of different lengths.

    Example:
        >>> teacher = kd.models.ResNet((32, 32, 3), 10, timesteps=4)
    """
    check_counts("widths", widths)
    check_counts("blocks", blocks)
    if len(widths) != len(blocks):
        raise ValueError(f"blocks must have as many entries as there are stages, got {tuple(widths)} and {tuple(blocks)}")
    network = Network(image_shape, num_classes, timesteps, neuron, encoder, readout, normalization, neuron_arguments, remat)
    x = network.fire(network.conv(network.start, widths[0], "stem"), "stem_neuron")
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
        for block in range(1, count + 1):
            prefix = f"stage{stage}_block{block}"
            stride = 2 if block == 1 and stage > 1 else 1
            same = x.shape[-1] == width and stride == 1
            shortcut = x if same else network.conv(x, width, f"{prefix}_shortcut", kernel=1, stride=stride, branches=2)
            x = network.fire(network.conv(x, width, f"{prefix}_1", stride=stride), f"{prefix}_neuron1")
            x = keras.layers.Add(name=f"{prefix}_add")([network.conv(x, width, f"{prefix}_2", branches=2), shortcut])
            x = network.fire(x, f"{prefix}_neuron2")
    x = network.synapse(x, keras.layers.GlobalAveragePooling2D(name="average"))
    return network.model(x, name)
