"""How a tap is stored: spikes in one bit each, anything else in float16."""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_snnkd._types import Array, Tensor
from keras_snnkd.errors import KDError

BITS = "bits"
HALF = "float16"


class Packing(NamedTuple):
    """Turns a tap's values `[B, ...]` into rows of a file, and rows into values in the input pipeline.

    Spikes: value i of a sample (in C order) is bit `7 - i % 8` of byte `i // 8`, as `np.packbits` has it; the last byte is filled with
    zeros. Anything else: one little-endian float16 a value, rounded to the nearest.

    Args:
        kind: `"bits"` or `"float16"`.
        shape: Of one sample's values.
        dtype: Of the values.

    Example:
        >>> packing = Packing.of(spikes)  # [B, T, N] of 0 and 1
        >>> rows = packing.pack(spikes)  # uint8 [B, T * N / 8]
        >>> packing.unpack(rows)  # [B, T, N]
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, values: np.ndarray) -> "Packing":
        """The packing for values such as these: bits if all are 0 or 1 and one of them is 1."""
        spikes = _binary(values) and np.any(values)
        return cls(BITS if spikes else HALF, values.shape[1:], values.dtype.name)

    @property
    def columns(self) -> int:
        """Elements in a row."""
        values = math.prod(self.shape)
        return math.ceil(values / 8) if self.kind == BITS else values

    @property
    def stored(self) -> np.dtype:
        """The type of a row's elements."""
        return np.dtype("u1" if self.kind == BITS else "<f2")

    @property
    def bytes(self) -> int:
        """In a row."""
        return self.columns * self.stored.itemsize

    def pack(self, values: np.ndarray) -> np.ndarray:
        """`[B, ...]` to `[B, columns]`.

        Raises:
            KDError: If values packed as bits are not all 0 or 1, or others are beyond float16's range.
        """
        flat = values.reshape(len(values), -1)
        if self.kind == BITS:
            if not _binary(flat):
                raise KDError("values that were 0 and 1 in the first batch are something else in a later one")
            return np.packbits(flat != 0, axis=1)
        with np.errstate(over="ignore"):
            halves = flat.astype(self.stored)
        if not np.all(np.isfinite(halves)):
            raise KDError(f"values are NaN or beyond the range of float16, {np.finfo(np.float16).max:g}")
        return halves

    def unpack(self, rows: Tensor) -> Any:
        """`[B, columns]` to `[B, ...]`, as operations of a TensorFlow graph."""
        import tensorflow as tf

        if self.kind == HALF:
            values = tf.cast(rows, self.dtype)
        else:
            eight_bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)  # looked up: half the time of shifts and masks
            values = tf.gather(tf.cast(eight_bits, self.dtype), tf.cast(rows, tf.int32))
            values = tf.reshape(values, [-1, 8 * self.columns])[:, : math.prod(self.shape)]
        return tf.reshape(values, [-1, *self.shape])


def _binary(values: Array) -> bool:
    return bool(np.all((values == 0) | (values == 1)))
