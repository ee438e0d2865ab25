"""Layers around the neurons: time folding, encoders, readouts, normalization."""

from keras_snnkd.layers.adapters import Channels, Logits, logits_of
from keras_snnkd.layers.attention import Attend, AttentionScore, MeanOverTokens, Positions, TokenMask
from keras_snnkd.layers.clip_floor import ClipFloor
from keras_snnkd.layers.encoders import Direct, Latency, Poisson
from keras_snnkd.layers.fake_quant import FakeQuant
from keras_snnkd.layers.frame_gate import FrameGate, KeptFrames
from keras_snnkd.layers.frames import Frames
from keras_snnkd.layers.noisy import NoisyConv2D, NoisyDense
from keras_snnkd.layers.normalization import BatchNormalization, ThresholdBatchNormalization
from keras_snnkd.layers.numbers import Numbers, in_units, with_numbers
from keras_snnkd.layers.over_time import OverTime
from keras_snnkd.layers.pruned import MaskedConv2D, MaskedDense, NeuronMask, ThresholdedConv2D, ThresholdedDense
from keras_snnkd.layers.quantized import QuantizedConv1D, QuantizedConv2D, QuantizedDense
from keras_snnkd.layers.rate_activation import RateActivation
from keras_snnkd.layers.readouts import LastStep, MeanOverTime, SoftmaxSum, SpikeCount
from keras_snnkd.layers.series import CausalConv1D, Standardize
from keras_snnkd.layers.tensor_train import TensorTrainConv2D

__all__ = [
    "Attend",
    "AttentionScore",
    "BatchNormalization",
    "CausalConv1D",
    "Channels",
    "ClipFloor",
    "Direct",
    "FakeQuant",
    "FrameGate",
    "Frames",
    "KeptFrames",
    "LastStep",
    "Latency",
    "Logits",
    "MaskedConv2D",
    "MaskedDense",
    "MeanOverTime",
    "MeanOverTokens",
    "NeuronMask",
    "NoisyConv2D",
    "NoisyDense",
    "Numbers",
    "OverTime",
    "Poisson",
    "Positions",
    "QuantizedConv1D",
    "QuantizedConv2D",
    "QuantizedDense",
    "RateActivation",
    "SoftmaxSum",
    "SpikeCount",
    "Standardize",
    "TensorTrainConv2D",
    "ThresholdBatchNormalization",
    "ThresholdedConv2D",
    "ThresholdedDense",
    "TokenMask",
    "in_units",
    "logits_of",
    "with_numbers",
]
