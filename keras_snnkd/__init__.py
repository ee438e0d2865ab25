"""Knowledge distillation for spiking neural networks in Keras, from teacher to edge device."""

from keras_snnkd import data, layers, models, neurons, surrogates
from keras_snnkd._version import __version__
from keras_snnkd.distill import objectives
from keras_snnkd.distill.callbacks import WeightSchedule
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.taps import TapModel

__all__ = [
    "Distiller",
    "TapModel",
    "WeightSchedule",
    "__version__",
    "data",
    "layers",
    "models",
    "neurons",
    "objectives",
    "surrogates",
]
