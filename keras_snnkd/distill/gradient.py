"""Which gradient trains a student: that of every time step, or that of its firing rates."""

from collections.abc import Sequence

import keras

from keras_snnkd import graphs
from keras_snnkd.distill.objective import Objective
from keras_snnkd.errors import unknown_name
from keras_snnkd.keras_internals import all_layers
from keras_snnkd.layers.encoders import Direct, Poisson

GRADIENTS = ("bptt", "rate", "auto")


def choose(gradient: str, student: keras.Model, objectives: Sequence[Objective]) -> tuple[str, str]:
    """Which gradient to take.

    Args:
        gradient: `"bptt"`: backpropagation through time; `"rate"`: rate-based backpropagation (see `keras_snnkd.layers.rates.OnRates`);
            `"auto"`: the latter where images are coded by rates and nothing reads single time steps.
        student: The model to train.
        objectives: What it learns from, built.

    Returns:
        `"bptt"` or `"rate"`, and why, empty if that is what was asked for.

    Raises:
        UnknownNameError: For another name.
        ValueError: For `"rate"` where that cannot be done; it says why.
    """
    if gradient not in GRADIENTS:
        raise unknown_name("gradient", gradient, GRADIENTS)
    if gradient == "bptt":
        return "bptt", ""
    layers = all_layers(student)
    readers = [objective.name for objective in objectives if objective.reads_steps]
    if not graphs.is_graph(student):
        obstacle = f"{student.name} is a {type(student).__name__}, whose layers cannot be reached from outside"
    elif not any(getattr(layer, "emits_spikes", False) for layer in layers):
        return "bptt", "there are no spiking neurons"
    elif readers:
        obstacle = f"{', '.join(readers)} read{'s' if len(readers) == 1 else ''} single time steps, and rates have one gradient for all"
    elif gradient == "rate":
        return "rate", ""
    elif not any(isinstance(layer, (Direct, Poisson)) for layer in layers):
        return "bptt", "the timing of its inputs says something that rates do not"
    else:
        return "rate", "images are coded by rates, and nothing reads single time steps"
    if gradient == "auto":
        return "bptt", obstacle
    raise ValueError(f"gradient 'rate' cannot be had: {obstacle}. Leave that out, or take 'bptt', or 'auto', which chooses")
