"""What training on many workers would cost on paper: `python -m benchmarks.scale`. Nothing is trained.

A step on W workers exchanges a tensor of n bytes by a ring all-reduce: each worker sends, and receives, ``2 (W - 1) / W n`` bytes, in
``2 (W - 1)`` messages one after the other (Patarasuk and Yuan, 2009, J. Parallel Distrib. Comput. 69:117). With a link of b bytes
per second and a latency of l seconds per message that takes ``2 (W - 1) (n / (W b) + l)``. The gradients are one such exchange; a
synchronized batch norm is one in the forward pass, with the sum and the sum of squares of each channel, and one in the backward pass.

The compute of a step is counted in multiply-accumulates: those of `keras_snnkd.metrics.synaptic_operations` (dense), once forward and twice
backward, without the neurons' own arithmetic.
"""

import argparse
import dataclasses

import numpy as np

import keras_snnkd as kd

EXCHANGES = 2
"""Of a synchronized batch norm in a step, one forward and one backward."""


@dataclasses.dataclass(frozen=True)
class Network:
    """What counts of a model: weights, channels of its batch norms, and multiply-accumulates of one image forward."""

    parameters: int
    channels: tuple[int, ...]
    macs: float

    @classmethod
    def of(cls, model) -> "Network":
        """By building and counting."""
        image = np.ones((1, *model.input_shape[1:]), "float32")
        norms = [layer for layer in model.layers if isinstance(layer, kd.layers.BatchNormalization)]
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        return cls(trained, tuple(layer.moving_mean.shape[0] for layer in norms), kd.metrics.synaptic_operations(model, image).dense)


def sent(size: float, workers: int) -> float:
    """Bytes that each worker sends for an all-reduce of `size` bytes."""
    return 2 * (workers - 1) / workers * size


def seconds(size: float, workers: int, bandwidth: float, latency: float) -> float:
    """Of an all-reduce of `size` bytes at `bandwidth` bytes per second and `latency` seconds per message."""
    return 2 * (workers - 1) * (size / workers / bandwidth + latency)


def step(network: Network, workers: int, batch: int, macs: float, bandwidth: float, latency: float) -> dict[str, float]:
    """Seconds of a step's parts, with `batch` images and `macs` multiply-accumulates per second on each worker."""
    norms = sum(EXCHANGES * seconds(8 * channels, workers, bandwidth, latency) for channels in network.channels)
    return {
        "compute": 3 * batch * network.macs / macs,
        "gradients": seconds(4 * network.parameters, workers, bandwidth, latency),
        "batch norm": norms,
    }


def main(arguments=None) -> None:
    """Print the tables as Markdown."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    p.add_argument("--model", default="resnet19", help="preset or short form (default: resnet19)")
    p.add_argument("--timesteps", type=int, default=4)
    p.add_argument("--workers", type=int, default=64)
    p.add_argument("--batch", type=int, default=32, help="images of each worker (default: 32)")
    p.add_argument("--macs", type=float, nargs="+", default=[1e12, 2e13], help="multiply-accumulates per second (default: 1e12 and 2e13)")
    p.add_argument("--gigabits", type=float, nargs="+", default=[10, 25, 100], help="a second and link (default: 10 25 100)")
    p.add_argument("--latency", type=float, default=2e-5, help="seconds per message (default: 2e-5)")
    o = p.parse_args(arguments)
    network = Network.of(kd.models.build({**kd.models.specification(o.model), "timesteps": o.timesteps}, (32, 32, 3), 10))
    size, images, macs = 4 * network.parameters, o.workers * o.batch, 3 * o.batch * network.macs
    print(f"{o.model}, 32x32x3, T = {o.timesteps}: {network.parameters:,} trained parameters, {size / 1e6:.1f} MB of float32 gradients,")
    print(f"{len(network.channels)} batch norms with {sum(network.channels):,} channels, {network.macs / 1e9:.2f} GMAC an image forward.")
    print(f"{o.workers} workers, {o.batch} images on each: {images:,} images and {macs / 1e12:.2f} TMAC per worker and step;")
    print(f"each sends {sent(size, o.workers) / 1e6:.1f} MB for the gradients.\n")
    print("| worker | link | compute | gradients | batch norm | share of compute |\n| --- | --- | --- | --- | --- | --- |")
    for macs in o.macs:
        for gigabits in o.gigabits:
            parts = step(network, o.workers, o.batch, macs, gigabits * 1e9 / 8, o.latency)
            times = " | ".join(f"{1000 * value:,.0f} ms" for value in parts.values())
            share = parts["compute"] / sum(parts.values())
            print(f"| {macs / 1e12:g} TMAC/s | {gigabits:g} Gbit/s | {times} | {share:.0%} |")


if __name__ == "__main__":
    main()
