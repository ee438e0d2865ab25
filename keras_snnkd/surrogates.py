"""Surrogate gradients: a step going forward, a smooth derivative going backward.

A spike is ``s = 1 if u >= 0 else 0`` with ``u = membrane potential - threshold``. The derivative of the step is zero almost everywhere,
so the backward pass uses another one, ``derivative(u)``, that of a smooth function ``primitive(u)`` (Neftci et al., 2019,
arXiv:1901.09948).

Example:
    >>> kd.surrogates.get("atan")
    ATan(alpha=2.0)
    >>> kd.surrogates.ATan(alpha=4.0)(potential - threshold)  # spikes
"""

import math
from typing import Any

import keras
from keras import ops

from keras_snnkd._public import public
from keras_snnkd._types import Tensor
from keras_snnkd.errors import unknown_name


class Surrogate:
    """Base of all surrogates: a step with the derivative of a smooth function.

    A subclass defines `derivative`, and `primitive`, the function it is the derivative of. Both take and return float tensors of any
    shape. All constructor arguments are numbers, and greater than 0.

    Args:
        alpha: Steepness at the threshold.

    Raises:
        ValueError: If an argument is not a number greater than 0.
    """

    default_alpha = 1.0

    def __init__(self, alpha: float | None = None) -> None:
        alpha = self.default_alpha if alpha is None else alpha
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < math.inf:
            raise ValueError(f"{type(self).__name__}: alpha must be a number greater than 0, got {alpha!r}")
        self.alpha = float(alpha)

    def derivative(self, u: Tensor) -> Tensor:
        """The value that stands for the derivative of the step at `u`."""
        raise NotImplementedError(f"{type(self).__name__} must define derivative(u)")

    def primitive(self, u: Tensor) -> Tensor:
        """The smooth function whose derivative is `derivative`."""
        raise NotImplementedError(f"{type(self).__name__} must define primitive(u)")

    def __call__(self, u: Tensor) -> Tensor:
        """Spikes: 1.0 where `u >= 0`, else 0.0, in the dtype of `u`; differentiable by `derivative`."""

        @ops.custom_gradient
        def spike(u: Tensor) -> Any:
            def grad(*args: Any, upstream: Tensor | None = None) -> Any:
                upstream = args[0] if upstream is None else upstream
                return upstream * self.derivative(u)

            return step(u), grad

        return spike(u)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"alpha": self.alpha}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Surrogate":
        """The inverse of `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.get_config().items())))


def step(u: Tensor) -> Tensor:
    """The Heaviside step, ``1.0 if u >= 0 else 0.0``, in the dtype of `u`."""
    return ops.cast(u >= 0, u.dtype)


@public
class ATan(Surrogate):
    """``derivative = (alpha / 2) / (1 + (pi alpha u / 2)^2)``, the derivative of ``arctan(pi alpha u / 2) / pi + 1/2``.

    Fang et al. (2021), "Incorporating Learnable Membrane Time Constant", arXiv:2007.05785.
    """

    default_alpha = 2.0

    def derivative(self, u: Tensor) -> Tensor:
        return (self.alpha / 2) / (1 + ops.square((math.pi / 2 * self.alpha) * u))

    def primitive(self, u: Tensor) -> Tensor:
        return ops.arctan(math.pi / 2 * self.alpha * u) / math.pi + 0.5


@public
class Sigmoid(Surrogate):
    """``derivative = alpha q (1 - q)`` with ``q = sigmoid(alpha u)``, the derivative of ``q``.

    Zenke & Ganguli (2018), arXiv:1705.11146, discuss the family; 4 is SpikingJelly's default.
    """

    default_alpha = 4.0

    def derivative(self, u: Tensor) -> Tensor:
        return self.alpha * ops.sigmoid(self.alpha * u) * ops.sigmoid(-self.alpha * u)  # exact also where q is close to 1

    def primitive(self, u: Tensor) -> Tensor:
        return ops.sigmoid(self.alpha * u)


@public
class FastSigmoid(Surrogate):
    """``derivative = 1 / (1 + alpha |u|)^2``, the derivative of ``u / (1 + alpha |u|)``.

    Zenke & Ganguli (2018), "SuperSpike", arXiv:1705.11146; snnTorch's `fast_sigmoid(slope=alpha)`.
    """

    default_alpha = 25.0

    def derivative(self, u: Tensor) -> Tensor:
        return 1 / ops.square(1 + self.alpha * ops.abs(u))

    def primitive(self, u: Tensor) -> Tensor:
        return u / (1 + self.alpha * ops.abs(u))


@public
class SoftSign(Surrogate):
    """``derivative = (alpha / 2) / (1 + alpha |u|)^2``, the derivative of ``alpha u / (2 (1 + alpha |u|)) + 1/2``.

    `FastSigmoid` scaled so that the primitive runs from 0 to 1; SpikingJelly's `SoftSign`.
    """

    default_alpha = 2.0

    def derivative(self, u: Tensor) -> Tensor:
        return (self.alpha / 2) / ops.square(1 + self.alpha * ops.abs(u))

    def primitive(self, u: Tensor) -> Tensor:
        return self.alpha * u / (2 * (1 + self.alpha * ops.abs(u))) + 0.5


@public
class Triangle(Surrogate):
    """``derivative = max(alpha - alpha^2 |u|, 0)``: a triangle of area 1 and height `alpha`.

    Esser et al. (2016), arXiv:1603.08270; Bellec et al. (2018), arXiv:1803.09574. SpikingJelly's `PiecewiseQuadratic`.
    """

    def derivative(self, u: Tensor) -> Tensor:
        return ops.maximum(self.alpha - self.alpha**2 * ops.abs(u), 0)

    def primitive(self, u: Tensor) -> Tensor:
        a = self.alpha
        inside = -0.5 * a**2 * ops.abs(u) * u + a * u + 0.5
        return ops.where(ops.abs(u) <= 1 / a, inside, step(u))


@public
class Rectangle(Surrogate):
    """``derivative = alpha if |u| < 1 / (2 alpha) else 0``: a box of area 1 and height `alpha`.

    Wu et al. (2018), "Spatio-temporal backpropagation", arXiv:1706.02609.
    """

    def derivative(self, u: Tensor) -> Tensor:
        return ops.cast(ops.abs(u) < 0.5 / self.alpha, u.dtype) * self.alpha

    def primitive(self, u: Tensor) -> Tensor:
        return ops.clip(self.alpha * u + 0.5, 0, 1)


@public
class PiecewiseExponential(Surrogate):
    """``derivative = (alpha / 2) exp(-alpha |u|)``, the derivative of a two-sided exponential.

    Shrestha & Orchard (2018), "SLAYER", arXiv:1810.08646.
    """

    def derivative(self, u: Tensor) -> Tensor:
        return (self.alpha / 2) * ops.exp(-self.alpha * ops.abs(u))

    def primitive(self, u: Tensor) -> Tensor:
        tail = 0.5 * ops.exp(-self.alpha * ops.abs(u))
        return ops.where(u < 0, tail, 1 - tail)


@public
class Erf(Surrogate):
    """``derivative = (alpha / sqrt(pi)) exp(-(alpha u)^2)``, the derivative of ``(1 + erf(alpha u)) / 2``.

    Yin et al. (2020), "Effective and efficient computation with multiple-timescale SRNNs", arXiv:2005.11633.
    """

    default_alpha = 2.0

    def derivative(self, u: Tensor) -> Tensor:
        return (self.alpha / math.sqrt(math.pi)) * ops.exp(-ops.square(self.alpha * u))

    def primitive(self, u: Tensor) -> Tensor:
        return 0.5 * (1 + ops.erf(self.alpha * u))


@public
class StraightThrough(Surrogate):
    """``derivative = alpha`` everywhere (1 by default), the derivative of ``alpha u``.

    Bengio et al. (2013), "Estimating or propagating gradients through stochastic neurons", arXiv:1308.3432.
    """

    def derivative(self, u: Tensor) -> Tensor:
        return ops.full_like(u, self.alpha)

    def primitive(self, u: Tensor) -> Tensor:
        return self.alpha * u


_BY_NAME = {
    "atan": ATan,
    "sigmoid": Sigmoid,
    "fast_sigmoid": FastSigmoid,
    "soft_sign": SoftSign,
    "triangle": Triangle,
    "rectangle": Rectangle,
    "piecewise_exponential": PiecewiseExponential,
    "erf": Erf,
    "straight_through": StraightThrough,
}


def names() -> list[str]:
    """The names `get` knows."""
    return list(_BY_NAME)


def get(identifier: "str | Surrogate | dict[str, Any]") -> Surrogate:
    """The surrogate for a name, an instance (returned as it is) or a serialized one.

    Args:
        identifier: `"atan"`, `kd.surrogates.ATan(alpha=2.0)`, or what `serialize` returned.

    Raises:
        UnknownNameError: If there is no surrogate of that name.
        TypeError: If the identifier is something else.
    """
    if isinstance(identifier, Surrogate):
        return identifier
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise unknown_name("surrogate", identifier, _BY_NAME)
        return _BY_NAME[identifier]()
    if isinstance(identifier, dict):
        return keras.saving.deserialize_keras_object(identifier)
    raise TypeError(f"a surrogate is a name, a Surrogate or its serialized form; got {type(identifier).__name__} {identifier!r}")


def serialize(surrogate: Surrogate) -> dict[str, Any]:
    """A dictionary from which `get` makes an equal surrogate."""
    return keras.saving.serialize_keras_object(surrogate)
