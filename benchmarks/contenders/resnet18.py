"""A training step of a spiking ResNet-18 on CIFAR-10's shapes, on an accelerator: ours on JAX, and SpikingJelly's.

Both have 11.2 million parameters, LIF neurons (tau 2, threshold 1, hard reset, detached, ATan), batch norm, the first convolution once for
all steps, SGD with momentum, and bf16 as their users get it: Keras' policy `mixed_bfloat16` and PyTorch's autocast.
"""

import os

from benchmarks import network
from benchmarks.contenders import Contender

WIDTHS, BLOCKS = (64, 128, 256, 512), (2, 2, 2, 2)
PARAMETERS = 11_173_962
STEPS = 40
"""Steps between two looks at the clock, so that the device never waits for Python."""

SETTINGS = ("channels_last", "compiled")
"""Tried for SpikingJelly, which chooses the kernel of its neurons (CUDA, Triton) by itself; the second includes the first."""


def ours(batch: int, timesteps: int = network.TIMESTEPS) -> Contender:
    """`fit` on JAX; `STEPS` steps at a time."""
    os.environ.update(KERAS_BACKEND="jax", XLA_PYTHON_CLIENT_PREALLOCATE="false")
    import keras
    import numpy as np

    import keras_snnkd as kd

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    shape = (network.SIZE, network.SIZE, network.CHANNELS)
    model = kd.models.ResNet(shape, network.CLASSES, WIDTHS, BLOCKS, timesteps=timesteps)
    model.compile(
        keras.optimizers.SGD(network.LEARNING_RATE, momentum=network.MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    random = np.random.default_rng(0)
    images = random.random((batch * STEPS, *shape), dtype="float32")
    labels = random.integers(0, network.CLASSES, len(images)).astype("int32")
    facts = {"parameters": model.count_params() - _moving(model), "operations": operations(model)}
    return Contender(lambda: model.fit(images, labels, batch_size=batch, shuffle=False, verbose=0), facts, repeats=STEPS)


def spikingjelly(batch: int, timesteps: int = network.TIMESTEPS, settings: tuple[str, ...] = SETTINGS) -> Contender:
    """SpikingJelly's in the fastest of its settings; batches lie on the device."""
    import torch

    from benchmarks.contenders import peers  # which has a use for the network below

    torch.backends.cudnn.benchmark = True
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def prepare(setting):
        net = network_of(timesteps=timesteps).to(device).to(memory_format=torch.channels_last)
        run = torch.compile(net) if setting == "compiled" else net
        optimizer = torch.optim.SGD(net.parameters(), network.LEARNING_RATE, network.MOMENTUM)
        images = torch.rand(batch, network.CHANNELS, network.SIZE, network.SIZE, device=device).contiguous(
            memory_format=torch.channels_last
        )
        labels = torch.randint(0, network.CLASSES, (batch,), device=device)

        def step():
            for _ in range(STEPS):
                net.forget()
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast(device, dtype=torch.bfloat16):
                    logits, _ = run(images)
                loss = torch.nn.functional.cross_entropy(logits.float(), labels)
                loss.backward()
                optimizer.step()
            return loss.item()

        return step, net

    contender = peers.fastest(prepare, settings)
    return Contender(contender.step, contender.facts, repeats=STEPS)


def operations(model) -> int:
    """Floating-point operations of the convolutions and the classifier of one image in a training step.

    Two for each multiply-accumulate, forward, for the kernel's gradient and, but for the first layer, for the input's.
    """
    import math

    from keras_snnkd.layers import OverTime

    total = 0
    for layer in model.layers:
        synapse = layer.layer if isinstance(layer, OverTime) else layer
        if not hasattr(synapse, "kernel"):
            continue
        steps = layer.output.shape[1] if isinstance(layer, OverTime) else 1
        places = math.prod(layer.output.shape[-3:-1]) if len(synapse.kernel.shape) == 4 else 1
        total += 2 * math.prod(synapse.kernel.shape) * places * steps * (3 if total else 2)
    return total


def _moving(model):
    import math

    return sum(math.prod(weight.shape) for weight in model.non_trainable_weights)


def network_of(library: str = "spikingjelly", timesteps: int = network.TIMESTEPS):
    """The network as a `torch.nn.Module`, like `peers.conv4`; of SpikingJelly alone."""
    import torch
    from spikingjelly.activation_based import functional, neuron, surrogate

    nn = torch.nn

    def fire():
        return neuron.LIFNode(
            tau=2.0,
            v_threshold=1.0,
            v_reset=0.0,
            surrogate_function=surrogate.ATan(2.0),
            detach_reset=True,
            step_mode="m",
        )

    def conv(before, after, kernel, stride=1):
        norm = nn.BatchNorm2d(after, network.BATCH_NORM_EPSILON, 1 - network.BATCH_NORM_MOMENTUM)
        return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), norm)

    def over_time(layer, x):
        return layer(x.flatten(0, 1)).unflatten(0, (timesteps, -1))

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.first, self.second = conv(before, after, 3, stride), conv(after, after, 3)
            self.shortcut = nn.Identity() if before == after and stride == 1 else conv(before, after, 1, stride)
            self.inner, self.outer = fire(), fire()

        def forward(self, x):
            inner = self.inner(over_time(self.first, x))
            return self.outer(over_time(self.second, inner) + over_time(self.shortcut, x))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.neuron = conv(network.CHANNELS, WIDTHS[0], 3), fire()
            blocks, before = [], WIDTHS[0]
            for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
                for index in range(count):
                    blocks.append(Block(before, width, 2 if stage and not index else 1))
                    before = width
            self.blocks = nn.Sequential(*blocks)
            self.classifier = nn.Linear(before, network.CLASSES)

        def forward(self, images):
            currents = self.stem(images)
            x = self.blocks(self.neuron(currents.unsqueeze(0).expand(timesteps, *currents.shape)))
            return self.classifier(x.mean((3, 4))).mean(0), x

        def forget(self):
            functional.reset_net(self)

    torch.manual_seed(0)
    return ResNet()
