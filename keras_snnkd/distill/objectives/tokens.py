"""Objectives on networks for text: hidden states, attention scores and embeddings, layer by layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Shapes, Tensor
from keras_snnkd.distill.objective import Objective, mean_of_sample
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers.encoders import is_count
from keras_snnkd.training import strategy

MATCHES = ("first", "last")

MASKED = -100.0
"""Attention scores up to here are those of tokens that are masked, and count as 0."""


class TokenLayers(Objective):
    """Base of the objectives that compare the layers of two networks for text one by one, whose losses add up.

    A tap is a stack of layers `[B, K, ...]`, such as `"hidden_states"`, or a list of layers. Of stacks of K and K' layers, student layer i
    is compared with one of the teacher's layers ``i k ... i k + k - 1``, where k is ``K // K'``; of lists, layers in order.

    Args:
        match: Of its k layers the `"first"` or the `"last"`.
        divide_by_batch: Whether the mean over the batch is divided by the size of the batch once more.
        teacher_tap, student_tap, weight, name: See `Objective`.

    Raises:
        UnknownNameError: For an unknown match.
        ShapeError: If the teacher has fewer layers than the student, lists are not equally long, or sequences are.
    """

    rank: int
    """Of one layer without time."""

    def __init__(self, match: str, divide_by_batch: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if match not in MATCHES:
            raise unknown_name("match", match, MATCHES)
        self.match, self.divide_by_batch = match, bool(divide_by_batch)
        self.pairs: list[tuple[int, int]] = []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = (self._shapes(shape) for shape in self.built_shapes)
        self.pairs = self.paired(len(teacher), len(student)) if student and len(teacher) >= len(student) else []
        if self._listed(student_shape) or self._listed(teacher_shape):
            self.pairs = [(index, index) for index in range(len(student))] if len(teacher) == len(student) else []
        if not self.pairs:
            raise self.misfit(
                teacher_shape, student_shape, "the teacher needs as many layers as the student or more, and lists equally many"
            )
        for s, t in self.pairs:
            self.check_pair(teacher[t], student[s])

    def paired(self, teacher: int, student: int) -> list[tuple[int, int]]:
        """Which layer of the student, and of the teacher, for so many layers."""
        every = teacher // student
        return [(index, index * every + self.offset(every)) for index in range(student)]

    def offset(self, every: int) -> int:
        """Of the layer that is taken of so many."""
        return 0 if self.match == "first" else every - 1

    def check_pair(self, teacher: Shape, student: Shape) -> None:
        """Raise a `ShapeError` for two layers that cannot be compared."""
        if len(teacher) not in (self.rank, self.rank + 1) or len(student) not in (self.rank, self.rank + 1):
            raise self.misfit(teacher, student, f"a layer has {self.rank} axes, or one more for time")

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        teacher, student = self._layers(teacher_outputs), self._layers(student_outputs)
        losses = sum(self.pair_losses(index, self._rates(teacher[t]), self._rates(student[s])) for index, (s, t) in enumerate(self.pairs))
        if not self.divide_by_batch:
            return losses
        return losses / ops.cast(ops.shape(student[0])[0] * strategy.replicas(), "float32")

    def pair_losses(self, index: int, teacher: Tensor, student: Tensor) -> Tensor:
        """The loss of each sample for one pair, `[B]`; what has time is averaged over it."""
        return mean_of_sample(ops.square(student - teacher))

    def get_config(self) -> Config:
        return {**super().get_config(), "match": self.match, "divide_by_batch": self.divide_by_batch}

    def _rates(self, layer: Tensor) -> Tensor:
        return ops.mean(layer, axis=1) if len(layer.shape) == self.rank + 1 else layer

    def _shapes(self, shape: Any) -> list[Shape]:
        """The shape of each layer of a stack or list."""
        return list(shape) if self._listed(shape) else [(shape[0], *shape[2:])] * shape[1]

    @staticmethod
    def _listed(shape: Any) -> bool:
        return isinstance(shape[0], (tuple, list))

    @staticmethod
    def _layers(outputs: Tensor) -> Sequence[Tensor]:
        return outputs if isinstance(outputs, (list, tuple)) else [outputs[:, index] for index in range(outputs.shape[1])]


@public
class HiddenStates(TokenLayers):
    """Match what the layers of the teacher make of every token.

    With ``H[i]`` the states of layer i, those of a spiking network averaged over time, and `project` a trained map where widths differ::

        loss = mean over B of  sum over pairs (i, j) of  mean over L, D of (project_i(H_student[i]) - H_teacher[j])^2

    SpikeBERT (Lv et al., 2023, arXiv:2308.15122, official code) is `match="first", divide_by_batch=True`: student layer i learns from
    teacher layer ``1 + i k`` (counted from the embedding), and the mean is divided by B once more. SpikingBERT (Bal and Sengupta, AAAI
    2024, arXiv:2308.10873, official code) is `match="last", embedding=True`. There the teacher is BERT, of 12 layers.

    Args:
        match: `"first"` or `"last"`: which of the teacher's k layers.
        embedding: Whether the states before the first layer, the first of a stack, are compared too.
        skip: How many of the student's first layers are left out.
        divide_by_batch: As SpikeBERT's code does.
        teacher_tap, student_tap, weight, name: See `Objective`; stacks `"hidden_states"` by default.

    Reads:
        Stacks `[B, 1 + K, (T,) L, D]`, or lists of layers `[B, (T,) L, D]`.

    Raises:
        ShapeError: If the layers cannot be paired, or sequences are of other lengths.
        UnknownNameError: For an unknown match.

    Example:
        >>> kd.objectives.HiddenStates(match="first", divide_by_batch=True, weight=0.1)
    """

    default_tap = "hidden_states"
    rank = 3

    def __init__(self, match: str = "first", embedding: bool = False, skip: int = 0, divide_by_batch: bool = False, **kwargs: Any) -> None:
        super().__init__(match=match, divide_by_batch=divide_by_batch, **kwargs)
        if skip != 0 and not is_count(skip):
            raise ValueError(f"HiddenStates: skip must be a whole number of at least 0, got {skip!r}")
        self.embedding, self.skip = bool(embedding), skip
        self.projections: dict[int, keras.layers.Dense] = {}

    @property
    def helpers(self) -> list[keras.Layer]:
        return list(self.projections.values())

    def paired(self, teacher: int, student: int) -> list[tuple[int, int]]:
        before = [(0, 0)] if self.embedding else []
        if student == 1:
            return before
        layers = [(s + 1, t + 1) for s, t in super().paired(teacher - 1, student - 1)]
        return before + layers[self.skip :]

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = (self._shapes(shape) for shape in self.built_shapes)
        for index, (s, t) in enumerate(self.pairs):
            if teacher[t][-1] != student[s][-1]:
                self.projections[index] = projection(f"{self.name}_projection{index + 1}", student[s][-1], teacher[t][-1])

    def check_pair(self, teacher: Shape, student: Shape) -> None:
        super().check_pair(teacher, student)
        if teacher[-2] != student[-2]:
            raise self.misfit(teacher, student, "both must see sequences of the same length")

    def pair_losses(self, index: int, teacher: Tensor, student: Tensor) -> Tensor:
        project = self.projections.get(index)
        return super().pair_losses(index, teacher, project(student) if project else student)

    def get_config(self) -> Config:
        return {**super().get_config(), "embedding": self.embedding, "skip": self.skip}


@public
class AttentionScores(TokenLayers):
    """Match to which tokens the teacher's layers attend.

    With ``A[i]`` the scores of layer i before any softmax, those of a spiking network averaged over time, and 0 where they are -100 or
    less, as of tokens that are masked::

        loss = mean over B of  sum over pairs (i, j) of  mean over heads, L, L of (A_student[i] - A_teacher[j])^2

    The attention term of SpikingBERT (Bal and Sengupta, AAAI 2024, arXiv:2308.10873, official code), where student layer i learns from
    teacher layer ``i k + k - 1``.

    Args:
        match: `"last"` or `"first"`: which of the teacher's k layers.
        divide_by_batch: See `HiddenStates`.
        teacher_tap, student_tap, weight, name: See `Objective`; stacks `"attention_scores"` by default.

    Reads:
        Stacks `[B, K, (T,) heads, L, L]`, or lists of layers `[B, (T,) heads, L, L]`, with as many heads and tokens.

    Raises:
        ShapeError: If the layers cannot be paired, or heads or lengths differ.
        UnknownNameError: For an unknown match.

    Example:
        >>> kd.objectives.AttentionScores()
    """

    default_tap = "attention_scores"
    rank = 4

    def __init__(self, match: str = "last", divide_by_batch: bool = False, **kwargs: Any) -> None:
        super().__init__(match=match, divide_by_batch=divide_by_batch, **kwargs)

    def check_pair(self, teacher: Shape, student: Shape) -> None:
        super().check_pair(teacher, student)
        if teacher[-3:] != student[-3:]:
            raise self.misfit(teacher, student, "both must have as many heads, and sequences of the same length")

    def pair_losses(self, index: int, teacher: Tensor, student: Tensor) -> Tensor:
        return super().pair_losses(index, _unmasked(teacher), _unmasked(student))


@public
class EmbeddingTable(Objective):
    """Match the teacher's table of token embeddings.

    With the tables ``E`` and `project` a trained map where widths differ::

        loss = mean over V, D of (project(E_student) - E_teacher)^2

    The embedding term of SpikeBERT (Lv et al., 2023, arXiv:2308.15122, official code, weight 0.1). It says nothing of single samples, and
    cannot be kept in a `TeacherCache`.

    Args:
        teacher_tap, student_tap, weight, name: See `Objective`; `"embedding_table"` by default.

    Reads:
        Tables `[1, V, D]` of one vocabulary.

    Raises:
        ShapeError: If the vocabularies are not equally large.

    Example:
        >>> kd.objectives.EmbeddingTable(weight=0.1)
    """

    default_tap = "embedding_table"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection: Any = None  # a `Dense`, where one is needed

    @property
    def helpers(self) -> list[keras.Layer]:
        return [self.projection] if self.projection else []

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        super().build(teacher_shape, student_shape)
        teacher, student = self.built_shapes
        if len(teacher) != 3 or len(student) != 3 or teacher[1] != student[1]:
            raise self.misfit(teacher, student, "both must be tables [1, V, D] of the same vocabulary")
        if teacher[-1] != student[-1]:
            self.projection = projection(f"{self.name}_projection", student[-1], teacher[-1])

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        student = self.projection(student_outputs) if self.projection else student_outputs
        return mean_of_sample(ops.square(student - teacher_outputs))


def projection(name: str, width: int, wanted: int) -> keras.layers.Dense:
    """A trained map without bias from one width to another, built."""
    dense = keras.layers.Dense(wanted, use_bias=False, dtype="float32", name=name)
    dense.build((None, width))
    return dense


def _unmasked(scores: Tensor) -> Tensor:
    return ops.where(scores <= MASKED, 0.0, scores)
