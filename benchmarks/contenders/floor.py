"""The floor: what the convolutions of conv4 cost by themselves. Nothing that computes them in this way can be faster.

There are two: in TensorFlow, with the kernels that the package chooses, and in PyTorch in its memory layout `channels_last`. The faster one
is the floor of a machine.

The first convolution runs on B images, since the image does not change over time; the others on B T maps. No pooling, batch norm, neurons,
classifier, loss or optimizer. In training each convolution also gives the gradient of its kernel and, but for the first, of its input. All
inputs, kernels and incoming gradients are fixed tensors of the precision that is asked for; of each result one number is kept, so that
nothing is optimized away.
"""

from benchmarks import network
from benchmarks.contenders import Contender, ours, peers

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def training(precision: str = "fp32", widths: tuple = network.CONV4, batch: int = network.BATCH) -> Contender:
    """Forward pass and gradients."""
    return _contender(precision, widths, batch, gradients=True)


def training_in_pytorch(precision: str = "fp32", widths: tuple = network.CONV4, batch: int = network.BATCH) -> Contender:
    """Forward pass and gradients in PyTorch."""
    torch = peers._torch()
    layers = []
    for index, (size, before, after) in enumerate(network.convolutions(widths)):
        maps = batch * (network.TIMESTEPS if index else 1)
        shapes = (maps, before, size, size), (after, before, 3, 3), (maps, after, size, size)
        tensors = [torch.rand(shape, dtype=getattr(torch, DTYPES[precision])) for shape in shapes]
        layers.append([tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors])

    def step():
        for index, (maps, kernel, gradient) in enumerate(layers):
            torch.nn.functional.conv2d(maps, kernel, padding=1)
            wanted = [index > 0, True, False]
            torch.ops.aten.convolution_backward(gradient, maps, kernel, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted)

    return Contender(step, {"parameters": sum(kernel.numel() for _, kernel, _ in layers)})


def inference(precision: str = "fp32") -> Contender:
    """Forward pass alone."""
    return _contender(precision, network.CONV4, network.BATCH, gradients=False)


def _contender(precision, widths, batch, gradients):
    ours._import()  # before TensorFlow, whose kernels it chooses
    import tensorflow as tf

    random = tf.random.Generator.from_seed(0)
    layers = []
    for index, (size, before, after) in enumerate(network.convolutions(widths)):
        maps = batch * (network.TIMESTEPS if index else 1)
        shapes = (maps, size, size, before), (3, 3, before, after), (maps, size, size, after)
        layers.append(tuple(tf.cast(random.uniform(shape), DTYPES[precision]) for shape in shapes))

    @tf.function(autograph=False)
    def run(layers):
        results = []
        for index, (maps, kernel, gradient) in enumerate(layers):
            where = {"strides": [1, 1, 1, 1], "padding": "SAME"}
            results.append(tf.nn.conv2d(maps, kernel, **where))
            if gradients:
                results.append(tf.raw_ops.Conv2DBackpropFilter(input=maps, filter_sizes=kernel.shape, out_backprop=gradient, **where))
            if gradients and index:
                results.append(tf.raw_ops.Conv2DBackpropInput(input_sizes=maps.shape, filter=kernel, out_backprop=gradient, **where))
        return [result[0, 0, 0, 0] for result in results]

    return Contender(
        lambda: [float(value) for value in run(layers)], {"parameters": sum(kernel.shape.num_elements() for _, kernel, _ in layers)}
    )
