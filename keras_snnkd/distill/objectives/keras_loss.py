"""Keras' own distillation losses as objectives."""

from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Tensor
from keras_snnkd.distill.objective import Objective, has_time, snake_case
from keras_snnkd.distill.taps import OUTPUT


@public
class KerasLoss(Objective):
    """A `keras.distillation` loss as an objective, on the layers it names or on the models' outputs.

    Sample weights do not reach it, since it returns one number for the batch. Give `keras.distillation.LogitsDistillation` a loss
    instance, `loss=keras.losses.KLDivergence()`: by its name, Keras 3.15 takes the divergence of unnormalized logits.

    Args:
        loss: The Keras loss.
        weight, name: See `Objective`.

    Example:
        >>> loss = keras.distillation.LogitsDistillation(temperature=4.0, loss=keras.losses.KLDivergence())
        >>> distiller = kd.Distiller(student, teacher, objectives=[loss])
    """

    divided_by_replicas = True

    def __init__(self, loss: keras.distillation.DistillationLoss, weight: float = 1.0, name: str | None = None) -> None:
        loss = keras.saving.deserialize_keras_object(loss) if isinstance(loss, dict) else loss
        teacher_tap = getattr(loss, "teacher_layer_name", None) or OUTPUT
        student_tap = getattr(loss, "student_layer_name", None) or OUTPUT
        super().__init__(teacher_tap, student_tap, weight=weight, name=name or snake_case(type(loss).__name__))
        self.loss = loss

    @property
    def reads_steps(self) -> bool:
        return bool(self.built_shapes) and has_time(self.built_shapes[1])

    def compute_loss(self, teacher_outputs: Tensor, student_outputs: Tensor, *unused: Any, **more: Any) -> Tensor:
        """Keras' loss takes the two outputs alone: neither labels nor sample weights, and padded steps count."""
        return self.loss.compute_loss(ops.stop_gradient(teacher_outputs), student_outputs)

    def get_config(self) -> Config:
        return {"loss": keras.saving.serialize_keras_object(self.loss), "weight": self.weight, "name": self.name}
