"""What is not Keras' public interface is used in one file, which was checked with the installed version."""

import ast
import pathlib

import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd import keras_internals as internals

ROOT = pathlib.Path(kd.__file__).parent
FILES = [file for file in sorted(ROOT.rglob("*.py")) if file.name != "keras_internals.py"]

NOT_OF_KERAS = {
    "_exit",  # of os
    *("_action_groups", "_actions", "_group_actions"),  # of argparse, in cli alone
    *("_asdict", "_replace"),  # of named tuples, whose public methods they are
    *(
        "_is_worker",
        "_project_dir",
        "_get_oracle_fname",
        "_random_populate_space",
        "_get_trial_dir",
    ),  # of keras-tuner, in tuning/tuner.py alone
}


def private(name):
    return name.startswith("_") and not name.startswith("__")


def test_the_installed_keras_is_one_that_was_checked():
    assert keras.__version__ in internals.CHECKED, (
        f"keras_snnkd/keras_internals.py was not yet checked with Keras {keras.__version__}: run the tests, read what it uses there, "
        "and add the version to CHECKED"
    )


def test_no_other_file_uses_private_names_of_keras():
    walks = {file: list(ast.walk(ast.parse(file.read_text("utf-8")))) for file in FILES}
    own, used = set(), {}
    for file, nodes in walks.items():
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                own.add(node.attr)
            elif isinstance(node, ast.Attribute) and private(node.attr):
                used.setdefault(node.attr, []).append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert {name: places for name, places in used.items() if name not in own | NOT_OF_KERAS} == {}


def test_no_other_file_imports_or_names_keras_src():
    assert [str(file.relative_to(ROOT)) for file in FILES if "keras.src" in file.read_text("utf-8")] == []


def test_all_layers_are_those_within_layers_too():
    inner = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(3)])
    model = keras.Sequential([keras.Input((4,)), inner])
    assert {layer.name for layer in internals.all_layers(model)} >= {inner.name, *(layer.name for layer in inner.layers)}
    assert model not in internals.all_layers(model)


def test_the_producer_of_a_tensor_is_the_layer_that_was_called():
    dense = keras.layers.Dense(2)
    assert internals.producer(dense(keras.Input((3,)))) is dense


def test_nodes_come_first_to_last_and_a_shared_layer_twice():
    image, shared = keras.Input((3,), name="image"), keras.layers.Dense(3, name="shared")
    model = keras.Model(image, keras.layers.Dense(2, name="last")(shared(shared(image))))
    assert [node.operation.name for node in internals.nodes(model)] == ["image", "shared", "shared", "last"]


def test_a_subclassed_model_has_no_nodes():
    class Own(keras.Model):
        def call(self, x):
            return x

    assert internals.nodes(Own()) is None


def test_a_model_called_again_gives_the_outputs_of_its_layers_on_other_inputs():
    image = keras.Input((3,))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Dense(4)(image)))
    called = []

    def call(layer, *args, **kwargs):
        called.append(layer)
        return layer(*args, **kwargs)

    again = keras.Input((3,))
    copy = keras.Model(again, internals.call_again(model, again, call))
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(copy(x), model(x))
    assert called == model.layers[1:]


def test_a_model_can_be_run_through_with_other_functions_for_its_layers():
    image = keras.Input((3,))
    model = keras.Model(image, {"sum": keras.layers.Add()([image, keras.layers.Identity()(image)])})
    outputs = internals.run_through(model, ["x"], lambda layer: lambda given: f"{type(layer).__name__}({given})")
    assert outputs == {"sum": "Add(['x', 'Identity(x)'])"}


def test_an_unconnected_layer_shares_weights_and_not_connections():
    dense = keras.layers.Dense(2)
    first = dense(keras.Input((3,)))
    twin = internals.unconnected(dense)
    with pytest.raises(AttributeError, match="never been called"):
        _ = twin.output
    second = twin(keras.Input((3,)))
    assert twin.kernel is dense.kernel
    assert dense.output is first
    assert twin.output is second
