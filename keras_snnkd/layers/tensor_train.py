"""A convolution as a train of small ones."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.errors import ShapeError, unknown_name
from keras_snnkd.layers.encoders import is_count

MODES = ("sequential", "parallel", "half")


@public
class TensorTrainConv2D(keras.layers.Layer):
    """A convolution in four small factors, from C channels over ranks ``r1, r2, r3`` to `filters`::

        sequential:  y = F4 * (F3 * (F2 * (F1 * x)))              1x1, kx1, 1xk, 1x1
        parallel:    y = F4 * (F2 * a + F3 * a) / 2,  a = F1 * x   1x1, kx1 beside 1xk, 1x1;  r2 = r1
        half:        as parallel in the first `full_steps` steps, y = F4 * F1 * x in those after;  r1 = r2 = r3

    which is a convolution with the kernel that `kernel` gives. Strides act in the middle, as in that convolution; the official code has a
    2x2 max pooling behind the layer in their place.

    Args:
        filters: Channels of the output.
        kernel_size: Height and width, or one number for both.
        rank: One number for ``r1, r2, r3``, or the three.
        mode: `"sequential"`, `"parallel"` or `"half"`.
        strides: Of the convolution.
        padding: `"same"` or `"valid"`.
        use_bias: Whether there is one, added at the end.
        full_steps: With `"half"`, the number of steps with all four factors, at least 1.

    Call arguments:
        inputs: `[B, H, W, C]`; with `"half"` `[B, T, H, W, C]`.

    Returns:
        `[B, (T,) H', W', filters]`.

    Raises:
        ValueError: For ranks that are no whole numbers above 0, or that the mode cannot have.
        UnknownNameError: For an unknown mode.
        ShapeError: For inputs with or without time where the mode wants the other.

    Example:
        >>> TensorTrainConv2D(16, 3, rank=4)(keras.ops.ones((2, 8, 8, 12))).shape  # (2, 8, 8, 16)

    Source: TT-SNN, Lee et al. (DATE 2024, arXiv:2401.08001), official code.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int] = 3,
        rank: int | Sequence[int] = 4,
        mode: str = "sequential",
        strides: int | Sequence[int] = 1,
        padding: str = "same",
        use_bias: bool = False,
        full_steps: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise unknown_name("mode of a tensor train", mode, MODES)
        self.filters, self.padding, self.use_bias, self.mode = filters, padding, bool(use_bias), mode
        self.kernel_size, self.strides = _pair(kernel_size), _pair(strides)
        self.rank = check_rank(rank, mode)
        if not is_count(full_steps):
            raise ValueError(f"full_steps is the number of steps with all four factors, a whole number above 0, got {full_steps!r}")
        self._given = {"kernel_size": kernel_size, "rank": rank, "strides": strides}
        self.full_steps = full_steps

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != (5 if self.mode == "half" else 4):
            wanted = "[B, T, H, W, C], and no OverTime around it" if self.mode == "half" else "[B, H, W, C]; put it into OverTime"
            raise ShapeError(f"{self.name}: a tensor train with mode={self.mode!r} takes {wanted}, got shape {tuple(input_shape)}")
        (height, width), (first, second, third) = self.kernel_size, self.rank
        between = second if self.mode == "sequential" else third
        self.first = self._factor("first", (1, 1, input_shape[-1], first))
        self.second = self._factor("second", (height, 1, first, between))
        self.third = self._factor("third", (1, width, between if self.mode == "sequential" else first, third))
        self.fourth = self._factor("fourth", (1, 1, third, self.filters))
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias") if self.use_bias else None
        self.built = True

    def _factor(self, name: str, shape: Shape) -> keras.Variable:
        return self.add_weight(shape=shape, initializer="he_normal", name=name)

    @property
    def factors(self) -> list[keras.Variable]:
        """The four kernels, first to last."""
        return [self.first, self.second, self.third, self.fourth]

    def middle(self) -> Tensor:
        """The kernel between the two 1x1, `[k, k, r1, r3]`."""
        if self.mode == "sequential":
            return ops.einsum("apq,bqr->abpr", self.second[:, 0], self.third[0])
        height, width = self.kernel_size
        columns = ops.pad(self.second, [[0, 0], [(width - 1) // 2, width // 2], [0, 0], [0, 0]])
        rows = ops.pad(self.third, [[(height - 1) // 2, height // 2], [0, 0], [0, 0], [0, 0]])
        return (columns + rows) / 2

    @property
    def kernel(self) -> Tensor:
        """The kernel of the convolution that the four factors are, `[k, k, C, filters]`; with `"half"`, of its first steps."""
        return ops.einsum("ip,abpq,qo->abio", self.first[0, 0], self.middle(), self.fourth[0, 0])

    def call(self, inputs: Tensor) -> Tensor:
        outputs = self._half(inputs) if self.mode == "half" else self._full(inputs)
        return outputs if self.bias is None else outputs + self.bias

    def _full(self, x: Tensor) -> Tensor:
        x = ops.conv(x, ops.convert_to_tensor(self.first))
        if self.mode == "sequential":
            height, width = self.strides
            x = ops.conv(x, ops.convert_to_tensor(self.second), (height, 1), self.padding)
            x = ops.conv(x, ops.convert_to_tensor(self.third), (1, width), self.padding)
        else:
            x = ops.conv(x, self.middle(), self.strides, self.padding)
        return ops.conv(x, ops.convert_to_tensor(self.fourth))

    def _half(self, x: Tensor) -> Tensor:
        full = _folded(self._full, x[:, : self.full_steps])
        if x.shape[1] <= self.full_steps:
            return full
        return ops.concatenate([full, _folded(self._short, x[:, self.full_steps :])], axis=1)

    def _short(self, x: Tensor) -> Tensor:
        """The two 1x1 alone, at the places where the convolution looks."""
        if self.strides != (1, 1) or self.padding != "same":
            x = ops.conv(x, ops.cast(self._centre(), x.dtype), self.strides, self.padding)
        return ops.conv(ops.conv(x, ops.convert_to_tensor(self.first)), ops.convert_to_tensor(self.fourth))

    def _centre(self) -> Tensor:
        """A kernel that picks out what is in its middle."""
        height, width = self.kernel_size
        around = [[(height - 1) // 2, height // 2], [(width - 1) // 2, width // 2], [0, 0], [0, 0]]
        return ops.pad(ops.eye(self.first.shape[2])[None, None], around)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = [_size(n, k, s, self.padding) for n, k, s in zip(input_shape[-3:-1], self.kernel_size, self.strides, strict=True)]
        return (*input_shape[:-3], *sizes, self.filters)

    def get_config(self) -> Config:
        own = ("filters", "mode", "padding", "use_bias", "full_steps")
        return {**super().get_config(), **self._given, **{name: getattr(self, name) for name in own}}


def check_rank(rank: Any, mode: str = "sequential") -> tuple[int, int, int]:
    """The three ranks of one or three numbers, or a `ValueError`."""
    ranks = (rank,) * 3 if is_count(rank) else tuple(rank) if isinstance(rank, (list, tuple)) else ()
    if len(ranks) != 3 or not all(map(is_count, ranks)):
        raise ValueError(f"rank must be a whole number above 0, or three of them, got {rank!r}")
    if mode != "sequential" and ranks[0] != ranks[1]:
        raise ValueError(f"rank: with mode={mode!r} the first two ranks are one, got {rank!r}")
    if mode == "half" and ranks[0] != ranks[2]:
        raise ValueError(f"rank: with mode='half' all ranks are one, since two factors are left out in some steps, got {rank!r}")
    return ranks


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else value
    return int(height), int(width)


def _folded(function: Any, x: Tensor) -> Tensor:
    """A function of `[B, H, W, C]` on all steps of `[B, T, H, W, C]`."""
    outputs = function(ops.reshape(x, (-1, *x.shape[2:])))
    return ops.reshape(outputs, (-1, x.shape[1], *outputs.shape[1:]))


def _size(size: int | None, kernel: int, stride: int, padding: str) -> int | None:
    if size is None:
        return None
    return -(-size // stride) if padding == "same" else (size - kernel) // stride + 1
