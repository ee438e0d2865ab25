"""The floor: what the convolutions of conv4 cost by themselves in TensorFlow. Nothing that computes them in this way can be faster.

The first convolution runs on B images, since the image does not change over time; the others on B T maps. No pooling, batch norm, neurons,
classifier, loss or optimizer. In training each convolution also gives the gradient of its kernel and, but for the first, of its input. All
inputs, kernels and incoming gradients are fixed tensors of the precision that is asked for; of each result one number is kept, so that
nothing is optimized away.
"""

from benchmarks import network
from benchmarks.contenders import Contender

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def training(precision: str = "fp32") -> Contender:
    """Forward pass and gradients."""
    return _contender(precision, gradients=True)


def inference(precision: str = "fp32") -> Contender:
    """Forward pass alone."""
    return _contender(precision, gradients=False)


def _contender(precision, gradients):
    import tensorflow as tf

    random = tf.random.Generator.from_seed(0)
    layers = []
    for index, (size, before, after) in enumerate(network.convolutions(network.CONV4)):
        batch = network.BATCH * (network.TIMESTEPS if index else 1)
        shapes = (batch, size, size, before), (3, 3, before, after), (batch, size, size, after)
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
