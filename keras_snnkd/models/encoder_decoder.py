"""Networks from maps to maps: an encoder that halves them, a decoder that doubles them again, spiking or not."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd import layers, neurons
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.layers.encoders import check_timesteps, is_count
from keras_snnkd.models.network import BATCH_NORM_MOMENTUM, check_counts, neuron_arguments


def EncoderDecoder(  # noqa: N802 - reads as a class, like keras.applications
    image_shape: tuple[int, ...],
    outputs: int = 1,
    widths: Sequence[int] = (16, 32, 64),
    *,
    timesteps: int = 4,
    neuron: str = "lif",
    input_name: str = "image",
    name: str = "encoder_decoder",
    **arguments: Any,
) -> keras.Model:
    """A network for dense maps, such as depth: images `[B, H, W, C]`, or frames `[B, T, H, W, C]`, to numbers `[B, H, W, outputs]`.

    Each width is a stage ``conv - batch norm - neurons``, from the second on at half the size of the one before. The decoder goes the same
    way back: the map is doubled (each number four times), put beside the encoder's spikes of that size, and convolved. A convolution of
    one pixel gives the numbers of every step, and their mean over time is the output. The ANN twin (`neuron="relu"`) has the same
    layer names and weight shapes, and time only where its inputs have.

    Args:
        image_shape: `(H, W, C)`, which every step sees, or `(T, H, W, C)`, a frame a step; H and W multiples of ``2 ** (stages - 1)``.
        outputs: Numbers at each place.
        widths: Channels of the stages, two at least.
        timesteps: T for images; that of frames is their own.
        neuron: A name of `keras_snnkd.neurons`, or `"relu"`.
        input_name: Of the input layer, by which batches of several inputs are told apart (`Distiller(..., inputs="named")`).
        name: Of the model.
        **arguments: Of the neuron layer, such as `tau`.

    Returns:
        A functional model whose hidden neurons are the layers `down1_neuron`, ..., `up1_neuron`, the last.

    Raises:
        UnknownNameError: For an unknown neuron or argument of it.
        ShapeError: For a shape of other rank, or sizes that cannot be halved so often.
        ValueError: For a number that is none above 0.

    Example:
        >>> student = kd.models.EncoderDecoder((6, 32, 32, 2), widths=(8, 16), input_name="events")
    """
    check_counts("widths", widths)
    if len(widths) < 2 or not is_count(outputs):
        raise ValueError(f"widths must be two or more, and outputs a whole number above 0; got {widths!r} and {outputs!r}")
    if not isinstance(image_shape, (list, tuple)) or len(image_shape) not in (3, 4) or not all(map(is_count, image_shape)):
        raise ShapeError(f"image_shape must be (H, W, C), or (T, H, W, C) of frames, got {image_shape!r}")
    halvings = 2 ** (len(widths) - 1)
    if any(size % halvings for size in image_shape[-3:-1]):
        raise ShapeError(f"{len(widths)} stages halve a map {len(widths) - 1} times: height and width must be multiples of {halvings}, got "
                         f"{image_shape[-3:-1]}")  # fmt: skip
    if neuron not in ("relu", *neurons.names()):
        raise unknown_name("neuron", neuron, ["relu", *neurons.names()])
    for argument in arguments:
        if argument not in neuron_arguments(neuron):
            raise unknown_name(f"argument (neuron={neuron!r})", argument, neuron_arguments(neuron))
    parts = _Parts(neuron, arguments, check_timesteps(timesteps), timed=len(image_shape) == 4)
    image = keras.Input(tuple(image_shape), name=input_name)
    x, skips = image, []
    for index, width in enumerate(widths):
        x = parts.stage(x, width, f"down{index + 1}", stride=1 if index == 0 else 2)
        skips.append(x)
    for index in reversed(range(len(widths) - 1)):
        x = parts.over_time(keras.layers.UpSampling2D(name=f"up{index + 1}_double"))(x)
        x = keras.layers.Concatenate(name=f"up{index + 1}_beside")([x, skips[index]])
        x = parts.stage(x, widths[index], f"up{index + 1}")
    x = parts.over_time(keras.layers.Conv2D(outputs, 1, name="head"))(x)
    readout = layers.MeanOverTime(name="readout") if parts.timed else keras.layers.Activation("linear", dtype="float32", name="readout")
    x = readout(x)
    return keras.Model(image, layers.Numbers(name="numbers")(x), name=name)


class _Parts:
    """What the stages are put together from, with time from the first neurons on, or from the input on."""

    def __init__(self, neuron: str, arguments: dict[str, Any], timesteps: int, timed: bool) -> None:
        self.neuron = None if neuron == "relu" else neurons.get(neuron)
        self.arguments, self.timesteps, self.timed = arguments, timesteps, timed

    def over_time(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """The layer for every time step, where there is time by now."""
        return layers.OverTime(layer, name=layer.name) if self.timed else layer

    def stage(self, x: Tensor, width: int, name: str, stride: int = 1) -> Tensor:
        """Convolution, norm, neurons."""
        synapse = keras.layers.Conv2D(width, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")
        x = self.over_time(synapse)(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
        if self.neuron is None:
            return keras.layers.ReLU(name=f"{name}_neuron")(x)
        if not self.timed:
            x = layers.Direct(self.timesteps, name="encoder")(x)
            self.timed = True
        return self.neuron(**self.arguments, name=f"{name}_neuron")(x)
