"""How currents were made, so that neurons can make them as they go instead of reading them from memory.

A batch norm writes a tensor that only the neurons after it read, and an encoder that repeats an image writes it T times. In a TensorFlow
graph such a layer leaves a note on its output, and the compiled scan then reads what the layer read. Gradients go where they always go:
to the layer's output (or past the repetition, summed over time), so a note changes no result; and TensorFlow never computes a tensor
that nobody reads. Layers that do not know of notes are not affected.
"""

import dataclasses
from typing import Any

import keras

from keras_snnkd._types import Tensor

_NOTE = "_keras_snnkd_currents"


@dataclasses.dataclass(frozen=True)
class Currents:
    """``current[b, t] = scale source[b, t] + shift``, or the same at every step.

    Args:
        target: The tensor that receives the gradient of the currents; if `repeated`, summed over time.
        source: `[B, T, ..., C]`, or `[B, ..., C]` if `repeated`.
        scale_and_shift: Two float32 tensors `[C]`, or nothing.
        repeated: Whether every step has the same current.
    """

    target: Any
    source: Any
    scale_and_shift: tuple[Any, ...] = ()
    repeated: bool = False


def in_tensorflow_graph() -> bool:
    """Whether operations are being put into a TensorFlow graph now, which drops those whose outputs nobody reads."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def note(tensor: Tensor, currents: Currents) -> None:
    """Leave on `tensor` how it was made; no effect outside a TensorFlow graph."""
    if in_tensorflow_graph():
        setattr(tensor, _NOTE, currents)


def currents_of(tensor: Tensor) -> Currents:
    """What was noted on `tensor`; by default, that it is its own source."""
    return getattr(tensor, _NOTE, None) or Currents(tensor, tensor)
