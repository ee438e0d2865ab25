"""Which values the layers of a network take on some images, and which ranges suit them in 8 bits."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_snnkd import graphs
from keras_snnkd.keras_internals import read_by
from keras_snnkd.neurons import QuantizedNeuron, SpikingLayer

BATCH = 64
"""Images at a time; all layers' outputs for them are in memory together."""

EXPONENTS = range(1, 5)
"""Ranges of membranes that are tried, as powers of two of the threshold."""

LARGEST_EXPONENT = 7
"""Of a membrane with a threshold, in 8 bits with a sign; less by one for each bit that is left out."""

INTEGRATOR_EXPONENTS = range(-3, 9)
"""The same for membranes without a threshold."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was seen.

    Args:
        ranges: By layer, the smallest and the largest value of its output, 0 included.
        exponents: By layer of neurons, the `range_exponent` of the 8-bit twin that does most nearly what the layer does.
    """

    ranges: dict[str, tuple[float, float]]
    exponents: dict[str, int]


def calibrate(model: keras.Model, images: np.ndarray, left_out: int = 0) -> Calibration:
    """Run a functional model on images `[N, ...]`, and 8-bit neurons of several ranges on the currents that its neurons get.

    The range is a choice between clipped membranes and coarse steps. What counts is the sum of the differences between the twin's outputs
    and the layer's: the number of spikes that change, or, of an integrator, the distance of the potentials.

    Args:
        model: The network.
        images: `[N, ...]`.
        left_out: Low bits that approximate arithmetic leaves out: the threshold has to be a whole step of what is left.

    Example:
        >>> calibrate(student, images).exponents["block1_neuron"]  # 1
    """
    neurons = {layer.name: layer for layer in model.layers if isinstance(layer, SpikingLayer)}
    twins = {name: _twins(layer, left_out) for name, layer in neurons.items()}
    outputs = {layer.name: graphs.first_output(layer) for layer in model.layers}
    currents = {f"{name}/currents": read_by(layer) for name, layer in neurons.items()}
    run = keras.Model(model.inputs[0], {**outputs, **currents})
    extremes: dict[str, list[float]] = {name: [0.0] for name in outputs}
    errors = {name: np.zeros(len(twins[name])) for name in neurons}
    for start in range(0, len(images), BATCH):
        values = {name: ops.cast(value, "float32") for name, value in run(images[start : start + BATCH], training=False).items()}
        for name in outputs:
            extremes[name] += [float(ops.min(values[name])), float(ops.max(values[name]))]
        for name in neurons:
            found = [twin(values[f"{name}/currents"]) for twin in twins[name]]
            errors[name] += [float(ops.sum(ops.abs(output - values[name]))) for output in found]
    ranges = {name: (min(seen), max(seen)) for name, seen in extremes.items()}
    return Calibration(
        {name: limits if limits[0] < limits[1] else (0.0, 1.0) for name, limits in ranges.items()},
        {name: twins[name][int(np.argmin(errors[name]))].range_exponent for name in neurons},
    )


def _twins(layer: keras.Layer, left_out: int) -> list[QuantizedNeuron]:
    exponents = INTEGRATOR_EXPONENTS if layer.dynamics.threshold is None else EXPONENTS[: max(1, LARGEST_EXPONENT - left_out)]
    return [QuantizedNeuron.of(layer, exponent) for exponent in exponents]
