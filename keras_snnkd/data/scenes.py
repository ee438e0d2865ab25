"""Synthetic scenes: boxes and balls above a floor, rendered with their depth. Nothing here was recorded."""

import numpy as np

from keras_snnkd._types import Array

NEAREST, FARTHEST = 1.0, 10.0
"""Of the depths, in units of no meaning."""


def synthetic_scenes(count: int, size: int = 32, objects: int = 4, seed: int = 0) -> tuple[Array, Array]:
    """Grey images of made-up scenes and the depth at each pixel; rendered by these few lines, no photographs.

    A floor runs from near, at the lower edge, to far, at the horizon, and behind it stands a wall. Each object, a box or a ball, covers
    what is behind it. Brightness falls with depth, differs from object to object, and carries stripes that grow thinner with distance; so
    depth can be read from size, height in the image, and texture, though not from any of them alone.

    Args:
        count: N.
        size: H and W.
        objects: Of each scene.
        seed: Of all that is drawn.

    Returns:
        Images uint8 `[N, H, W, 1]` and depths float32 `[N, H, W, 1]`, from 1 to 10.

    Raises:
        ValueError: For a number that is none above 0.

    Example:
        >>> images, depths = kd.data.synthetic_scenes(100)
        >>> events = kd.data.simulate_events(images, frames=4)
    """
    for name, value in (("count", count), ("size", size), ("objects", objects)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
    random = np.random.default_rng(seed)
    images, depths = np.zeros((count, size, size)), np.zeros((count, size, size))
    for index in range(count):
        images[index], depths[index] = _scene(random, size, objects)
    return np.rint(255 * images).astype(np.uint8)[..., None], depths.astype("float32")[..., None]


def _scene(random: np.random.Generator, size: int, objects: int) -> tuple[Array, Array]:
    """One image in 0..1 and its depths `[H, W]`."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    horizon = random.uniform(0.3, 0.5)
    below = np.clip((rows - horizon) / (1 - horizon), 1e-3, 1)
    depth = np.where(rows > horizon, np.minimum(NEAREST / below, FARTHEST), FARTHEST)
    surface = np.where(rows > horizon, 0.5, 0.3)
    for distance in sorted(random.uniform(1.3, 7.0, objects), reverse=True):
        half = random.uniform(0.25, 0.5) / distance
        foot = horizon + (1 - horizon) * NEAREST / distance
        middle, x = foot - half, random.uniform(0.1, 0.9)
        if random.random() < 0.5:
            inside = (np.abs(rows - middle) < half) & (np.abs(columns - x) < half)
            front = np.full_like(depth, distance)
        else:
            inside = (rows - middle) ** 2 + (columns - x) ** 2 < half**2
            bulge = np.sqrt(np.clip(half**2 - (rows - middle) ** 2 - (columns - x) ** 2, 0, None))
            front = distance - bulge
        depth = np.where(inside, np.clip(front, NEAREST, FARTHEST), depth)
        surface = np.where(inside, random.uniform(0.4, 0.9), surface)
    stripes = 0.85 + 0.15 * np.sign(np.sin(20 * np.pi * columns * depth / 4) * np.sin(8 * np.pi * np.log(depth)))
    return np.clip(surface * stripes * (0.4 + 0.6 / np.sqrt(depth)), 0, 1), depth
