"""What the tests share: cases from official implementations, gradients, and the facts that hold for every neuron."""

import dataclasses
import inspect
import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

DATA = pathlib.Path(__file__).parent / "data"


@dataclasses.dataclass(frozen=True, repr=False)
class Case:
    """One case of an official implementation: its name, hyper-parameters and arrays."""

    name: str
    settings: dict
    arrays: dict

    def __str__(self):
        edge = self.settings.get("edge")
        return f"{self.name}-{edge}" if edge else self.name

    def __getitem__(self, array):
        return self.arrays[array]

    def __contains__(self, array):
        return array in self.arrays


def oracle_cases(file, *methods):
    """The cases of these methods in `tests/data/<file>`, whose keys are `<method>/caseNNN/<array>`; all of them without a method."""
    arrays = {}
    with np.load(DATA / file) as stored:
        for key in stored.files:
            name, array = key.rsplit("/", 1)
            if not methods or name.split("/")[0] in methods:
                arrays.setdefault(name, {})[array] = stored[key]
    assert arrays, f"{file} has no cases of {methods}"
    return [Case(name, json.loads(str(case.pop("settings"))), case) for name, case in sorted(arrays.items())]


def gradients(function, *arrays, upstream=1.0, variables=(), graph=False):
    """`function(*arrays)` and the gradients of `sum(upstream * function(*arrays))` for each array, then for each variable.

    Args:
        function: Takes tensors and returns one tensor.
        *arrays: NumPy arrays or tensors.
        upstream: Gradient of the output.
        variables: Keras variables whose gradients are wanted too.
        graph: Whether all of it runs in a `tf.function`.

    Returns:
        The output and the list of gradients, as NumPy arrays (bfloat16 as float32).
    """

    def run(*tensors):
        sources = [*tensors, *(variable.value for variable in variables)]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = function(*tensors)
            loss = tf.reduce_sum(tf.cast(output, "float32") * upstream)
        return output, tape.gradient(loss, sources)

    run = tf.function(run, autograph=False) if graph else run
    output, found = run(*(tf.convert_to_tensor(array) for array in arrays))
    return to_numpy(output), [to_numpy(gradient) for gradient in found]


def to_numpy(tensor):
    """As NumPy, with bfloat16 as float32."""
    return tensor.numpy().astype("float32") if tensor.dtype == "bfloat16" else tensor.numpy()


def assert_config_has_every_argument(cls, arguments, names):
    """The config holds all of `names`, and a second object made from it has the same config."""
    config = cls(**arguments).get_config()
    assert names <= set(config)
    assert cls.from_config(config).get_config() == config
    assert arguments.items() <= {name: value for name, value in config.items() if name in arguments}.items()


def run_neuron_test(layer, cell, arguments):
    """The facts that hold for every neuron: complete configs, shapes of feature maps, saved files, stacked cells.

    Args:
        layer: The layer's class.
        cell: The cell's class.
        arguments: Arguments of both, numbers and strings, other than the defaults.
    """
    names = set(inspect.signature(layer.__init__).parameters) - {"self", "kwargs"}
    assert set(arguments) <= names
    assert_config_has_every_argument(layer, arguments, names | {"name", "dtype"})
    assert_config_has_every_argument(cell, {"units": 3, **arguments}, (names - {"return_state"}) | {"units", "name", "dtype"})

    frames = keras.Input((4, 8, 8, 3))
    images = layer(**arguments)(frames)
    assert images.shape == (None, 4, 8, 8, 3)
    synapses = keras.layers.SimpleRNNCell(5, activation="relu", kernel_initializer=keras.initializers.Constant(0.2))
    stack = keras.layers.StackedRNNCells([cell(192, **arguments), synapses, cell(5, **arguments)])
    outputs = keras.layers.RNN(stack, return_sequences=True)(keras.layers.Reshape((4, 192))(frames))
    assert outputs.shape == (None, 4, 5)
    model = keras.Model(frames, [images, outputs])

    x = np.random.default_rng(0).normal(0.5, 2.0, (2, 4, 8, 8, 3)).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        loaded = keras.models.load_model(f"{folder}/model.keras")
    for before, after in zip(model(x), loaded(x), strict=True):
        assert np.any(before)
        np.testing.assert_array_equal(before, after)
