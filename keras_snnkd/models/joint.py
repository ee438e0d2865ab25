"""One network in two modes, as an ANN and as a spiking network, that share what they know and keep their own scales."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd import layers, neurons
from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.layers.encoders import check_timesteps, is_count
from keras_snnkd.models.network import BATCH_NORM_MOMENTUM, check_counts, neuron_arguments


@public
class ChannelScale(keras.layers.Layer):
    """A learned factor for each channel: ``y[..., d] = s[d] x[..., d]``, the diagonal between two shared factors of a weight.

    Example:
        >>> ChannelScale()(keras.ops.ones((2, 4, 4, 8))).shape  # (2, 4, 4, 8)
    """

    def build(self, input_shape: Shape) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.scale

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def JointNet(  # noqa: N802 - reads as a class, like keras.applications
    image_shape: tuple[int, int, int],
    num_classes: int,
    widths: Sequence[int] = (16, 32, 64),
    *,
    rank: float = 0.5,
    timesteps: int = 4,
    neuron: str = "lif",
    name: str = "joint",
    **arguments: Any,
) -> tuple[keras.Model, keras.Model]:
    """Two functional models that share the factors of their weights.

    A convolution from C to D channels is the product ``V diag(s) U``: U a 3x3 convolution to R channels and V one of 1x1 to D, of
    which there is one each, and s, with the batch norm behind it, which each mode has of its own. Each stage halves the map, but for the
    first, and ends in an exit: a classifier of the mode's own on the mean of its map. The last one is the network's output.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: At least 2.
        widths: D of each stage, two at least.
        rank: R as a share of D.
        timesteps: T of the spiking mode.
        neuron: A name of `keras_snnkd.neurons`.
        name: Of the spiking model; that of the other ends in `_ann`.
        **arguments: Of the neuron layer, such as `tau`.

    Returns:
        The ANN and the spiking network, whose outputs are a mapping: `"logits"` `[B, C]`, in the spiking one summed over time, and of each
        stage `"exit1"`, ... (logits, `[B, C]` or `[B, T, C]`) and `"exit1_features"`, ... (`[B, D]` or `[B, T, D]`).

    Raises:
        UnknownNameError, ShapeError, ValueError: For what cannot be built.

    Example:
        >>> ann, student = kd.models.JointNet((28, 28, 1), 10)
        >>> joint = kd.Joint(ann, student)

    Source: Joint A-SNN (Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099) shares singular vectors of a trained network's
    weights and keeps singular values apart; here both factors are trained from the start, a reconstruction.
    """
    check_counts("widths", widths)
    if len(widths) < 2:
        raise ValueError(f"widths must be two or more, the last the output's and the others those of exits; got {widths!r}")
    if not isinstance(image_shape, (list, tuple)) or len(image_shape) != 3 or not all(map(is_count, image_shape)):
        raise ShapeError(f"image_shape must be (H, W, C), three whole numbers above 0, got {image_shape!r}")
    if not is_count(num_classes) or num_classes < 2:
        raise ValueError(f"num_classes must be a whole number of at least 2, got {num_classes!r}")
    if isinstance(rank, bool) or not isinstance(rank, (int, float)) or not 0 < rank <= 1:
        raise ValueError(f"rank must be a share above 0 and at most 1, got {rank!r}")
    if neuron not in neurons.names():
        raise unknown_name("neuron", neuron, neurons.names())
    for argument in arguments:
        if argument not in neuron_arguments(neuron):
            raise unknown_name(f"argument (neuron={neuron!r})", argument, neuron_arguments(neuron))
    check_timesteps(timesteps)
    shared = [_factors(width, max(1, round(rank * width)), index) for index, width in enumerate(widths)]
    fire = lambda place: neurons.get(neuron)(**arguments, name=place)  # noqa: E731 - the neuron of this network
    ann = _mode(image_shape, num_classes, shared, lambda place: keras.layers.ReLU(name=place), 0, f"{name}_ann")
    return ann, _mode(image_shape, num_classes, shared, fire, timesteps, name)


def _factors(width: int, rank: int, index: int) -> tuple[keras.Layer, keras.Layer]:
    """U and V of a stage."""
    common = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    first = keras.layers.Conv2D(rank, 3, 1 if index == 0 else 2, name=f"stage{index + 1}_u", **common)
    return first, keras.layers.Conv2D(width, 1, name=f"stage{index + 1}_v", **common)


def _mode(image_shape: Shape, num_classes: int, shared: Any, fire: Any, timesteps: int, name: str) -> keras.Model:
    """One of the two networks, with all its exits as outputs; without time where T is 0."""
    x = image = keras.Input(tuple(image_shape), name="image")
    outputs: dict[str, Tensor] = {}
    timed = False

    def over_time(layer: keras.Layer) -> keras.Layer:
        return layers.OverTime(layer, name=layer.name) if timed else layer

    for index, (first, second) in enumerate(shared, 1):
        x = over_time(second)(ChannelScale(name=f"stage{index}_scale")(over_time(first)(x)))
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"stage{index}_norm")(x)
        if timesteps and not timed:
            x = layers.Direct(timesteps, name="encoder")(x)
            timed = True
        x = fire(f"stage{index}_neuron")(x)
        features = over_time(keras.layers.GlobalAveragePooling2D(name=f"exit{index}_features"))(x)
        last = index == len(shared)
        logits = over_time(keras.layers.Dense(num_classes, name="classifier" if last else f"exit{index}"))(features)
        outputs |= {f"exit{index}": logits, f"exit{index}_features": features}
    readout = layers.SpikeCount(name="readout") if timed else keras.layers.Activation("linear", dtype="float32", name="readout")
    return keras.Model(image, {"logits": readout(logits), **outputs}, name=name)


def without_exits(model: keras.Model) -> keras.Model:
    """One mode of a `JointNet` as a network with one output, its logits `[B, C]`, of the same weights: what is kept and exported."""
    return keras.Model(model.inputs[0], model.output["logits"], name=model.name)
