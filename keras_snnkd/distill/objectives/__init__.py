"""Distillation objectives by name."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from keras_snnkd.distill.objective import Objective
from keras_snnkd.distill.objectives.features import FeatureMap
from keras_snnkd.distill.objectives.keras_loss import KerasLoss
from keras_snnkd.distill.objectives.logits import SoftTargets
from keras_snnkd.distill.objectives.rates import FiringRate
from keras_snnkd.distill.objectives.spikes import SpikeTrain
from keras_snnkd.errors import unknown_name

__all__ = ["FeatureMap", "FiringRate", "KerasLoss", "Objective", "SoftTargets", "SpikeTrain", "get", "names"]

_BY_NAME = {
    "soft_targets": SoftTargets,
    "spike_train": SpikeTrain,
    "firing_rate": FiringRate,
    "feature_map": FeatureMap,
}


def names() -> list[str]:
    """The names `get` knows."""
    return list(_BY_NAME)


def get(identifier: "str | Mapping[str, Any] | Objective") -> Objective:
    """The objective for a name, a mapping, or an instance (returned as it is).

    Args:
        identifier: `"soft_targets"`, or `{"objective": "soft_targets", "temperature": 2.0, "weight": 0.9}`, or an instance, also of one
            of Keras' distillation losses.

    Raises:
        UnknownNameError: For an unknown objective or argument; the nearest is offered.
        TypeError: If it is something else.

    Example:
        >>> kd.objectives.get({"objective": "spike_train", "window": 2})
    """
    if isinstance(identifier, Objective):
        return identifier
    if isinstance(identifier, keras.distillation.DistillationLoss):
        return KerasLoss(identifier)
    if isinstance(identifier, str):
        identifier = {"objective": identifier}
    if not isinstance(identifier, Mapping):
        raise TypeError(f"an objective is a name, a mapping with the key 'objective', or an Objective; got {identifier!r}")
    arguments = dict(identifier)
    name = arguments.pop("objective", None)
    if name not in _BY_NAME:
        raise unknown_name("objective", name, _BY_NAME)
    objective = _BY_NAME[name]
    known = [*inspect.signature(objective).parameters, *inspect.signature(Objective).parameters]
    known = [argument for argument in dict.fromkeys(known) if argument != "kwargs"]
    for argument in arguments:
        if argument not in known:
            raise unknown_name(f"argument of the objective {name}", argument, known)
    return objective(**arguments)
