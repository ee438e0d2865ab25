"""Export: from a trained model to files that other runtimes run, each compared with the model before it gets its name."""

from keras_snnkd.export.bundle import export_all
from keras_snnkd.export.freeze import freeze
from keras_snnkd.export.litert import litert
from keras_snnkd.export.nir import nir
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT, SavedModel
from keras_snnkd.export.saved_model import saved_model

__all__ = ["ExportReport", "LiteRT", "SavedModel", "export_all", "freeze", "litert", "nir", "saved_model"]
