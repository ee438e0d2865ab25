"""The yardstick network "conv4" and what it costs, as plain numbers that every contender reads.

32x32x3 image, T = 4, direct input: conv 64 - conv 128 - max pool - conv 256 - max pool - conv 256 - global average pool - dense 10, mean
over time. Each 3x3 convolution has no bias and is followed by batch norm and LIF neurons (tau 2, input decays too, threshold 1, hard reset
to 0 that is detached, ATan surrogate with alpha 2). Loss: cross-entropy; SGD with momentum 0.9. The image does not change over time, so
the first convolution and its batch norm run once.
"""

from collections.abc import Iterator, Sequence

CONV4 = (64, 128, "pool", 256, "pool", 256)
PARAMETERS = 964_170  # of conv4, trainable

STUDENT = (24, 40, "pool", 80, "pool", 80)  # conv4 teaches it: a little more than 8 times its operations

SHELF = (32, 32, "pool", 64, 64, "pool", 128, "pool")  # the student of CIFAR-10 in saved_models, with global average pooling

RESNET18, RESNET18_BATCH = "resnet18", 8
"""A network by its preset's name in place of widths: 11.2 million parameters, two convolutions of 3x3 in each of eight blocks."""

SIZE, CHANNELS, CLASSES = 32, 3, 10
TIMESTEPS, BATCH = 4, 32
LEARNING_RATE, MOMENTUM = 0.05, 0.9
BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-3, 0.9  # Keras' meaning of momentum; PyTorch's is 1 - 0.9

TEMPERATURE, SOFT_WEIGHT, WINDOW = 4.0, 0.9, 2  # of the distillation's two objectives


def convolutions(widths: Sequence[int | str]) -> Iterator[tuple[int, int, int]]:
    """Of each convolution: height and width of its maps, channels in, channels out."""
    size, channels = SIZE, CHANNELS
    for width in widths:
        if width == "pool":
            size //= 2
        else:
            yield size, channels, width
            channels = width


def pooled(widths: Sequence[int | str]) -> list[bool]:
    """Of each convolution, whether its neurons are followed by max pooling."""
    return [after == "pool" for width, after in zip(widths, [*widths[1:], None], strict=True) if width != "pool"]


def operations(widths: Sequence[int | str], timesteps: int = TIMESTEPS) -> int:
    """Multiply-accumulates of the convolutions for one image, the first one once, the others in each time step."""
    first, *others = (size * size * 9 * before * after for size, before, after in convolutions(widths))
    return first + timesteps * sum(others)


def scaled(widths: Sequence[int | str], factor: float) -> tuple[int | str, ...]:
    """The same network with all widths times `factor`."""
    return tuple(width if width == "pool" else round(width * factor) for width in widths)
