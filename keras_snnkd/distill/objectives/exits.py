"""Objectives on early exits: classifiers on hidden layers, which learn from and with the network's output."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Shapes, Tensor
from keras_snnkd.distill.objective import as_shapes, check_positive, has_time, mean_over_time
from keras_snnkd.distill.objectives.logits import TemperedObjective
from keras_snnkd.distill.objectives.probabilities import cross_entropy
from keras_snnkd.errors import unknown_name
from keras_snnkd.layers.encoders import is_count

TARGETS = ("correct", "final")
DISTANCES = ("kl", "mse")


@public
class Exits(TemperedObjective):
    """Self-distillation through exits: small branches on the firing rates of hidden layers learn with the network, and teach each other.

    Exit i has the logits ``z[i]`` of a branch (below), the last exit E those of the network, averaged over time. With labels y::

        target = mean of the z[i] whose argmax is y                    (target="correct"; no gradient flows through it)
               = z[E]                                                  (target="final"; likewise)
        D[i]   = tau^2 KL(softmax(target / tau) || softmax(z[i] / tau))   (distance="kl")
               = mean over C of (target - z[i])^2                         (distance="mse")
        loss   = label_weight         mean over B of  sum over i < E of  CE(y, z[i])
               + distillation_weight  mean over valid samples of  sum over i <= E of  D[i]

    A sample for which no exit is right has no target and is not valid; a batch without valid samples has no second part (the official
    loss is NaN there, with the gradient of the first part). The label loss of the network itself is the distiller's.

    By default the loss of enhanced self-distillation (Zhao et al., NeurIPS 2025, arXiv:2510.06254), as in its official code: with
    `label_weight` a for the exits, a for the distiller's label loss on CIFAR, 1 on ImageNet (a is 1 and 0.7). There the whole loss is
    divided by T: `per_time_step=True`, and the distiller's `label_weight` divided by T. The code's rate-based backpropagation and its
    deeper branches are not part of this class: gradients flow from the branches into the network through its spikes' surrogates.

    `target="final"` with `label_weight=0`, one exit and `distance="mse"` or `"kl"` is the spatial part of TSSD (Zuo et al., 2024,
    arXiv:2406.07862), the output teaching a weak classifier in the middle: a reconstruction, its distance and weight are not known to
    us. `target="final"` with `"kl"` is how the exits of Joint A-SNN (Guo et al., 2023, arXiv:2305.02099, official code) learn from its
    final one, up to the target's entropy, a constant.

    Args:
        target: `"correct"` or `"final"`.
        distance: `"kl"` or `"mse"`.
        temperature: ``tau`` of `"kl"`, greater than 0.
        label_weight: Factor of the branches' cross-entropy, at least 0.
        distillation_weight: Factor of the distances, at least 0; 0.3 in the official code, 0.1 there for event data.
        width: Features of a branch: a 3x3 convolution (stride 2, ReLU) and the mean of its map, or on a layer without maps a fully
            connected layer (ReLU); then a classifier. Branches train with the student and are not part of it.
        per_time_step: Whether the loss is divided by T.
        student_tap, weight, name: See `Objective`. By default the last neurons and the logits; name earlier layers to reach them.

    Reads:
        One or more hidden layers, `[B, T, H, W, D]`, `[B, H, W, D]`, `[B, T, N]` or `[B, N]`, and, named last, the student's logits,
        `[B, C]` or `[B, T, C]`; and the labels, `[B]` or `[B, C]` (not for `"final"` without `label_weight`).

    Raises:
        ShapeError: If no hidden layer is named, the last tap is no logits, `per_time_step` is asked for and no tap has time, or the
            labels are of another shape.
        UnknownNameError: For an unknown target or distance.
        ValueError: Without labels, or for a number out of its range.

    Example:
        >>> kd.Distiller(student, objectives=[kd.objectives.Exits(student_tap=("block1_neuron", "block2_neuron", "logits"))])
    """

    default_tap = ("neurons", "logits")
    uses_teacher = False

    def __init__(
        self,
        target: str = "correct",
        distance: str = "kl",
        temperature: float = 3.0,
        label_weight: float = 1.0,
        distillation_weight: float = 0.3,
        width: int = 64,
        per_time_step: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(temperature, **kwargs)
        for kind, name, known in (("target", target, TARGETS), ("distance", distance, DISTANCES)):
            if name not in known:
                raise unknown_name(kind, name, known)
        if not is_count(width):
            raise ValueError(f"Exits: width must be a whole number above 0, got {width!r}")
        self.target = target
        self.one_label = target == "correct"
        self.distance = distance
        self.label_weight = check_positive(self, "label_weight", label_weight, or_zero=True)
        self.distillation_weight = check_positive(self, "distillation_weight", distillation_weight, or_zero=True)
        self.width = width
        self.per_time_step = bool(per_time_step)
        self.branches: list[tuple[keras.Layer, keras.Layer]] = []

    @property
    def helpers(self) -> list[keras.Layer]:
        return [layer for branch in self.branches for layer in branch]

    def build(self, teacher_shape: Shapes, student_shape: Shapes) -> None:
        shapes = as_shapes(student_shape)
        if not isinstance(shapes[0], tuple) or len(shapes) < 2:
            raise self.misfit(None, student_shape, "name at least one hidden layer and, last, the logits")
        super().build(None, shapes[-1])
        if self.per_time_step and not any(map(has_time, shapes)):
            raise self.misfit(None, student_shape, "per_time_step divides by T, and none of these has time")
        self.built_shapes = (None, shapes)
        self.branches = [self._branch(shape, shapes[-1][-1], index) for index, shape in enumerate(shapes[:-1], start=1)]

    def _branch(self, shape: Shape, classes: int, index: int) -> tuple[keras.Layer, ...]:
        common = {"activation": "relu", "dtype": "float32", "name": f"{self.name}_branch{index}"}
        if len(shape) > 3:
            features = keras.layers.Conv2D(self.width, 3, strides=2, padding="same", **common)
        else:
            features = keras.layers.Dense(self.width, **common)
        features.build((None, *shape[-3:]) if len(shape) > 3 else (None, shape[-1]))
        classifier = keras.layers.Dense(classes, dtype="float32", name=f"{self.name}_exit{index}")
        classifier.build((None, self.width))
        return features, classifier

    def losses(self, teacher_outputs: Tensor, student_outputs: Tensor, y_true: Tensor | None = None) -> Tensor:
        *hidden, logits = map(mean_over_time, student_outputs)
        exits = []
        for rates, (features, classifier) in zip(hidden, self.branches, strict=True):
            x = features(rates)
            exits.append(classifier(ops.mean(x, axis=(1, 2)) if len(x.shape) == 4 else x))
        steps = next(shape[1] for shape in self.built_shapes[1] if has_time(shape)) if self.per_time_step else 1
        return self.of_exits(ops.stack([*exits, logits], axis=1), y_true) / steps

    def of_exits(self, exits: Tensor, y_true: Tensor | None = None) -> Tensor:
        """The loss of each sample, `[B]`, from the logits of all exits, `[B, E, C]`, the network's own last; not divided by T."""
        target, valid = self.target_and_validity(exits, y_true)
        target = target[:, None]
        distances = self.divergence(target, exits) if self.distance == "kl" else ops.mean(ops.square(target - exits), axis=-1)
        share = valid * ops.cast(ops.shape(valid)[0], valid.dtype) / ops.maximum(ops.sum(valid), 1)  # mean over B: over the valid ones
        loss = self.distillation_weight * share * ops.sum(distances, axis=1)
        if self.label_weight:
            labels = self.label_probabilities(y_true, exits)[:, None]
            loss += self.label_weight * ops.sum(cross_entropy(labels, exits[:, :-1]), axis=1)
        return loss

    def target_and_validity(self, exits: Tensor, y_true: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The target `[B, C]` of exits `[B, E, C]`, without gradient, and 1 for each sample that has one, else 0, `[B]`."""
        exits = ops.stop_gradient(exits)
        if self.target == "final":
            return exits[:, -1], ops.ones_like(exits[:, -1, 0])
        right = self.right_steps(y_true, exits)
        target = ops.sum(right * exits, axis=1) / ops.maximum(ops.sum(right, axis=1), 1)
        return target, ops.cast(ops.sum(ops.abs(target), axis=-1) > 1e-6, exits.dtype)  # of zeros, as the official code has it

    def get_config(self) -> Config:
        names = ("target", "distance", "label_weight", "distillation_weight", "width", "per_time_step")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
