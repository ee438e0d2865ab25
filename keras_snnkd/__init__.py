"""Knowledge distillation for spiking neural networks in Keras, from teacher to edge device."""

from keras_snnkd import comparison, data, experiment, export, layers, metrics, models, neurons, report, surrogates
from keras_snnkd._version import __version__
from keras_snnkd.distill import methods, objectives
from keras_snnkd.distill.cache import TeacherCache
from keras_snnkd.distill.callbacks import WeightSchedule
from keras_snnkd.distill.chain import Chain, Stage
from keras_snnkd.distill.distiller import Distiller
from keras_snnkd.distill.ensemble import Ensemble
from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.taps import TapModel
from keras_snnkd.recipe import Recipe

__all__ = [
    "Chain",
    "Distiller",
    "Ensemble",
    "Objective",
    "Recipe",
    "Stage",
    "TapModel",
    "TeacherCache",
    "WeightSchedule",
    "__version__",
    "comparison",
    "data",
    "experiment",
    "export",
    "layers",
    "methods",
    "metrics",
    "models",
    "neurons",
    "objectives",
    "report",
    "surrogates",
]
