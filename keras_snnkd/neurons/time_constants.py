"""Time constants that are constants, or learned: one for a layer, for each channel or for each neuron."""

import math
from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.neurons.base import SpikingLayer, check_tau

SHARINGS = ("layer", "channel", "neuron")
"""Who shares one learned time constant: all neurons of a layer, those of one index of the last axis, or none."""


class TimeConstant(SpikingLayer):
    """Base of the layers with the arguments `tau` and `learn_tau`; see `LIF`. The learned leak is ``1 / tau = sigmoid(w)``."""

    tau: float
    learn_tau: str | None

    def set_tau(self, tau: float, learn_tau: str | None) -> float | None:
        """Keep both arguments; the leak of the dynamics, `None` where it is learned.

        Raises:
            ValueError: For a time constant of one step or less.
            UnknownNameError: For another `learn_tau`.
        """
        self.tau = check_tau(self, "tau", tau)
        if learn_tau not in (None, *SHARINGS):
            raise unknown_name("learn_tau", learn_tau, SHARINGS)
        self.learn_tau = learn_tau
        return None if learn_tau else 1 / self.tau

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.learn_tau:
            start = keras.initializers.Constant(-math.log(self.tau - 1))
            shape = self._shape_of_taus(input_shape)
            self.w = self.add_weight(shape=shape, initializer=start, dtype="float32", autocast=False, name="w")

    def _shape_of_taus(self, input_shape: Shape) -> Shape:
        first = {"layer": len(input_shape), "channel": -1, "neuron": 2}[str(self.learn_tau)]
        shape = tuple(input_shape[first:])
        if None in shape:
            raise ShapeError(
                f"{self.name}: learn_tau={self.learn_tau!r} needs known sizes, got shape {tuple(input_shape)}; set them, or use 'layer'"
            )
        return shape

    @property
    def leak(self) -> Tensor:
        return ops.sigmoid(ops.convert_to_tensor(self.w)) if self.learn_tau else None

    def tau_config(self) -> dict[str, Any]:
        """Both arguments."""
        return {"tau": self.tau, "learn_tau": self.learn_tau}
