"""Layers around the neurons: time folding, encoders, readouts, normalization."""

from keras_snnkd.layers.encoders import Direct, Latency, Poisson
from keras_snnkd.layers.normalization import BatchNormalization, ThresholdBatchNormalization
from keras_snnkd.layers.over_time import OverTime
from keras_snnkd.layers.readouts import LastStep, MeanOverTime, SpikeCount

__all__ = [
    "BatchNormalization",
    "Direct",
    "LastStep",
    "Latency",
    "MeanOverTime",
    "OverTime",
    "Poisson",
    "SpikeCount",
    "ThresholdBatchNormalization",
]
