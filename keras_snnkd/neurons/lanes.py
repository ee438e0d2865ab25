"""Two lanes through a spiking network: sequences without gradient, and their means over time with it.

Rate-based backpropagation (Yu et al., NeurIPS 2024, arXiv:2410.11488) runs a network over all time steps and goes back once, through the
means over time: its gradient is the same for every step, and is kept once. Layers that know how to do that have a method
`call_on_rates`; `keras_snnkd.layers.rates` runs a model by it.
"""

import dataclasses
from typing import Any

from keras import ops

from keras_snnkd._types import Tensor


@dataclasses.dataclass(frozen=True)
class Lanes:
    """What goes from one layer to the next in place of a sequence.

    Args:
        sequence: `[B, T, ...]`. Its gradient goes nowhere: whoever reads it stops that.
        mean: Its mean over time, `[B, ...]`, which receives the gradient.
    """

    sequence: Tensor
    mean: Tensor


def lanes_of(inputs: Lanes | Tensor) -> Lanes:
    """Lanes as they are; of a sequence `[B, T, ...]`, with the gradient of its mean over time."""
    if isinstance(inputs, Lanes):
        return inputs
    return Lanes(inputs, ops.mean(inputs, axis=1))


def joined(inputs: Lanes | Tensor) -> Tensor:
    """The sequence `[B, T, ...]`, whose gradient goes to the mean, summed over time; what are no lanes stays as it is."""
    if not isinstance(inputs, Lanes):
        return inputs

    @ops.custom_gradient
    def run(sequence: Tensor, mean: Tensor) -> Any:
        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            upstream = args[0] if upstream is None else upstream
            return ops.zeros_like(sequence), ops.cast(ops.sum(upstream, axis=1), mean.dtype)

        return sequence, grad

    return run(ops.stop_gradient(inputs.sequence), inputs.mean)


def valued(tensor: Tensor, value: Tensor) -> Tensor:
    """`value`, with the gradient of `tensor`, which has its shape."""

    @ops.custom_gradient
    def run(tensor: Tensor, value: Tensor) -> Any:
        def grad(*args: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
            upstream = args[0] if upstream is None else upstream
            return ops.cast(upstream, tensor.dtype), ops.zeros_like(value)

        return value, grad

    return run(tensor, ops.stop_gradient(value))
