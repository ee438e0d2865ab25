"""Data sets of images, series, events and sentences: reading, fixed splits, and batches whose order depends only on the seed."""

from keras_snnkd.data.augment import AUGMENTATIONS
from keras_snnkd.data.data import Data
from keras_snnkd.data.description import describe
from keras_snnkd.data.loaders import check_resize, holds_events, holds_series, load, names
from keras_snnkd.data.own import NAME as IN_MEMORY
from keras_snnkd.data.scenes import synthetic_scenes
from keras_snnkd.data.series import Series
from keras_snnkd.data.simulate import simulate_events
from keras_snnkd.data.text import Sentences, TextData, load_text, read_sentences

__all__ = [
    "AUGMENTATIONS",
    "IN_MEMORY",
    "Data",
    "Sentences",
    "Series",
    "TextData",
    "check_resize",
    "describe",
    "holds_events",
    "holds_series",
    "load",
    "load_text",
    "names",
    "read_sentences",
    "simulate_events",
    "synthetic_scenes",
]
