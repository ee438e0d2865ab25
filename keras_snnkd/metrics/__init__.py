"""What a network does beside being right or wrong: how much its neurons fire and how many operations its synapses perform."""

from keras_snnkd.metrics.anytime import Anytime, anytime
from keras_snnkd.metrics.firing import Activity, activity, raster
from keras_snnkd.metrics.operations import Operations, synaptic_operations

__all__ = ["Activity", "Anytime", "Operations", "activity", "anytime", "raster", "synaptic_operations"]
