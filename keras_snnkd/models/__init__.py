"""Models: functional builders, each spiking or as its ANN twin, and named presets."""

from keras_snnkd.models.build import build, specification
from keras_snnkd.models.convert import convert_weights, with_clip_floor
from keras_snnkd.models.convnet import ConvNet
from keras_snnkd.models.encoder_decoder import EncoderDecoder
from keras_snnkd.models.from_nir import from_nir
from keras_snnkd.models.joint import JointNet, without_exits
from keras_snnkd.models.mlp import MLP
from keras_snnkd.models.presets import PRESETS
from keras_snnkd.models.prunable import prunable
from keras_snnkd.models.quantize import is_quantize_aware, quantize_aware
from keras_snnkd.models.rates import with_rates
from keras_snnkd.models.razor import keep_frames, with_frame_gate
from keras_snnkd.models.resnet import ResNet
from keras_snnkd.models.sequence import SequenceNet
from keras_snnkd.models.shrink import shrink_weights
from keras_snnkd.models.timesteps import with_timesteps
from keras_snnkd.models.transformer import SpikingTransformer
from keras_snnkd.weights.rounding import round_weights
from keras_snnkd.weights.transfer import copy_weights, load

__all__ = [
    "MLP",
    "PRESETS",
    "ConvNet",
    "EncoderDecoder",
    "JointNet",
    "ResNet",
    "SequenceNet",
    "SpikingTransformer",
    "build",
    "convert_weights",
    "copy_weights",
    "from_nir",
    "is_quantize_aware",
    "keep_frames",
    "load",
    "prunable",
    "quantize_aware",
    "round_weights",
    "shrink_weights",
    "specification",
    "with_clip_floor",
    "with_frame_gate",
    "with_rates",
    "with_timesteps",
    "without_exits",
]
