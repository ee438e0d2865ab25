"""What the package NeuroBench says of three small networks, for `tests/metrics/test_neurobench.py`.

    python -m tests.oracles.neurobench_numbers        # writes tests/data/neurobench.npz

Made with neurobench 2.3.0, torch 2.13.0 and snntorch 1.0.0; it needs no Keras. The networks are written here in PyTorch, from weights in
Keras' layout, and fire by themselves: ``h = v + (x - v) / 2; s = h >= 1; v = h (1 - s)``. Weights, biases, moments and images are whole
multiples of 1/32 and 1/256, so that every sum is exact in float32, and no spike depends on the order of additions.

NeuroBench's definitions (neurobench/metrics, version 2.3.0):

- Footprint: sum over all parameters and buffers of elements times bytes an element. A batch norm's count of batches, which is PyTorch's
  own, is left out of the networks.
- ConnectionSparsity: zeros in the weights of Linear and Conv layers / their number, rounded to 4 places.
- ActivationSparsity: zeros in the outputs of neurons, ReLU and Sigmoid / their number.
- SynapticOperations: nonzero inputs times nonzero weights, a sample; Effective_ACs for layers whose input is -1, 0 or 1 in a batch, else
  Effective_MACs; Dense: the same with ones for all inputs and weights. Biases and padding do not count.
"""

import json
from pathlib import Path

import numpy as np

TIMESTEPS, CLASSES, BATCH = 3, 5, 16
NETWORKS = {
    "spiking": {"spec": "convnet:4,pool,6,flatten", "neuron": "lif"},
    "spiking_average": {"spec": "convnet:4,6,average", "neuron": "lif"},
    "twin": {"spec": "convnet:4,pool,6,flatten", "neuron": "relu"},
}
FILE = Path(__file__).parents[1] / "data" / "neurobench.npz"


def images(count=40):
    """Images `[N, 8, 8, 1]`; a third of the pixels are black."""
    draw = np.random.default_rng(0)
    return (draw.integers(0, 256, (count, 8, 8, 1)) * (draw.random((count, 8, 8, 1)) > 1 / 3) / 256).astype("float32")


def weights(spec, seed=1):
    """The arrays of a network in the order and layout of Keras: kernel; gamma, beta, mean, variance; ...; kernel, bias."""
    draw, arrays, channels, side = np.random.default_rng(seed), [], 1, 8

    def kernel(*shape):
        values = draw.integers(-20, 28, shape) / 32
        return (values * (draw.random(shape) > 0.25)).astype("float32")

    *parts, head = spec.partition(":")[2].split(",")
    for part in parts:
        if part == "pool":
            side //= 2
            continue
        width = int(part)
        arrays.append(kernel(3, 3, channels, width))
        shift, mean = draw.integers(8, 33, width).astype("float32") / 32, draw.integers(-8, 9, width).astype("float32") / 32
        arrays += [np.full(width, 2, "float32"), shift, mean, np.full(width, np.float32(1) - np.float32(1e-3), "float32")]
        channels = width
    features = channels * side**2 if head == "flatten" else channels
    return [*arrays, kernel(features, CLASSES), draw.integers(-8, 9, CLASSES).astype("float32") / 32]


def network(spec, neuron, arrays):
    """The same network in PyTorch, `[B, 1, H, W]` to `[B, C]`."""
    import torch
    from torch import nn

    arrays = [torch.from_numpy(array) for array in arrays]

    class Fire(nn.Module):
        def forward(self, x):
            v, spikes = torch.zeros_like(x[:, 0]), []
            for t in range(x.shape[1]):
                h = v + (x[:, t] - v) / 2
                spikes.append((h >= 1).float())
                v = h * (1 - spikes[-1])
            return torch.stack(spikes, 1)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            blocks, place = [], 0
            *self.parts, self.head = spec.partition(":")[2].split(",")
            for part in self.parts:
                if part == "pool":
                    blocks.append(nn.MaxPool2d(2))
                    continue
                kernel, *norm = arrays[place : place + 5]
                place += 5
                conv = nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1, bias=False)
                conv.weight.data = kernel.permute(3, 2, 0, 1).contiguous()
                normalize = nn.BatchNorm2d(kernel.shape[3], eps=1e-3)
                normalize.weight.data, normalize.bias.data, normalize.running_mean.data, normalize.running_var.data = norm
                normalize.num_batches_tracked = None
                blocks += [conv, normalize, Fire() if neuron == "lif" else nn.ReLU()]
            self.blocks = nn.ModuleList(blocks)
            kernel, bias = arrays[place:]
            if self.head == "flatten":  # rows in the order of NCHW in place of NHWC
                side, channels = int((len(kernel) / 6) ** 0.5), 6
                kernel = kernel.reshape(side, side, channels, -1).permute(2, 0, 1, 3).reshape(len(kernel), -1)
            self.classifier = nn.Linear(*kernel.shape)
            self.classifier.weight.data, self.classifier.bias.data = kernel.T.contiguous(), bias

        def forward(self, x):
            timed = False
            for block in self.blocks:
                if isinstance(block, Fire):
                    x = block(x if timed else x[:, None].expand(-1, TIMESTEPS, *x.shape[1:]))
                    timed = True
                else:
                    x = block(x.flatten(0, 1)).unflatten(0, (-1, TIMESTEPS)) if timed else block(x)
            x = x.flatten(-3) if self.head == "flatten" else x.mean((-2, -1))
            x = self.classifier(x)
            return x.mean(1) if timed else x

    return Network().eval(), Fire


def numbers(spec, neuron, arrays):
    """What `neurobench.benchmarks.Benchmark` gives for a network on the images, by metric."""
    import torch
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel
    from torch.utils.data import DataLoader, TensorDataset

    net, fire = network(spec, neuron, arrays)
    model = TorchModel(net)
    model.add_activation_module(fire)
    pixels = torch.from_numpy(images()).permute(0, 3, 1, 2).contiguous()
    loader = DataLoader(TensorDataset(pixels, torch.zeros(len(pixels))), batch_size=BATCH)
    metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    with torch.no_grad():
        return Benchmark(model, loader, [], [], metrics).run(quiet=True)


def main():
    from importlib.metadata import version

    stored = {"images": images(), "versions": json.dumps({name: version(name) for name in ("neurobench", "torch", "snntorch")})}
    for name, network in NETWORKS.items():
        arrays = weights(network["spec"])
        stored[f"{name}/numbers"] = json.dumps(numbers(**network, arrays=arrays))
        stored.update({f"{name}/weight{index:02}": array for index, array in enumerate(arrays)})
        print(name, stored[f"{name}/numbers"])
    np.savez_compressed(FILE, **stored)


if __name__ == "__main__":
    main()
