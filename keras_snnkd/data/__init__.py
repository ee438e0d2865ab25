"""Data sets of images, series, events and sentences: reading, fixed splits, and batches whose order depends only on the seed."""

from keras_snnkd.data.augment import AUGMENTATIONS
from keras_snnkd.data.data import Data
from keras_snnkd.data.description import describe
from keras_snnkd.data.loaders import (
    REGRESSION,
    check_resize,
    check_task,
    holds_events,
    holds_inputs,
    holds_maps,
    holds_series,
    holds_text,
    load,
    name_in_memory,
    names,
    takes_numbers,
)
from keras_snnkd.data.scenes import synthetic_scenes
from keras_snnkd.data.series import Series
from keras_snnkd.data.simulate import simulate_events
from keras_snnkd.data.text import Sentences, TextData, load_text, read_sentences

__all__ = [
    "AUGMENTATIONS",
    "REGRESSION",
    "Data",
    "Sentences",
    "Series",
    "TextData",
    "check_resize",
    "check_task",
    "describe",
    "holds_events",
    "holds_inputs",
    "holds_maps",
    "holds_series",
    "holds_text",
    "load",
    "load_text",
    "name_in_memory",
    "names",
    "read_sentences",
    "simulate_events",
    "synthetic_scenes",
    "takes_numbers",
]
