"""Settings of batches: what they may be, and how large batches are by themselves."""

from typing import Any

import numpy as np

from keras_snnkd.data.augment import augmentation
from keras_snnkd.data.mixup import check_mixup

STEPS = 16
"""Steps that an epoch has at least, if `fitting_batch_size` can have it so."""


def fitting_batch_size(count: int) -> int:
    """The largest of 8, 16, 32, 64 and 128 with which `count` training images make at least `STEPS` steps per epoch, or else 8.

    Example:
        >>> fitting_batch_size(260)  # 16
    """
    return next((size for size in (128, 64, 32, 16) if count >= STEPS * size), 8)


def check_settings(batch_size: Any, augment: Any, seed: Any, views: Any = None, mixup: Any = 0.0) -> None:
    """Refuse settings that cannot give batches.

    Raises:
        ValueError: `batch_size` or `views` is not an integer of at least 1, `seed` is not an integer of 32 bits, or `mixup` is not a
            number of at least 0.
        UnknownNameError: A part of `augment` is not known.
    """
    if not _is_whole(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size must be an integer of at least 1, got {batch_size!r}.")
    if not _is_whole(seed) or not 0 <= seed < 2**31:
        raise ValueError(f"seed must be an integer from 0 to 2**31 - 1, got {seed!r}.")
    if views is not None and (not _is_whole(views) or views < 1):
        raise ValueError(f"views must be an integer of at least 1, or None for a new view each epoch, got {views!r}.")
    check_mixup(mixup)
    augmentation(augment)


def check_limit(limit: Any) -> None:
    """Refuse a number of images that cannot be divided.

    Raises:
        ValueError: If it is no integer of at least 2.
    """
    if limit is not None and (not _is_whole(limit) or limit < 2):
        raise ValueError(f"limit must be at least 2 (one image to train on, one to validate), got {limit!r}.")


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
