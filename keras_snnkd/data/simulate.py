"""Events simulated from images: what an event camera would see of a picture that moves before it. They are no recordings."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_snnkd.data.data import Data
from keras_snnkd.data.events import MOST, POLARITIES
from keras_snnkd.errors import ShapeError

SUFFIX = "_simulated_events"
"""What the names of such data sets end in."""

DARKEST = 0.05
"""Added to brightness 0..1 before the logarithm is taken."""

SACCADE = np.array([(0, 0), (1, 2), (2, 0), (0, 0)], float)
"""The corners (down, right) of the triangle on which the image moves, in units of its reach, as the sensor of N-MNIST did."""


def simulate_events(images: Any, frames: int = 10, threshold: float = 0.2, reach: int = 2, steps: int = 4) -> Any:
    """Frames of events of images that move along a triangle; simulated, no recordings.

    Each pixel remembers the logarithm ``m`` of the brightness at its last event. With the brightness ``b`` of the moved image, in 0..1,
    at each of `steps` instants in a frame::

        d = log(b + 0.05) - m,   n = trunc(d / threshold),   |n| events of the polarity of n,   m += n threshold

    Args:
        images: uint8 `[N, H, W, C]`, or floats in 0..1, `[N, H, W]` or with channels, of which the mean is taken; or a `Data` of images.
        frames: T.
        threshold: Step of the logarithm that makes an event.
        reach: How far the image moves, in pixels; its border is repeated.
        steps: Instants in a frame.

    Returns:
        uint8 `[N, T, H, W, 2]` (darker, brighter); of a `Data` a `Data` of such frames, whose name ends in `_simulated_events`.

    Raises:
        ShapeError: For what are no images.
        ValueError: For numbers out of range.

    Example:
        >>> events = kd.data.simulate_events(kd.data.load("digits"), frames=6)
        >>> events.name  # "digits_simulated_events"

    Source: the pixels' model of Rebecq et al. (2018), "ESIM: an Open Event Camera Simulator"; the movement of Orchard et al. (2015).
    """
    for name, value in (("frames", frames), ("reach", reach), ("steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold must be a number above 0, got {threshold!r}")
    if isinstance(images, Data):
        return _of_data(images, frames, threshold, reach, steps)
    brightness = _brightness(np.asarray(images))
    memory = np.log(_moved(brightness, 0.0, reach) + DARKEST)
    found = np.zeros((len(brightness), frames, *brightness.shape[1:], POLARITIES), np.uint8)
    for frame in range(frames):
        counted = np.zeros((*brightness.shape, POLARITIES), np.int64)
        for step in range(steps):
            now = np.log(_moved(brightness, (frame + (step + 1) / steps) / frames, reach) + DARKEST)
            number = np.trunc((now - memory) / threshold)
            memory += number * threshold
            counted[..., 0] += np.maximum(-number, 0).astype(np.int64)
            counted[..., 1] += np.maximum(number, 0).astype(np.int64)
        found[:, frame] = np.minimum(counted, MOST)
    return found


def _of_data(data: Data, *settings: Any) -> Data:
    if data.is_named or len(data.image_shape) != 3:
        raise ShapeError(f"events are simulated from images (H, W, C), and {data.name} holds {data.image_shape}")
    arrays: dict[str, Any] = {}
    for part in ("train_arrays", "validation_arrays", "test_arrays"):
        images, labels = getattr(data, part)
        frames = simulate_events(images, *settings)
        frames.setflags(write=False)
        arrays[part] = frames, labels
    frames, height, width = arrays["train_arrays"][0].shape[1:4]
    note = f"events are simulated from the images of {data.name}, which move along a triangle; they are no recordings"
    more: dict[str, Any] = {"notes": (*data.notes, note), "augment": "none", "resize": None}
    return replace(data, name=f"{data.name}{SUFFIX}", image_shape=(frames, height, width, POLARITIES), **arrays, **more)


def _brightness(images: np.ndarray) -> np.ndarray:
    """`[N, H, W]` in 0..1, float64."""
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ShapeError(f"events are simulated from images [N, H, W] or [N, H, W, C], got shape {images.shape}")
    scaled = images / 256 if images.dtype == np.uint8 else images.astype(float)
    if not (np.isfinite(scaled).all() and scaled.min() >= 0 and scaled.max() <= 1):
        raise ShapeError(f"images must be uint8, or floats from 0 to 1, got {images.dtype} from {images.min()} to {images.max()}")
    return scaled.mean(axis=-1) if scaled.ndim == 4 else scaled


def _moved(brightness: np.ndarray, moment: float, reach: int) -> np.ndarray:
    """The images at a moment 0..1 of their way, between pixels by linear interpolation."""
    corner = moment * (len(SACCADE) - 1)
    leg = min(int(corner), len(SACCADE) - 2)
    down, right = reach / 2 * (SACCADE[leg] + (corner - leg) * (SACCADE[leg + 1] - SACCADE[leg]))
    return _shifted(_shifted(brightness, down, 1), right, 2)


def _shifted(brightness: np.ndarray, by: float, axis: int) -> np.ndarray:
    whole = int(np.floor(by))
    places = np.arange(brightness.shape[axis])

    def taken(shift: int) -> np.ndarray:
        return np.take(brightness, np.clip(places - shift, 0, len(places) - 1), axis=axis)

    share = by - whole
    return (1 - share) * taken(whole) + share * taken(whole + 1)
