"""Loops over time, unrolled or not."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._types import Tensor


def over_time(body: Callable[..., Any], carry: Any, sequences: Sequence[Any], reverse: bool = False, stack: bool = True) -> tuple[Any, Any]:
    """`body(carry, [x_t, ...]) -> carry, (y_t, ...)` for each step of `[B, T, ...]` sequences, or of lists of T arrays.

    Returns the last carry and the outputs, each `[B, T, ...]`, or as the caller will hand them back to this function if not `stack`.
    """
    if isinstance(sequences[0], list):
        columns = [x if isinstance(x, list) else ops.unstack(x, axis=1) for x in sequences]
        rows = []
        for xs in reversed(list(zip(*columns, strict=True))) if reverse else zip(*columns, strict=True):
            carry, ys = body(carry, xs)
            rows.append(ys)
        outputs = [list(ys) for ys in zip(*(rows[::-1] if reverse else rows), strict=True)]
        return carry, [ops.stack(ys, axis=1) for ys in outputs] if stack else outputs
    time_major = tuple(ops.moveaxis(x, 1, 0) for x in sequences)
    loop = _while_loop if keras.backend.backend() == "tensorflow" else ops.scan
    carry, outputs = loop(body, carry, time_major, reverse=reverse)
    return carry, [ops.moveaxis(y, 0, 1) for y in outputs]


def _while_loop(body: Callable[..., Any], carry: Any, sequences: Sequence[Any], reverse: bool) -> tuple[Any, list[Tensor]]:
    """`ops.scan`, which on TensorFlow takes only outputs of the carry's structure, shapes and dtypes."""
    import tensorflow as tf

    steps = tf.shape(sequences[0])[0]

    def step_at(i: Tensor, carry: Any) -> Any:
        at = steps - 1 - i if reverse else i
        carry, ys = body(carry, [x[at] for x in sequences])
        return at, carry, ys

    def one_more(i: Tensor, carry: Any, rows: Any) -> Any:
        at, carry, ys = step_at(i, carry)
        return i + 1, carry, tuple(row.write(at, y) for row, y in zip(rows, ys, strict=True))

    at, carry, ys = step_at(0, carry)  # the first step tells the shapes and dtypes of the outputs
    rows = tuple(tf.TensorArray(y.dtype, size=steps, element_shape=y.shape).write(at, y) for y in ys)
    _, carry, rows = tf.while_loop(lambda i, *_: i < steps, one_more, (1, carry, rows))
    return carry, [tf.ensure_shape(row.stack(), (sequences[0].shape[0], *y.shape)) for row, y in zip(rows, ys, strict=True)]
