"""Data sets of images, of series and of events: reading, fixed splits, and batches whose order and augmentation depend only on the seed."""

from keras_snnkd.data.augment import AUGMENTATIONS
from keras_snnkd.data.data import Data
from keras_snnkd.data.description import describe
from keras_snnkd.data.loaders import check_resize, holds_events, holds_series, load, names
from keras_snnkd.data.own import NAME as IN_MEMORY
from keras_snnkd.data.series import Series
from keras_snnkd.data.simulate import simulate_events

__all__ = [
    "AUGMENTATIONS",
    "IN_MEMORY",
    "Data",
    "Series",
    "check_resize",
    "describe",
    "holds_events",
    "holds_series",
    "load",
    "names",
    "simulate_events",
]
