"""Synapses on devices that are not perfect: noise, drift, stuck and few levels of conductance."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Config, Shape, Tensor
from keras_snnkd.layers.encoders import is_number
from keras_snnkd.layers.pruned import Reparametrized


@dataclasses.dataclass(frozen=True)
class Device:
    """How far the weights on a device are from those that were written.

    A weight ``w`` of a layer whose largest is ``m = max |w|`` becomes, one after the other::

        levels:  w <- s (round(w / s - h) + h),  s = 2 m / (levels - 1),  h = 1/2 for an even number of levels, else 0
        drift:   w <- w age^-nu,       nu = max(0, drift + drift_spread xi)
        noise:   w <- w + noise m xi
        stuck:   with probability p:  w <- 0, or sign(w) m, one as often as the other

    with ``xi`` drawn from a standard normal distribution for each weight.

    Args:
        noise: Standard deviation in parts of the largest weight, at least 0.
        drift: Mean exponent of the decay, at least 0; about 0.05 in phase-change memory.
        drift_spread: Its standard deviation, at least 0.
        age: How often longer ago the weights were written than when they were first read, at least 1; above 1 for a drift.
        stuck: Share of weights that cannot be written, from 0 to less than 1.
        levels: Number of different weights, equally far apart from ``-m`` to ``m``, at least 2; `None` for any. No weight is 0 where it is
            even.

    Raises:
        ValueError: For values that cannot be, a drift without an age or an age without a drift, or a device without any fault.

    Example:
        >>> kd.compress.Device(noise=0.05, stuck=0.01, levels=16)

    Source: the kinds of fault are those of memristive and spin-based devices (Li et al., 2023); the equations are ours.
    """

    noise: float = 0.0
    drift: float = 0.0
    drift_spread: float = 0.0
    age: float = 1.0
    stuck: float = 0.0
    levels: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("noise", 0, None), ("drift", 0, None), ("drift_spread", 0, None), ("age", 1, None), ("stuck", 0, 1)):
            value = getattr(self, name)
            if not is_number(value) or value < low or (high is not None and value >= high):
                below = f" and below {high}" if high else ""
                raise ValueError(f"{name} of a device must be a number of at least {low}{below}, got {value!r}")
        if self.levels is not None and (isinstance(self.levels, bool) or not isinstance(self.levels, int) or self.levels < 2):
            raise ValueError(f"levels of a device must be a whole number of at least 2, or None for any, got {self.levels!r}")
        if (self.drift > 0 or self.drift_spread > 0) != (self.age > 1):
            raise ValueError(
                "weights drift with their age: give drift or drift_spread above 0 and an age above 1, or none of them, got "
                f"drift={self.drift!r}, drift_spread={self.drift_spread!r} and age={self.age!r}"
            )
        if self.perfect:
            raise ValueError("a device without noise, stuck weights, levels or drift is perfect; give one of them")

    @property
    def perfect(self) -> bool:
        """Whether weights stay what they are."""
        return not (self.noise or self.stuck or self.levels or self.age > 1)


def imperfect(kernel: Tensor, device: Device, seed: Any) -> Tensor:
    """A kernel as it is on a device; see `Device`. The gradient passes rounding and stuck weights unchanged.

    Args:
        kernel: `[..., C]`.
        device: The device.
        seed: A whole number, or a `keras.random.SeedGenerator`.
    """
    if isinstance(seed, int):
        seed = keras.random.SeedGenerator(seed)
    shape, dtype = ops.shape(kernel), kernel.dtype
    largest = ops.stop_gradient(ops.max(ops.abs(kernel)))
    found = ops.stop_gradient(kernel)
    if device.levels:
        step = ops.maximum(2 * largest / (device.levels - 1), 1e-30)
        highest = (device.levels - 1) / 2
        between = highest % 1
        found = ops.clip(ops.round(found / step - between) + between, -highest, highest) * step
    if device.age > 1:
        exponent = ops.relu(device.drift + device.drift_spread * keras.random.normal(shape, dtype=dtype, seed=seed))
        found = found * ops.power(ops.cast(device.age, dtype), -exponent)
    if device.noise:
        found = found + device.noise * largest * keras.random.normal(shape, dtype=dtype, seed=seed)
    if device.stuck:
        draw = keras.random.uniform(shape, dtype=dtype, seed=seed)
        off, on = draw < device.stuck / 2, ops.logical_and(draw >= device.stuck / 2, draw < device.stuck)
        found = ops.where(off, 0.0, ops.where(on, ops.sign(found) * largest, found))
    return kernel + ops.stop_gradient(found - kernel)


class Noisy(Reparametrized):
    """What both noisy synapses share: another draw of the device in each step of training, and none outside of it."""

    def __init__(self, *sizes: Any, device: dict[str, Any] | Device, **kwargs: Any) -> None:
        super().__init__(*sizes, **kwargs)
        self.device = device if isinstance(device, Device) else Device(**device)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.seed_generator = keras.random.SeedGenerator()
        self._drawn: Tensor = None

    def reparametrized(self, kernel: Tensor) -> Tensor:
        return kernel if self._drawn is None else self._drawn

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if training:
            self._drawn = imperfect(ops.convert_to_tensor(super().kernel), self.device, self.seed_generator)
        try:
            return super().call(inputs)
        finally:
            self._drawn = None

    def get_config(self) -> Config:
        return {**super().get_config(), "device": dataclasses.asdict(self.device)}


@public
class NoisyConv2D(Noisy, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` that trains with the weights that a device would have, drawn anew in each step.

    The gradient is that of the weights as they were written. Outside of training it is an ordinary convolution.

    Args:
        filters, kernel_size: Of `keras.layers.Conv2D`.
        device: A `Device`, or its arguments.
        **kwargs: Of `keras.layers.Conv2D`.

    Call arguments:
        inputs: `[B, H, W, C]`.
        training: Whether weights are drawn.

    Returns:
        `[B, H', W', filters]`.

    Example:
        >>> NoisyConv2D(8, 3, device={"noise": 0.1})(keras.ops.ones((2, 8, 8, 1)), training=True).shape  # (2, 6, 6, 8)
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], device: dict[str, Any] | Device, **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, device=device, **kwargs)


@public
class NoisyDense(Noisy, keras.layers.Dense):
    """A `keras.layers.Dense` that trains with the weights that a device would have. As `NoisyConv2D`.

    Args:
        units: Of `keras.layers.Dense`.
        device: A `Device`, or its arguments.
        **kwargs: Of `keras.layers.Dense`.

    Call arguments:
        inputs: `[B, F]`.
        training: Whether weights are drawn.

    Returns:
        `[B, units]`.

    Example:
        >>> NoisyDense(10, device={"noise": 0.1})(keras.ops.ones((2, 64)), training=True).shape  # (2, 10)
    """

    def __init__(self, units: int, device: dict[str, Any] | Device, **kwargs: Any) -> None:
        super().__init__(units, device=device, **kwargs)
