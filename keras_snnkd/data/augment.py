"""Random changes to images, by name.

What happens to an image is decided by a few random integers of its own, which are drawn first, for a whole data set at once. All of it
is stateless: the same seed gives the same integers on every run, and the same integers give the same pixels, in whatever batch the image
is. Names are joined with `+`: `"flip+crop"`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras_snnkd._types import Tensor
from keras_snnkd.data import series_augment
from keras_snnkd.errors import unknown_name


class Augmentation(NamedTuple):
    """A random change of images.

    Args:
        choices: From height and width to `[n_1, ..., n_k]`: random integer i of an image is one of `0, ..., n_i - 1`.
        apply: From images `[B, H, W, C]` (float32 in [0, 1]) and their integers int32 `[B, k]` to changed images of the same shape.
        axes: Of what is changed: 3 of images (H, W, C), 2 of series (T, C, in place of H and W); `None` of both.

    Example:
        >>> flip = augmentation("flip")
        >>> flip.apply(images, flip.draw(len(images), (28, 28, 1), seed=[0, 1]))
    """

    choices: Callable[..., Any]
    apply: Callable[..., Any]
    axes: int | None = 3

    def draw(self, count: int, image_shape: tuple[int, ...], seed: Tensor) -> Tensor:
        """The random integers of `count` images of shape (H, W, C), int32 `[count, k]`, from an int32 seed `[2]`."""
        import tensorflow as tf

        choices = self.choices(*image_shape[:2])
        return tf.cast(tf.random.stateless_uniform([count, len(choices)], seed) * choices, tf.int32)


def unchanged(images: Tensor, integers: Tensor) -> Tensor:
    """The images as they are."""
    return images


def flip(images: Tensor, integers: Tensor) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    import tensorflow as tf

    width = images.shape[2]
    columns = tf.where(integers == 1, tf.range(width - 1, -1, -1), tf.range(width))
    return tf.gather(images, columns, axis=2, batch_dims=1)


def crop(images: Tensor, integers: Tensor) -> Tensor:
    """Move each image by up to H // 8 and W // 8 pixels each way; what comes in from outside is 0."""
    return _move(images, integers, *_eighths(*images.shape[1:3]))


def shift(images: Tensor, integers: Tensor) -> Tensor:
    """Move each image by at most one pixel each way, for images as small as the 8x8 digits."""
    return _move(images, integers, 1, 1)


def cutout(images: Tensor, integers: Tensor) -> Tensor:
    """Set one square of each image to 0 (DeVries and Taylor, 2017, arXiv:1708.04552).

    The centre is any pixel and the half side is H // 4, so the square is H // 2 wide, or less where the border cuts it.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    half = max(1, height // 4)
    rows = _within(tf.range(height), integers[:, :1], half)
    columns = _within(tf.range(width), integers[:, 1:], half)
    square = rows[:, :, None] & columns[:, None, :]
    return images * tf.cast(~square[..., None], images.dtype)


def _eighths(height: int, width: int) -> tuple[int, int]:
    return max(1, height // 8), max(1, width // 8)


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(lambda height, width: [], unchanged, None),
    "flip": Augmentation(lambda height, width: [2], flip),
    "crop": Augmentation(lambda height, width: [2 * reach + 1 for reach in _eighths(height, width)], crop),
    "shift": Augmentation(lambda height, width: [3, 3], shift),
    "cutout": Augmentation(lambda height, width: [height, width], cutout),
    **{name: Augmentation(*parts, axes=2) for name, parts in series_augment.PARTS.items()},
}


def check_axes(names: str, axes: int) -> None:
    """Refuse augmentations of images for series, and of series for images; those of images hold for frames of events, 4 axes, too.

    Raises:
        ValueError: If one of `names` is for data of other axes.
    """
    axes = min(axes, 3)
    for name in (part.strip() for part in names.split("+")):
        if AUGMENTATIONS[name].axes not in (None, axes):
            fitting = [known for known, one in AUGMENTATIONS.items() if one.axes in (None, axes)]
            kinds = {1: "sentences", 2: "series", 3: "images"}
            raise ValueError(
                f"augmentation {name!r} is for {kinds[AUGMENTATIONS[name].axes or 3]}, and these data are {kinds[axes]}; "
                f"take {', '.join(fitting)}"
            )


def augmentation(names: str) -> Augmentation:
    """The augmentation that applies each of `names` in turn.

    Args:
        names: One name of `AUGMENTATIONS`, or several joined with `+`.

    Raises:
        UnknownNameError: One of the names is not known.
    """
    parts = [part.strip() for part in str(names).split("+")]
    for part in parts:
        if part not in AUGMENTATIONS:
            raise unknown_name("augmentation", part, AUGMENTATIONS)

    def choices(height: int, width: int) -> list[int]:
        return [choice for part in parts for choice in AUGMENTATIONS[part].choices(height, width)]

    def apply(images: Tensor, integers: Tensor) -> Tensor:
        first = 0
        for part in parts:
            last = first + len(AUGMENTATIONS[part].choices(*images.shape[1:3]))
            images = AUGMENTATIONS[part].apply(images, integers[:, first:last])
            first = last
        return images

    return Augmentation(choices, apply)


def _move(images: Tensor, corner: Tensor, rows: int, columns: int) -> Tensor:
    """Pad with zeros by `rows` and `columns`, then cut a window of the first size out of each image, with its upper left at `corner`."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [rows, rows], [columns, columns], [0, 0]])
    window = tf.gather(padded, corner[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(window, corner[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def _within(positions: Tensor, centre: Tensor, half: int) -> Tensor:
    """Which `positions` lie in `[centre - half, centre + half)`."""
    return (positions >= centre - half) & (positions < centre + half)
