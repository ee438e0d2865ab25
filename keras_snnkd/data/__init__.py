"""Data sets of images and of series: reading, fixed splits, and batches whose order and augmentation depend only on the seed."""

from keras_snnkd.data.augment import AUGMENTATIONS
from keras_snnkd.data.data import Data
from keras_snnkd.data.description import describe
from keras_snnkd.data.loaders import check_resize, holds_series, load, names
from keras_snnkd.data.own import NAME as IN_MEMORY

__all__ = ["AUGMENTATIONS", "IN_MEMORY", "Data", "check_resize", "describe", "holds_series", "load", "names"]
