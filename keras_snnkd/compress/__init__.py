"""How a trained network is made cheaper: fewer weights, channels, bits and steps, and devices that are not perfect."""

from keras_snnkd.compress.channels import check_narrowable, narrowed
from keras_snnkd.compress.imperfect_devices import DeviceAccuracy, device_accuracy, noise_aware
from keras_snnkd.compress.pareto import ParetoFront
from keras_snnkd.compress.plain import is_plain, plain
from keras_snnkd.compress.pruning import Pruning
from keras_snnkd.compress.tensor_trains import decomposed
from keras_snnkd.compress.zeros import is_pruned, keep_zeros
from keras_snnkd.layers.noisy import Device
from keras_snnkd.models.prunable import METHODS, prunable, prunable_layers
from keras_snnkd.models.rebuild import copied

__all__ = [
    "METHODS",
    "Device",
    "DeviceAccuracy",
    "ParetoFront",
    "Pruning",
    "check_narrowable",
    "copied",
    "decomposed",
    "device_accuracy",
    "is_plain",
    "is_pruned",
    "keep_zeros",
    "narrowed",
    "noise_aware",
    "plain",
    "prunable",
    "prunable_layers",
]
