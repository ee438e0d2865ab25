"""The loss and the accuracy of labels that are class numbers, or mixtures of classes."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor


@public
class LabelCrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits (or probabilities) with labels, smoothed if wanted.

    ``loss[b] = -sum over c of q[b, c] log softmax(z[b])[c]``, where ``q = (1 - s) y + s / C`` for smoothing s.

    Args:
        label_smoothing: s, from 0 to less than 1 (Szegedy et al., 2016, arXiv:1512.00567).
        from_logits: Whether the model gives logits; else it gives the probabilities of a softmax.
        **kwargs: Of `keras.losses.Loss`.

    Images without a label, -1 or shares that are all 0, do not count: the mean over the batch is one over the labelled.

    Shapes: labels int `[B]` or shares of the classes `[B, C]`, logits `[B, C]`.

    Raises:
        ValueError: If the smoothing is out of range.

    Example:
        >>> model.compile("adam", LabelCrossEntropy(label_smoothing=0.1), metrics=[label_accuracy()])
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "label_cross_entropy", from_logits: bool = True, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
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
        return losses * known / ops.maximum(ops.mean(known), 1e-7)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "from_logits": self.from_logits}


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


def _hits(y_true: Tensor, y_pred: Tensor) -> Tensor:
    if _are_shares(y_true, y_pred):
        y_true = ops.argmax(y_true, axis=-1)
    return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)


def _are_shares(y_true: Tensor, y_pred: Tensor) -> bool:
    """Whether labels are `[B, C]`, and not class numbers `[B]` or `[B, 1]`."""
    return len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == y_pred.shape[-1]
