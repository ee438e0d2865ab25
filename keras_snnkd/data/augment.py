"""Random changes to a batch of images, by name.

An augmentation is a function of the images `[B, H, W, C]` (float32 in [0, 1]) and a seed (int32, `[2]`). It is stateless: the same
images and seed give the same result on every run. Names are joined with `+`: `"flip+crop"`.
"""

from collections.abc import Callable

from keras_snnkd.errors import unknown_name


def unchanged(images, seed):
    """The images as they are."""
    return images


def flip(images, seed):
    """Mirror each image left to right with probability 1/2."""
    import tensorflow as tf

    width = images.shape[2]
    mirrored = tf.random.stateless_uniform([tf.shape(images)[0], 1], seed) < 0.5
    columns = tf.where(mirrored, tf.range(width - 1, -1, -1), tf.range(width))
    return tf.gather(images, columns, axis=2, batch_dims=1)


def crop(images, seed):
    """Move each image by up to H // 8 and W // 8 pixels each way; what comes in from outside is 0."""
    height, width = images.shape[1:3]
    return _move(images, seed, max(1, height // 8), max(1, width // 8))


def shift(images, seed):
    """Move each image by at most one pixel each way, for images as small as the 8x8 digits."""
    return _move(images, seed, 1, 1)


def cutout(images, seed):
    """Set one square of each image to 0 (DeVries and Taylor, 2017, arXiv:1708.04552).

    The centre is any pixel and the half side is H // 4, so the square is H // 2 wide, or less where the border cuts it.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    half = max(1, height // 4)
    centre = _integers(tf.shape(images)[0], seed, [height, width])
    rows = _within(tf.range(height), centre[:, :1], half)
    columns = _within(tf.range(width), centre[:, 1:], half)
    square = rows[:, :, None] & columns[:, None, :]
    return images * tf.cast(~square[..., None], images.dtype)


AUGMENTATIONS: dict[str, Callable] = {"none": unchanged, "flip": flip, "crop": crop, "shift": shift, "cutout": cutout}


def augmentation(names: str) -> Callable:
    """The augmentation that applies each of `names` in turn.

    Args:
        names: One name of `AUGMENTATIONS`, or several joined with `+`.

    Returns:
        A function of images `[B, H, W, C]` and an int32 seed `[2]`.

    Raises:
        UnknownNameError: One of the names is not known.
    """
    parts = [part.strip() for part in str(names).split("+")]
    for part in parts:
        if part not in AUGMENTATIONS:
            raise unknown_name("augmentation", part, AUGMENTATIONS)

    def augment(images, seed):
        import tensorflow as tf

        for place, part in enumerate(parts):
            images = AUGMENTATIONS[part](images, tf.random.experimental.stateless_fold_in(seed, place))
        return images

    return augment


def _move(images, seed, rows: int, columns: int):
    """Pad with zeros by `rows` and `columns`, then cut a window of the first size out of each image at a random place."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    padded = tf.pad(images, [[0, 0], [rows, rows], [columns, columns], [0, 0]])
    corner = _integers(tf.shape(images)[0], seed, [2 * rows + 1, 2 * columns + 1])
    window = tf.gather(padded, corner[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(window, corner[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def _integers(count, seed, sizes: list[int]):
    """Random integers `[count, len(sizes)]`, in column i from 0 to `sizes[i] - 1`."""
    import tensorflow as tf

    return tf.cast(tf.random.stateless_uniform([count, len(sizes)], seed) * sizes, tf.int32)


def _within(positions, centre, half: int):
    """Which `positions` lie in `[centre - half, centre + half)`."""
    return (positions >= centre - half) & (positions < centre + half)
