"""Steps put together, so that a network takes fewer of them than its input has."""

from typing import Any

import numpy as np
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Shape, Tensor
from keras_snnkd.errors import ShapeError
from keras_snnkd.layers.encoders import Encoder


@public
class Frames(Encoder):
    """The steps of an input in T bins, the mean of each: ``y[b, t] = mean of x[b, i] over the i with floor(i T / N) = t``, for N steps.

    Two networks that put the same input into different numbers of frames can teach one another on the same batches, and
    `keras_snnkd.models.with_timesteps` runs one network for another T. Of a padded series the real steps of a bin count; a bin without
    any is padding.

    Args:
        timesteps: Number of frames T, at most as many as the input has steps.

    Call arguments:
        inputs: `[B, N, ...]`.

    Returns:
        `[B, T, ...]`.

    Raises:
        ShapeError: If the input has fewer steps, or an open number of them.

    Example:
        >>> Frames(timesteps=2)(keras.ops.arange(4.0)[None, :, None])[0, :, 0]  # [0.5, 2.5]
    """

    def __init__(self, timesteps: int, **kwargs: Any) -> None:
        super().__init__(timesteps, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        steps = input_shape[1]
        if steps is None or steps < self.timesteps:
            raise ShapeError(
                f"{self.name}: {steps} steps cannot be put into {self.timesteps} frames; take at most as many frames (timesteps, -T) as "
                "the data has steps"
            )
        bins = np.arange(steps) * self.timesteps // steps
        self._members = (bins[None] == np.arange(self.timesteps)[:, None]).astype("float32")  # [T, N]
        super().build(input_shape)

    @property
    def changes_nothing(self) -> bool:
        """Whether each step is a frame."""
        return self._members.shape[0] == self._members.shape[1]

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.changes_nothing:
            return inputs
        flat = ops.reshape(inputs, (-1, inputs.shape[1], int(np.prod(inputs.shape[2:]))))
        real = ops.ones_like(flat[..., 0]) if mask is None else ops.cast(mask, flat.dtype)
        members = ops.cast(self._members, flat.dtype)
        sums = ops.matmul(members, flat * real[..., None])
        counts = ops.matmul(real, ops.transpose(members))[..., None]
        return ops.reshape(sums / ops.maximum(counts, 1), (-1, self.timesteps, *inputs.shape[2:]))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        if previous_mask is None or self.changes_nothing:
            return previous_mask
        return ops.matmul(ops.cast(previous_mask, "float32"), ops.transpose(self._members)) > 0

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.timesteps, *input_shape[2:])
