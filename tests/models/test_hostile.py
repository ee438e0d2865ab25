"""`.keras` files made to do harm: refused before Keras builds anything of them."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files import archives
from keras_snnkd.files.keras_file import LAYERS, check_config, check_weights
from keras_snnkd.keras_internals import without_memory
from keras_snnkd.models import MLP, load


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The members of a file by name."""
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    MLP((4, 4, 1), 3, widths=(4,), timesteps=2).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def with_layer(whole, **layer):
    """A Sequential model of one layer, with the weights of `whole`."""
    start = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "name": "in"},
        "registered_name": None,
    }
    config = {"name": "model", "layers": [start, {"registered_name": None, **layer}]}
    model = {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
    return {**whole, "config.json": json.dumps(model)}


HARMFUL = {
    "a function of os": {"module": "os", "class_name": "system", "config": "touch {}"},
    "a class of subprocess": {"module": "subprocess", "class_name": "Popen", "config": {"args": "touch {}", "shell": True}},
    "a function object": {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    "a registered name of elsewhere": {"module": "os", "class_name": "system", "config": {}, "registered_name": "os>system"},
    "our package, another class": {"module": "keras_snnkd.cli", "class_name": "main", "config": {}, "registered_name": "keras_snnkd>main"},
    "a lambda": {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {}}}},
    "bytecode": {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}},
    "a type specification": {"class_name": "__typespec__", "spec_name": "x", "module": "keras", "config": []},
    "a saved model": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "{}"}},
    "a pickled torch module": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gASV"}},
    "a vocabulary file": {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    "a download": {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "get_file"},
    "a module to import": {"module": "keras.src.utils.torch_utils", "class_name": "TorchModuleWrapper", "config": {}},
    "another package to import": {"module": "keras_hub.models", "class_name": "Backbone", "config": {}},
    "an array of objects": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "O"}},
    "an array of large items": {"class_name": "__numpy__", "config": {"value": 0, "dtype": "V99999999999"}},
}


@pytest.mark.parametrize("place", ["layer", "argument"])
@pytest.mark.parametrize("harm", HARMFUL)
def test_names_of_code_are_refused_wherever_they_stand(harm, place, whole, tmp_path):
    mark = tmp_path / "ran"
    layer = json.loads(json.dumps(HARMFUL[harm]).replace("{}", str(mark)) if "touch" in str(HARMFUL[harm]) else json.dumps(HARMFUL[harm]))
    if place == "argument":
        layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3, "activation": layer}}
    with pytest.raises(FileFormatError, match=r"it names .*which is no layer of Keras that only computes"):
        load(written(tmp_path / "model.keras", with_layer(whole, **layer)))
    assert not mark.exists()


def test_safe_mode_alone_lets_some_of_them_pass(whole):
    """Why there is a check of our own: this one reads a layer of 40 GB from a file of 20 KB."""
    members = with_layer(whole, module="keras.layers", class_name="Dense", config={"units": 10**10, "name": "dense"})
    with without_memory():
        model = keras.saving.deserialize_keras_object(json.loads(members["config.json"]), safe_mode=True)
    assert model.count_params() == 5 * 10**10


@pytest.mark.parametrize("units", [100, 10**10])
def test_a_model_larger_than_the_weights_in_the_file_is_refused(units, whole, tmp_path):
    members = with_layer(whole, module="keras.layers", class_name="Dense", config={"units": units, "name": "dense"})
    with pytest.raises(FileFormatError, match=rf"the model has {5 * units:,} weights, and its file holds 95"):
        load(written(tmp_path / "model.keras", members))


def test_own_layers_count_once_they_are_registered():
    config = {"module": "mine", "class_name": "Mine", "config": {}, "registered_name": "mine>Mine"}
    with pytest.raises(FileFormatError, match=r"mine\.Mine"):
        check_config(config)
    with keras.saving.CustomObjectScope({"mine>Mine": type("Mine", (keras.layers.Layer,), {})}):
        check_config(config)


def test_what_we_build_and_what_keras_layers_there_are_pass(tmp_path):
    for neuron in ("plif", "relu"):
        model = kd.models.ResNet((8, 8, 3), 4, widths=(4, 8), blocks=(1, 1), neuron=neuron, timesteps=2)
        model.save(tmp_path / "model.keras")
        for before, after in zip(model.weights, load(tmp_path / "model.keras").weights, strict=True):
            np.testing.assert_array_equal(before, after)
    assert all(issubclass(getattr(keras.layers, name), keras.layers.Layer) or name.endswith("Cell") for name in LAYERS)


def test_a_foreign_teacher_of_plain_layers_and_operations_passes(tmp_path):
    image = keras.Input((8, 8, 3))
    x = keras.layers.RandomFlip()(keras.layers.Rescaling(2.0)(image))
    x = keras.layers.Conv2D(4, 3, activation="gelu", kernel_regularizer="l2")(x)
    x = keras.layers.Dropout(0.5)(keras.ops.mean(x, axis=(1, 2)) + 1.0)
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.compile("adam", "mse")
    model.save(tmp_path / "teacher.keras")
    images = np.ones((2, 8, 8, 3), "float32")
    np.testing.assert_array_equal(load(tmp_path / "teacher.keras")(images), model(images))


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "a/../../out.py", "..\\out.py", "assets/../../out", "more.txt", "C:/out"])
def test_members_with_other_names_are_refused(name, whole, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(FileFormatError, match=r"leads out of it|does not belong in it"):
        load(written(folder / "model.keras", {**whole, name: b"x"}))
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "model.keras"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(whole, tmp_path):
    path = written(tmp_path / "model.keras", whole)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(FileFormatError, match=r"'config.json' is in it more than once"):
        load(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGE", 8 << 20)
    bomb = written(tmp_path / "model.keras", {**whole, "model.weights.h5": bytes(16 << 20)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 17
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *arguments, **more: pytest.fail("it is unpacked"))
    with pytest.raises(FileFormatError, match=r"it unpacks to 16,\d+,\d+ bytes, more than 100 times its size"):
        load(bomb)


def test_a_flipped_bit_of_a_weight_is_told(whole, tmp_path):
    path = written(tmp_path / "model.keras", whole)
    content = bytearray(path.read_bytes())
    kernel = h5py.File(io.BytesIO(whole["model.weights.h5"]))["layers/dense/vars/0"][()].tobytes()
    content[content.index(kernel) + 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"Bad CRC-32 for file 'model.weights.h5'"):
        load(path)


# HDF5


def hdf5(fill):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 3), "float32")
        fill(file)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "a link to elsewhere"),
        (lambda file: file.__setitem__("x", h5py.SoftLink("/layers")), "a link to elsewhere"),
        (lambda file: file.__setitem__("layers/dense/again", file["layers"]), "twice"),
        (lambda file: file.create_dataset("x", (10**6, 10**6), "f4"), r"claims 4,000,000,000,000 bytes and holds 0"),
        (lambda file: file.create_dataset("x", (10**6,), "f4", chunks=True, compression="gzip", data=np.zeros(10**6)), "claims 4,000,000"),
        (lambda file: file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)]), "no plain array"),
        (lambda file: file.create_dataset("x", data=np.array([b"text", b"more"], "S4")), "no plain array"),
        (lambda file: file.create_virtual_dataset("x", virtual()), "no plain array"),
    ],
    ids=["external link", "soft link", "circle", "claimed size", "compressed zeros", "external bytes", "text", "virtual"],
)  # fmt: skip
def test_weights_that_are_more_than_plain_arrays_are_refused(fill, message):
    assert check_weights(hdf5(lambda file: None)) == 6
    with pytest.raises(FileFormatError, match=message):
        check_weights(hdf5(fill))


def virtual():
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    return layout
