"""The loss and the accuracy of labels that are class numbers, or mixtures of classes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.errors import ShapeError

BALANCED = "balanced"
"""Class weights by which all classes weigh alike."""


@public
class LabelCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits (or probabilities) with labels, smoothed if wanted.

    ``loss[b] = -sum over c of q[b, c] log softmax(z[b])[c]``, where ``q = (1 - s) y + s / C`` for smoothing s.

    Args:
        label_smoothing: s, from 0 to less than 1 (Szegedy et al., 2016, arXiv:1512.00567).
        from_logits: Whether the model gives logits; else it gives the probabilities of a softmax.
        class_weights: w, a factor of the loss for each class, ``loss[b] sum over c of y[b, c] w[c]``; `None` for 1 each.
        **kwargs: Of `keras.losses.Loss`.

    Images without a label, -1 or shares that are all 0, do not count: the mean over the batch is one over the labelled.

    Shapes: labels int `[B]` or shares of the classes `[B, C]`, logits `[B, C]`.

    Raises:
        ValueError: If the smoothing is out of range, or a class weight below 0.

    Example:
        >>> model.compile("adam", LabelCrossEntropy(label_smoothing=0.1), metrics=[label_accuracy()])
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        name: str = "label_cross_entropy",
        from_logits: bool = True,
        class_weights: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.class_weights = check_class_weights(class_weights)
        self.from_logits = from_logits
        self.label_smoothing = check_smoothing(label_smoothing)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each sample, `[B]`."""
        known = is_labelled(y_true, y_pred)
        if not _are_shares(y_true, y_pred):
            y_true = ops.maximum(ops.cast(ops.reshape(y_true, (-1,)), "int32"), 0)
        if _are_shares(y_true, y_pred) or self.label_smoothing:
            shares = y_true if _are_shares(y_true, y_pred) else ops.one_hot(y_true, y_pred.shape[-1])
            losses = keras.losses.categorical_crossentropy(
                shares, y_pred, from_logits=self.from_logits, label_smoothing=self.label_smoothing
            )
        else:
            losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        if self.class_weights is not None:
            losses = losses * self._weights(y_true, y_pred.shape[-1])
        return losses * known / ops.maximum(ops.mean(known), 1e-7)

    def _weights(self, y_true: Tensor, classes: int) -> Tensor:
        """Of each sample, `[B]`, by its class or its shares of several."""
        weights = ops.convert_to_tensor(self.class_weights, "float32")
        if weights.shape[0] != classes:
            raise ShapeError(f"{weights.shape[0]} class weights were given, and the network has {classes} classes")
        if len(y_true.shape) == 2:
            return ops.sum(ops.cast(y_true, "float32") * weights, axis=-1)
        return ops.take(weights, y_true)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        of_classes = {} if self.class_weights is None else {"class_weights": self.class_weights}  # absent in files of earlier versions
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "from_logits": self.from_logits, **of_classes}


def label_accuracy(name: str = "accuracy") -> keras.metrics.Metric:
    """The share of samples whose likeliest class is the label's, or the one with the largest share in it."""
    return _LabelAccuracy(_hits, name=name)


class _LabelAccuracy(keras.metrics.MeanMetricWrapper):
    """Counts labelled samples alone."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        known = is_labelled(y_true, y_pred)
        super().update_state(y_true, y_pred, known if sample_weight is None else known * ops.reshape(sample_weight, (-1,)))


def is_labelled(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """1 for each sample with a label, else 0, float32 `[B]`."""
    if _are_shares(y_true, y_pred):
        return ops.cast(ops.sum(y_true, axis=-1) > 0, "float32")
    return ops.cast(ops.reshape(y_true, (-1,)) >= 0, "float32")


def check_smoothing(value: float) -> float:
    """`value`, or a `ValueError` if labels cannot be smoothed by it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"label_smoothing must be a number from 0 to less than 1, got {value!r}")
    return float(value)


def check_class_weights(weights: Sequence[float] | None) -> list[float] | None:
    """The weights as a list of numbers of at least 0, or a `ValueError`."""
    if weights is None:
        return None
    found = list(weights)
    if not found or not all(isinstance(w, (int, float)) and not isinstance(w, bool) and 0 <= w < 1e9 for w in found):
        raise ValueError(f"class_weights must be a number of at least 0 for each class, got {weights!r}")
    return [float(w) for w in found]


def balanced(labels: Any, classes: int) -> list[float]:
    """Class weights by which all classes weigh alike: ``w[c] = N / (C n[c])``, for n[c] of N labels; 0 for a class that is not there.

    Args:
        labels: Class numbers `[N]`; those below 0 are no labels.
        classes: C.

    Example:
        >>> balanced([0, 0, 0, 1], 2)  # [0.667, 2.0]
    """
    numbers = np.asarray(labels).reshape(-1)
    counts = np.bincount(numbers[numbers >= 0].astype(int), minlength=classes)
    return [float(counts.sum() / (classes * count)) if count else 0.0 for count in counts]


def _hits(y_true: Tensor, y_pred: Tensor) -> Tensor:
    if _are_shares(y_true, y_pred):
        y_true = ops.argmax(y_true, axis=-1)
    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


def _are_shares(y_true: Tensor, y_pred: Tensor) -> bool:
    """Whether labels are `[B, C]`, and not class numbers `[B]` or `[B, 1]`."""
    return len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == y_pred.shape[-1]
