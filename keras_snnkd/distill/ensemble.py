"""Several teachers as one."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.keras_internals import read_by
from keras_snnkd.layers import MeanOverTime


@public
class WeightedMean(keras.layers.Layer):
    """The weighted mean of tensors of one shape: ``y = sum over i of w[i] x[i] / sum over i of w[i]``, in float32.

    Args:
        shares: The weights ``w``, one for each tensor, at least 0 and not all 0.

    Call arguments:
        inputs: A list of tensors.

    Example:
        >>> WeightedMean([1, 3])([keras.ops.zeros((2, 5)), keras.ops.ones((2, 5))])  # 0.75
    """

    def __init__(self, shares: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.shares = [float(share) for share in shares]

    def call(self, inputs: Tensor) -> Tensor:
        return sum(share / sum(self.shares) * x for share, x in zip(self.shares, inputs, strict=True))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return tuple(input_shape[0])

    def get_config(self) -> Config:
        return {**super().get_config(), "shares": self.shares}


def Ensemble(  # noqa: N802 - reads as a class, like the builders of models
    models: Sequence[keras.Model], weights: Sequence[float] | None = None, name: str = "ensemble"
) -> keras.Model:
    """Several trained networks as one teacher: the mean of their logits.

    With the members' outputs ``z[i]``, `[B, C]`, and weights ``w[i]``::

        output = sum over i of w[i] z[i] / sum over i of w[i]

    Members may be spiking or not, of any T. Where all are spiking networks of one T with the readout `MeanOverTime`, the tap `"logits"`
    of the ensemble has their mean at every step, `[B, T, C]`; else it is the output. Logits should be on one scale: a spike count is T
    times a rate.

    For distillation from several teachers at once. With members trained on parts of the data and their numbers of images as weights,
    it is the averaging of logits in federated distillation. Not the reproduction of a particular paper.

    Args:
        models: Functional or Sequential models with the same input shape and classes. They are shared, not copied.
        weights: One for each model, at least 0 and not all 0; all alike by default.
        name: Of the new model.

    Returns:
        A functional model, to be a `Distiller`'s teacher, saved, or evaluated.

    Raises:
        ShapeError: If a member takes other inputs or has other classes than the first.
        ValueError: For no models, models that are no graph from images to logits, or weights that do not fit.

    Example:
        >>> kd.Distiller(student, kd.Ensemble([snn, ann]), ["soft_targets"])
    """
    models = list(models)
    shares = [1.0] * len(models) if weights is None else list(weights)
    if not models:
        raise ValueError("an ensemble needs at least one model")
    if len(shares) != len(models) or not all(math.isfinite(share) and share >= 0 for share in shares) or not sum(shares):
        raise ValueError(f"weights must be a number of at least 0 for each of the {len(models)} models, not all 0, got {weights!r}")
    for model in models:
        if len(getattr(model, "outputs", None) or ()) != 1 or len(model.inputs) != 1:
            raise ValueError(
                f"{model.name} is a {type(model).__name__}; a member of an ensemble is built with the functional API, from images to logits"
            )
        _check_alike("inputs", models[0], model, lambda model: tuple(model.inputs[0].shape[1:]))
        _check_alike("outputs", models[0], model, lambda model: tuple(model.outputs[0].shape[1:]))
    image = keras.Input(models[0].inputs[0].shape[1:], name="image")
    last = [model.layers[-1] for model in models]
    per_step = all(isinstance(layer, MeanOverTime) for layer in last) and len({read_by(layer).shape for layer in last}) == 1
    logits = [read_by(layer) if per_step else model.outputs[0] for model, layer in zip(models, last, strict=True)]
    members = [
        keras.Model(model.inputs[0], z, name=f"member{index}") for index, (model, z) in enumerate(zip(models, logits, strict=True), 1)
    ]
    mean = WeightedMean(shares, name="mean")([member(image) for member in members])
    return keras.Model(image, MeanOverTime(name="readout")(mean) if per_step else mean, name=name)


def _check_alike(what: str, first: Any, other: Any, of: Any) -> None:
    if of(first) != of(other):
        raise ShapeError(f"the members of an ensemble have the same {what}: {first.name} has {of(first)}, {other.name} {of(other)}")
