"""Export: from a trained model to files that other runtimes run, each compared with the model before it gets its name."""

from keras_snnkd.export.bundle import export_all
from keras_snnkd.export.c_array import c_array
from keras_snnkd.export.c_step import c_step
from keras_snnkd.export.freeze import freeze
from keras_snnkd.export.latency import Latency, latency
from keras_snnkd.export.litert import litert
from keras_snnkd.export.micro import MicroReport, micro
from keras_snnkd.export.nir import nir
from keras_snnkd.export.onnx import onnx
from keras_snnkd.export.onnx_file import ONNX
from keras_snnkd.export.report import ExportReport
from keras_snnkd.export.runtime import LiteRT, SavedModel
from keras_snnkd.export.saved_model import saved_model
from keras_snnkd.export.stepper import streaming

__all__ = [
    "ONNX",
    "ExportReport",
    "Latency",
    "LiteRT",
    "MicroReport",
    "SavedModel",
    "c_array",
    "c_step",
    "export_all",
    "freeze",
    "latency",
    "litert",
    "micro",
    "nir",
    "onnx",
    "saved_model",
    "streaming",
]
