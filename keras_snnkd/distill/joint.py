"""Two modes of one network that train together, as an ANN and as a spiking network."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import check_positive
from keras_snnkd.distill.objectives.probabilities import cross_entropy, probabilities

Exits = Sequence[Tensor]
"""Of each exit `[B, (T,) N]`, the network's output last."""


def joint_loss(
    labels: Tensor, ann_logits: Exits, student_logits: Exits, ann_features: Exits, student_features: Exits,
    share: float = 0.1, feature_weight: float = 1e-6, temperature: float = 3.0,
) -> Tensor:  # fmt: skip
    """The loss of Joint A-SNN, for all exits of both modes, those of the spiking one summed over time.

    With ``z[i]``, ``F[i]`` logits and features of exit i, E the last one, a and s the two modes, and ``H(t, z)`` the cross-entropy of
    ``softmax(z / tau)`` with ``softmax(t / tau)``, through which no gradient flows::

        loss = (1 - share) sum over modes and exits of  CE(y, z[i])
             + share tau^2 (sum over i < E of  H(z_a[E], z_a[i])  +  sum over i of  H(z_a[i], z_s[i]))
             + feature_weight sum over i, samples, channels of  (F_s - F_a)^2  where F_s > 0 or F_a > 0

    The exits of the ANN learn from its output, and each exit of the spiking mode from the same one of the ANN.

    Args:
        labels: Class numbers `[B]`.
        ann_logits, student_logits: `[B, C]`, and `[B, T, C]` or `[B, C]`.
        ann_features, student_features: `[B, D]`, and `[B, T, D]` or `[B, D]`.
        share: Of what is learned from one another, 0 to 1; 0.1 in the authors' code.
        feature_weight: 1e-6 there.
        temperature: ``tau``, 3 there.

    Returns:
        A scalar: the mean over the batch, of features the sum.

    Source: Guo et al., Pattern Recognition 142, 2023, arXiv:2305.02099, official code.
    """
    student_logits, student_features = ([_summed(x) for x in exits] for exits in (student_logits, student_features))
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    by_label = sum(
        ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))
        for logits in (*ann_logits, *student_logits)
    )

    def learned(target: Tensor, logits: Tensor) -> Tensor:
        shares = probabilities(ops.stop_gradient(target) / temperature)
        return temperature**2 * ops.mean(cross_entropy(shares, logits / temperature))

    from_output = sum(learned(ann_logits[-1], logits) for logits in ann_logits[:-1])
    from_ann = sum(learned(target, logits) for target, logits in zip(ann_logits, student_logits, strict=True))
    features = sum(_apart(ops.stop_gradient(a), s) for a, s in zip(ann_features, student_features, strict=True))
    return (1 - share) * by_label + share * (from_output + from_ann) + feature_weight * features


@public
class Joint(keras.Model):
    """Trains two networks that share weights, an ANN and a spiking one, by `joint_loss`.

    Neither is a teacher that was there before: the spiking mode learns from what the ANN says in the same step. Accuracy, validation and
    `predict` are the spiking mode's; `ann_accuracy` is the other's in training.

    Args:
        ann: A network with outputs as those of `keras_snnkd.models.JointNet`.
        student: The spiking one.
        share, feature_weight, temperature: See `joint_loss`.

    Raises:
        ValueError: For networks of other exits, and numbers out of range.

    Example:
        >>> joint = kd.Joint(*kd.models.JointNet((28, 28, 1), 10))
        >>> joint.compile("adam")
        >>> joint.fit(data.train, validation_data=data.validation, epochs=20)
        >>> kd.models.without_exits(joint.student).save("student.keras")
    """

    def __init__(
        self,
        ann: keras.Model,
        student: keras.Model,
        share: float = 0.1,
        feature_weight: float = 1e-6,
        temperature: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(ann.output, dict) or not isinstance(student.output, dict) or set(ann.output) != set(student.output):
            raise ValueError("Joint takes two networks with the same exits, as keras_snnkd.models.JointNet makes them")
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise ValueError(f"Joint: share must be a number from 0 to 1, got {share!r}")
        self.ann, self.student = ann, student
        self.share = float(share)
        self.feature_weight = check_positive(self, "feature_weight", feature_weight, or_zero=True)
        self.temperature = check_positive(self, "temperature", temperature)
        self._exits = sorted((name for name in ann.output if name.startswith("exit") and not name.endswith("_features")), key=_number)
        self._accuracies = [keras.metrics.SparseCategoricalAccuracy(name=name) for name in ("accuracy", "ann_accuracy")]
        self.built = True

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Keras' `compile`; the loss is the model's own."""
        super().compile(optimizer=optimizer, loss=None, **{"jit_compile": False, **kwargs})

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """The spiking mode's logits; in training all outputs of both."""
        student = self.student(inputs, training=training)
        return (self.ann(inputs, training=True), student) if training else student["logits"]

    def compute_loss(
        self, x: Tensor = None, y: Tensor = None, y_pred: Tensor = None, sample_weight: Tensor = None, training: bool = True
    ) -> Tensor:
        """`joint_loss` in training, and else the cross-entropy of the spiking mode's logits."""
        if not isinstance(y_pred, tuple):
            return ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True))
        of_ann, of_student = y_pred
        return joint_loss(
            y,
            self._of_exits(of_ann),
            self._of_exits(of_student),
            self._of_exits(of_ann, "_features"),
            self._of_exits(of_student, "_features"),
            self.share,
            self.feature_weight,
            self.temperature,
        )

    def _of_exits(self, outputs: dict[str, Tensor], ending: str = "") -> list[Tensor]:
        """One mode's logits at every exit, or with the ending `_features` its features there."""
        return [outputs[f"{name}{ending}"] for name in self._exits]

    def compute_metrics(self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> dict[str, Any]:
        """Loss and accuracies."""
        of_student, of_ann = self._accuracies
        trained = isinstance(y_pred, tuple)
        of_student.update_state(y, y_pred[1]["logits"] if trained else y_pred)
        if trained:
            of_ann.update_state(y, y_pred[0]["logits"])
        logs = self.get_metrics_result()
        return logs if trained else {name: value for name, value in logs.items() if name != of_ann.name}

    def get_config(self) -> Config:
        """The networks and the numbers."""
        serialize = keras.saving.serialize_keras_object
        numbers = {"share": self.share, "feature_weight": self.feature_weight, "temperature": self.temperature}
        return {"name": self.name, "ann": serialize(self.ann), "student": serialize(self.student), **numbers}


def _summed(x: Tensor) -> Tensor:
    """`[B, T, N]` summed over time; `[B, N]` as it is."""
    return ops.sum(x, axis=1) if len(x.shape) == 3 else x


def _apart(ann: Tensor, student: Tensor) -> Tensor:
    active = ops.cast(ops.logical_or(student > 0, ann > 0), student.dtype)
    return ops.sum(active * ops.square(student - ann))


def _number(name: str) -> int:
    return int(name.removeprefix("exit"))
