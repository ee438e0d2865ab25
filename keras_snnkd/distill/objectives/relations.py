"""Objectives on how the samples of a batch relate to each other."""

from typing import Any

from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import Objective, mean_over_time
from keras_snnkd.distill.objectives.pairs import flat, unit
from keras_snnkd.errors import unknown_name

RELATIONS = ("cosine", "distance")


@public
class SampleRelations(Objective):
    """Match how alike the teacher finds the samples of a batch, instead of the features themselves.

    With ``f_i`` the features of sample i, averaged over time and flattened, every pair i, j of a batch has a relation R::

        relation="cosine"     R_ij = f_i . f_j / (||f_i|| ||f_j||),                                   d = (R_student - R_teacher)^2
        relation="distance"   R_ij = ||f_i - f_j|| / mean over all pairs of the same,                 d = huber(R_student - R_teacher)
        loss = mean over i of  mean over j other than i of  d_ij

    with ``huber(x) = x^2 / 2`` up to 1, ``|x| - 1/2`` above. A batch of one sample has no pairs, and a loss of 0.

    A reconstruction of the idea of SuperSNN (Liang et al., IJCNN 2024: pairwise relations between samples), whose formula we could not
    read. The first form is after the similarity-preserving distillation of Tung and Mori (ICCV 2019, arXiv:1907.09682), which normalizes
    the rows of the similarity matrix instead of the features; the second is the distance-wise loss of relational knowledge distillation
    (Park et al., CVPR 2019, arXiv:1904.05068).

    Args:
        relation: `"cosine"` or `"distance"`.
        teacher_tap, student_tap, weight, name: See `Objective`. By default the last neurons of both networks.

    Reads:
        Any features of both models, `[B, (T,) N]` or `[B, (T,) H, W, D]`. Their sizes need not agree, and nothing is projected.

    Raises:
        UnknownNameError: For an unknown relation.

    Example:
        >>> kd.objectives.SampleRelations().compute_loss(teacher_maps, student_maps)
    """

    default_tap = "neurons"

    def __init__(self, relation: str = "cosine", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if relation not in RELATIONS:
            raise unknown_name("relation", relation, RELATIONS)
        self.relation = relation

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = (flat(mean_over_time(x)) for x in (teacher_outputs, student_outputs))
        others = 1 - ops.eye(ops.shape(student)[0])
        if self.relation == "cosine":
            differences = ops.square(_cosines(student) - _cosines(teacher))
        else:
            differences = _huber(_distances(student, others) - _distances(teacher, others))
        return _mean(differences, others, axis=1)

    def get_config(self) -> Config:
        return {**super().get_config(), "relation": self.relation}


def _cosines(x: Tensor) -> Tensor:
    """`[B, N] -> [B, B]`."""
    x = unit(x)
    return x @ ops.transpose(x)


def _distances(x: Tensor, others: Tensor) -> Tensor:
    """`[B, N] -> [B, B]`, in units of their mean."""
    squares = ops.sum(ops.square(x), axis=1)
    distances = ops.sqrt(ops.maximum(squares[:, None] + squares - 2 * x @ ops.transpose(x), 1e-12))
    return distances / ops.maximum(_mean(distances, others), 1e-6)


def _huber(x: Tensor) -> Tensor:
    size = ops.abs(x)
    return ops.where(size <= 1, ops.square(x) / 2, size - 0.5)


def _mean(x: Tensor, others: Tensor, axis: int | None = None) -> Tensor:
    """The mean over pairs of different samples; 0 where there are none."""
    return ops.sum(x * others, axis=axis) / ops.maximum(ops.sum(others, axis=axis), 1)
