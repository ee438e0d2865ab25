"""Spiking neurons: each as a layer for sequences of any shape and as a cell for `keras.layers.RNN`."""

from keras_snnkd.errors import unknown_name
from keras_snnkd.neurons.adlif import RLIF, AdLIF, AdLIFCell, RadLIF, RadLIFCell, RLIFCell
from keras_snnkd.neurons.alif import ALIF, ALIFCell
from keras_snnkd.neurons.base import SpikingCell, SpikingLayer
from keras_snnkd.neurons.integrate_and_fire import IF, IFCell
from keras_snnkd.neurons.integrator import LeakyIntegrator, LeakyIntegratorCell
from keras_snnkd.neurons.lif import LIF, LIFCell
from keras_snnkd.neurons.plif import PLIF, PLIFCell
from keras_snnkd.neurons.quantized import QuantizedNeuron

__all__ = [
    "ALIF",
    "IF",
    "LIF",
    "PLIF",
    "RLIF",
    "ALIFCell",
    "AdLIF",
    "AdLIFCell",
    "IFCell",
    "LIFCell",
    "LeakyIntegrator",
    "LeakyIntegratorCell",
    "PLIFCell",
    "QuantizedNeuron",
    "RLIFCell",
    "RadLIF",
    "RadLIFCell",
    "SpikingCell",
    "SpikingLayer",
    "get",
    "names",
]

_BY_NAME = {"lif": LIF, "if": IF, "plif": PLIF, "alif": ALIF, "adlif": AdLIF, "rlif": RLIF, "radlif": RadLIF}


def names() -> list[str]:
    """The names `get` knows."""
    return list(_BY_NAME)


def get(name: str) -> type[SpikingLayer]:
    """The neuron layer's class for a name, such as `"lif"`.

    Raises:
        UnknownNameError: If there is no neuron of that name.
    """
    if name not in _BY_NAME:
        raise unknown_name("neuron", name, _BY_NAME)
    return _BY_NAME[name]
