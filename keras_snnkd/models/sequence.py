"""Networks for series."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_snnkd import layers, neurons
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.layers.encoders import check_timesteps, is_count
from keras_snnkd.models.network import BATCH_NORM_MOMENTUM, check_counts, neuron_arguments

MEMBRANE_TAU = 10.0
"""Time constant in steps of the readout's membranes, at the start where it is learned."""


def SequenceNet(  # noqa: N802 - reads as a class, like keras.applications
    series_shape: tuple[int, int],
    num_classes: int,
    widths: Sequence[int] = (64, 64),
    *,
    kernel: int | Sequence[int] = 1,
    dilation: int = 1,
    neuron: str = "lif",
    readout: str = "mean",
    norm_scale: float = 1.0,
    padded: bool = True,
    frames: int | None = None,
    dropout: float = 0.0,
    name: str = "sequence",
    **arguments: Any,
) -> keras.Model:
    """A network for series: per width ``dense - batch norm - neurons`` at every step, then a classifier and a readout.

    Each step of the series is one time step of the neurons. With `kernel` above 1 a causal convolution over so many steps takes the place
    of the dense layer. The ANN twin (`neuron="relu"`) has the same layer names and weight shapes, and time too; with `kernel` above 1 it is
    a temporal convolutional network (Bai et al., 2018, arXiv:1803.01271, without its skips).

    Args:
        series_shape: `(T, C)`, both fixed.
        num_classes: Number of classes.
        widths: Neurons of each hidden layer.
        kernel: Steps that a synapse sees; one number, or one for each layer, such as `(9, 1)` for filters in front of neurons.
        dilation: Every how-manieth of them, ``dilation ** layer`` in layer 0, 1, ...
        neuron: A name of `keras_snnkd.neurons`, such as `"lif"`, `"adlif"` or `"radlif"` (recurrent), or `"relu"`.
        readout: `"mean"` of per-step logits, `"last"` of them, `"spike_count"` of output neurons, `"membrane"`: the last potentials of
            leaky integrators, or `"softmax_sum"` of their class probabilities, with learned time constants.
        norm_scale: Scale with which the batch norms start, so the deviation of the first currents. Neurons with a long time constant that
            divides their currents too (`AdLIF`, `RLIF`, `RadLIF`, and `LIF` by default) hardly fire at 1: take the square root of
            twice the time constant, which gives their potentials a deviation of 1 (of currents that do not depend on each other).
        padded: Whether series may be shorter than T; see `keras_snnkd.layers.Standardize`.
        frames: Put the steps into so many frames, the means of each (`keras_snnkd.layers.Frames`), which are then the neurons' steps; all
            T steps by default.
        dropout: Share of the neurons' outputs that training leaves out.
        name: Of the model.
        **arguments: Of the neuron layer, such as `tau`.

    Returns:
        A functional model, series `[B, T, C]` to logits `[B, classes]`. Its hidden neurons are the layers `block1_neuron`, ...

    Raises:
        UnknownNameError: For an unknown neuron, readout or argument of the neuron.
        ShapeError: For a shape that is not `(T, C)`, as that of images, or more frames than steps.
        ValueError: For a width, kernel, dilation, scale or number of classes that is none.

    Example:
        >>> student = kd.models.SequenceNet((29, 12), 9, widths=(64,), neuron="adlif")
    """
    if not isinstance(series_shape, (list, tuple)) or len(series_shape) != 2 or not all(map(is_count, series_shape)):
        raise ShapeError(
            f"SequenceNet takes series (T, C), two whole numbers above 0, got {series_shape!r}; for images take MLP, ConvNet or ResNet"
        )
    if not is_count(num_classes) or num_classes < 2:
        raise ValueError(f"num_classes must be a whole number of at least 2, got {num_classes!r}")
    check_counts("widths", widths)
    kernels = _kernels(kernel, len(widths))
    if not is_count(dilation):
        raise ValueError(f"dilation must be a whole number above 0, got {dilation!r}")
    if isinstance(norm_scale, bool) or not isinstance(norm_scale, (int, float)) or not 0 < norm_scale < float("inf"):
        raise ValueError(f"norm_scale must be a number above 0, got {norm_scale!r}")
    if frames is not None:
        check_timesteps(frames)
    _check_names(neuron, readout, arguments)
    fire = _fire(neuron, arguments)
    scale = "ones" if norm_scale == 1 else keras.initializers.Constant(norm_scale)
    image = keras.Input(tuple(series_shape), name="image")
    x = layers.Standardize(padded, name="standardize")(image)
    if frames is not None:
        x = layers.Frames(frames, name="frames")(x)
    for index, (width, steps) in enumerate(zip(widths, kernels, strict=True)):
        block = f"block{index + 1}"
        x = _synapse(width, steps, dilation**index, block)(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, gamma_initializer=scale, name=f"{block}_norm")(x)
        x = fire(f"{block}_neuron")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{block}_dropout")(x)
    x = layers.OverTime(keras.layers.Dense(num_classes), name="classifier")(x)
    for layer in READOUTS[readout](fire):
        x = layer(x)
    return keras.Model(image, x, name=name)


def _kernels(kernel: int | Sequence[int], count: int) -> Sequence[int]:
    """The steps that a synapse of each of `count` layers sees."""
    kernels: list[Any] = list(kernel) if isinstance(kernel, (list, tuple)) else [kernel] * count
    if not all(map(is_count, kernels)):
        raise ValueError(f"kernel must be a whole number above 0, or one for each of the {count} layers, got {kernel!r}")
    if len(kernels) != count:
        raise ValueError(f"kernel={kernel!r} has {len(kernels)} numbers for {count} layers")
    return kernels


def _check_names(neuron: str, readout: str, arguments: dict[str, Any]) -> None:
    for kind, given, known in (("neuron", neuron, ["relu", *neurons.names()]), ("readout", readout, READOUTS)):
        if given not in known:
            raise unknown_name(kind, given, known)
    if neuron == "relu" and readout == "spike_count":
        raise ValueError("an ANN has no spikes to count; take readout='mean'")
    for argument in arguments:
        if argument not in neuron_arguments(neuron):
            raise unknown_name(f"argument (neuron={neuron!r})", argument, neuron_arguments(neuron))


def _fire(neuron: str, arguments: dict[str, Any]) -> Callable[[str], keras.Layer]:
    """From a layer's name to the layer that fires."""
    if neuron == "relu":
        return lambda name: keras.layers.ReLU(name=name)
    return lambda name: neurons.get(neuron)(**arguments, name=name)


def _synapse(width: int, kernel: int, dilation: int, block: str) -> keras.Layer:
    """Currents from what each step has, or from the last `kernel` ones; without bias, which the norm has."""
    common = {"use_bias": False, "kernel_initializer": "he_normal"}
    if kernel == 1:
        return layers.OverTime(keras.layers.Dense(width, **common), name=f"{block}_dense")
    return layers.CausalConv1D(width, kernel, dilation, name=f"{block}_conv", **common)


def _membrane(**more: Any) -> keras.Layer:
    return neurons.LeakyIntegrator(MEMBRANE_TAU, dtype="float32", name="membrane", **more)


READOUTS: dict[str, Callable[[Callable[..., Any]], list[keras.Layer]]] = {
    "mean": lambda fire: [layers.MeanOverTime(name="readout")],
    "last": lambda fire: [layers.LastStep(name="readout")],
    "spike_count": lambda fire: [fire("output_neuron"), layers.SpikeCount(name="readout")],
    "membrane": lambda fire: [_membrane(), layers.LastStep(name="readout")],
    "softmax_sum": lambda fire: [_membrane(learn_tau="channel"), layers.SoftmaxSum(name="readout")],
}
"""By name, the layers behind the classifier."""
