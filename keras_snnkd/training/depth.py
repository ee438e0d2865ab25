"""Depth maps: the scale-invariant loss, and the three figures that such maps are judged by.

Networks give the logarithm of the depth, ``z``; labels are depths ``y > 0`` in any unit, and 0 where the depth is not known.
"""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.training.task import Task

NEAR = 1.25
"""The ratio of two depths below which they count as the same."""


@public
class ScaleInvariantLogLoss(keras.losses.Loss):
    """How far the logarithms of depths are from the labels', with an error of scale counted in part.

    With ``d = z - log y`` at the n places of a map whose depth is known::

        loss[b] = 1/n sum of d^2 - share (1/n sum of d)^2

    Args:
        share: Of the common scale that does not count, 0 to 1; 0.5 in the paper.
        **kwargs: Of `keras.losses.Loss`.

    Raises:
        ValueError: For a share out of its range.

    Example:
        >>> distiller.compile("adam", ScaleInvariantLogLoss(), metrics=[absolute_relative_error])

    Source: Eigen, Puhrsch and Fergus (NeurIPS 2014), arXiv:1406.2283, eq. 4.
    """

    def __init__(self, share: float = 0.5, name: str = "scale_invariant_log_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"ScaleInvariantLogLoss: share must be a number from 0 to 1, got {share!r}")
        self.share = float(share)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each map, `[B]`, of depths and logarithms `[B, H, W, 1]`."""
        depth, known, count = _known(y_true, y_pred)
        difference = (y_pred - ops.log(depth)) * known
        mean = _sum(difference) / count
        return _sum(ops.square(difference)) / count - self.share * ops.square(mean)

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {**super().get_config(), "share": self.share}


def absolute_relative_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """AbsRel of each map, `[B]`: the mean of ``|exp z - y| / y``; smaller is better."""
    depth, known, count = _known(y_true, y_pred)
    return _sum(known * ops.abs(ops.exp(y_pred) - depth) / depth) / count


def depth_rmse(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """RMSE of each map, `[B]`: the root of the mean of ``(exp z - y)^2``, in the labels' unit; smaller is better."""
    depth, known, count = _known(y_true, y_pred)
    return ops.sqrt(_sum(known * ops.square(ops.exp(y_pred) - depth)) / count)


def delta(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """The share of places of each map, `[B]`, where ``max(exp z / y, y / exp z) < 1.25``; larger is better."""
    depth, known, count = _known(y_true, y_pred)
    ratio = ops.abs(y_pred - ops.log(depth))
    return _sum(known * ops.cast(ratio < ops.log(NEAR), known.dtype)) / count


def _known(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Depths, 1 where they are not known; 1 where they are, else 0; and how many are, at least 1."""
    y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
    known = ops.cast(y_true > 0, y_pred.dtype)
    return ops.where(y_true > 0, y_true, ops.ones_like(y_true)), known, ops.maximum(_sum(known), 1)


def _sum(x: Tensor) -> Tensor:
    return ops.sum(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)


DEPTH = Task(ScaleInvariantLogLoss(), [absolute_relative_error, depth_rmse, delta], "absolute_relative_error", "min", name="depth_maps")
"""The task of depth maps: `kd.Stage(..., task=DEPTH)`."""
