"""Scales of images: from the numbers that the data has to those that a model was trained on."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_snnkd.errors import unknown_name

AUTO = "auto"

SCALE_LAYER = "teacher_scale"
"""The name of the layer that brings images to a teacher's scale."""

RANGES = {"0..1": (0.0, 1.0), "0..255": (0.0, 255.0), "-1..1": (-1.0, 1.0)}

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue in 0..1, by which torchvision's models, and `keras.applications` in its mode "torch", normalize."""

NAMES = (AUTO, *RANGES, "torch", "standardized")


@dataclasses.dataclass(frozen=True)
class Scale:
    """An affine map of images, ``y = factor x + offset``.

    Args:
        name: How it is called.
        factor: One number, or one for each channel.
        offset: Likewise.
    """

    name: str
    factor: Any
    offset: Any

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images `[N, ..., C]` on this scale, float32."""
        return np.asarray(images, "float32") * np.float32(self.factor) + np.float32(self.offset)

    @property
    def layers(self) -> list[keras.Layer]:
        """The same as Keras layers."""
        return [keras.layers.Rescaling(self.factor, self.offset, name=SCALE_LAYER)]


def check_scale(scale: Any) -> None:
    """Refuse what names no scale; `None` is that of the images as they are.

    Raises:
        UnknownNameError, ValueError: With what can be given.
    """
    if scale is None:
        return
    if isinstance(scale, str):
        if scale not in NAMES:
            raise unknown_name("teacher scale", scale, NAMES)
        return
    numbers = list(scale) if isinstance(scale, Iterable) else []
    real = all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers)
    if len(numbers) != 2 or not real or not numbers[0] < numbers[1]:
        raise ValueError(f"a teacher's scale is one of {', '.join(NAMES)}, or two numbers, the least and the largest; got {scale!r}")


def scale_of(scale: Any, images: np.ndarray | None = None) -> Scale | None:
    """The map to a scale from that of some images, 0..1 without them; `None` if they are on it already.

    Raises:
        ValueError: For `"standardized"` without images.
    """
    if scale is None:
        return None
    seen = (0.0, 255 / 256) if images is None else _range_of(images)
    if isinstance(scale, str) and scale not in RANGES:
        if scale == "standardized" and images is None:
            raise ValueError('teacher_scale="standardized" needs images to take mean and deviation of; give validation data, or samples')
        return _standardized(images) if scale == "standardized" else _torch(seen)
    low, high = RANGES[scale] if isinstance(scale, str) else map(float, scale)
    if seen is None:
        raise ValueError(f"the images hold other numbers than 0..1, -1..1 or 0..255, and cannot be brought to the scale {scale}")
    if _alike((low, high), seen):
        return None
    name = scale if isinstance(scale, str) else f"{low:g}..{high:g}"
    factor = (high - low) / (seen[1] - seen[0])
    return Scale(name, factor, low - factor * seen[0])


def scales(images: np.ndarray) -> list[Scale]:
    """The scales that a model may have been trained on, other than that of some images."""
    seen = _range_of(images)
    if seen is None or images.ndim != 4:
        return []
    found = [scale_of(name, images) for name in RANGES]
    if images.shape[-1] == 3:
        found.append(_torch(seen))
    return [scale for scale in [*found, _standardized(images)] if scale is not None]


def _range_of(images: Any) -> tuple[float, float] | None:
    """The range that images have: bytes / 256, 0..1, -1..1, 0..255; `None` for another."""
    low, high = float(np.min(images)), float(np.max(images))
    if low < 0:
        return (-1.0, 1.0) if low >= -1.001 and high <= 1.001 else None
    if high <= 255 / 256 + 1e-6:
        return 0.0, 255 / 256
    if high <= 1.001:
        return 0.0, 1.0
    return (0.0, 255.0) if high <= 255.001 else None


def _alike(scale: Any, other: Any) -> bool:
    """Whether two ranges differ by no more than bytes / 255 from bytes / 256."""
    return all(abs(a - b) <= 0.005 * (scale[1] - scale[0]) for a, b in zip(scale, other, strict=True))


def _torch(seen: Any) -> Scale:
    factor = 1 / (seen[1] - seen[0])
    factors = tuple(factor / deviation for deviation in DEVIATION)
    return Scale("torch", factors, tuple(-(factor * seen[0] + m) / d for m, d in zip(MEAN, DEVIATION, strict=True)))


def _standardized(images: Any) -> Scale:
    axes = tuple(range(images.ndim - 1))
    images = np.asarray(images, "float64")
    deviation = np.maximum(images.std(axes), 1e-6)
    return Scale("standardized", tuple(1 / deviation), tuple(-images.mean(axes) / deviation))
