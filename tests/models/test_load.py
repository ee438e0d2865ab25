"""Model files: what is read, and what is refused with which words."""

import re
import zipfile

import keras
import numpy as np
import pytest

from keras_snnkd.errors import FileFormatError, KDError
from keras_snnkd.models import MLP, load, specification
from keras_snnkd.teachers import shipped


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "saved.keras"
    MLP((4, 4, 1), 3, widths=(4,), timesteps=2).save(path)
    return path


def test_a_model_is_loaded_from_a_path_or_a_text(saved):
    first, second = load(saved), load(str(saved))
    assert not first.compiled
    np.testing.assert_array_equal(first(np.ones((2, 4, 4, 1))), second(np.ones((2, 4, 4, 1))))


def test_a_teacher_that_comes_with_the_package_is_loaded_by_its_name(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "mnist_teacher").mkdir()
    saved.rename(tmp_path / "mnist_teacher" / "model.keras")
    assert load("mnist_teacher").output_shape == (None, 3)
    with pytest.raises(KDError, match="no teacher 'mnist_teachr' comes with the package; there are: mnist_teacher"):
        load("mnist_teachr")


@pytest.mark.parametrize("name", ["missing.keras", "folder.keras"])
def test_a_file_that_is_not_there(tmp_path, name):
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(FileFormatError, match=rf"there is no model file .*{name}; train one first"):
        load(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [lambda keras_file, h5_file: b"", lambda keras_file, h5_file: bytes(range(256)) * 8, lambda keras_file, h5_file: h5_file]
    + [lambda keras_file, h5_file, part=part: keras_file[: int(len(keras_file) * part)] for part in (0.01, 0.5, 0.99)],
    ids=["empty", "random bytes", "HDF5", "1 % of a model", "half a model", "99 % of a model"],
)
def test_a_file_that_is_no_archive_or_part_of_one(saved, content):
    h5 = saved.with_suffix(".h5")
    load(saved).save(h5)
    saved.write_bytes(content(saved.read_bytes(), h5.read_bytes()))
    with pytest.raises(FileFormatError, match=r"saved.keras is not a .keras file, or it is cut short"):
        load(saved)


@pytest.mark.parametrize("name", ["model.zip", "model"])
def test_a_file_of_another_suffix(saved, name):
    other = saved.rename(saved.with_name(name))
    with pytest.raises(FileFormatError, match=rf"{name} is not a .keras file.*model.save\('name.keras'\)"):
        load(other)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda name, data: None if name == "config.json" else data, "config.json"),
        (lambda name, data: None if name.endswith(".h5") else data, "model.weights.h5"),
        (lambda name, data: b"[1]" if name == "config.json" else data, "TypeError"),
        (lambda name, data: b"{" if name == "config.json" else data, "JSONDecodeError"),
        (lambda name, data: data[: len(data) // 2] if name.endswith(".h5") else data, "OSError"),
        (lambda name, data: data.replace(b'"LIF"', b'"Unknown"').replace(b">LIF", b">Unknown"), "Unknown, which is no layer of Keras"),
        (lambda name, data: data.replace(b'"tau": 2.0', b'"tau": 0.2'), "could not be deserialized"),
    ],
    ids=["no config", "no weights", "foreign config", "cut config", "cut weights", "unknown layer", "impossible value"],
)
def test_an_archive_that_is_no_model(saved, change, reason):
    with zipfile.ZipFile(saved) as archive:
        content = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    with pytest.raises(FileFormatError, match=f"saved.keras cannot be read as a Keras model .*{re.escape(reason)}"):
        load(saved)


def test_a_file_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path):
    def touch(x, path=str(tmp_path / "ran")):
        open(path, "w").close()
        return x

    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: touch(x))(inputs)).save(tmp_path / "code.keras")
    (tmp_path / "ran").unlink()
    with pytest.raises(FileFormatError, match=r"code.keras cannot be read .*Lambda.*without code\?"):
        load(tmp_path / "code.keras")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["exported", "exported.keras", "exported/model.keras", "exported/saved_model.pb"])
def test_a_saved_model_is_told_what_to_give_in_its_place(tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / place.split("/")[0]
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"")
    with pytest.raises(FileFormatError, match=r"a SavedModel, which has no layers any more; save the model that it was made from") as error:
        load(place)
    assert "model.save('exported" in str(error.value)
    with pytest.raises(FileFormatError, match="SavedModel" if "." not in place else ""):
        specification(place if "." not in place else "exported.pb")


def test_the_folder_of_a_model_and_a_path_to_nothing_are_told_what_to_give(saved, tmp_path):
    (tmp_path / "mine").mkdir()
    saved.rename(tmp_path / "mine" / "model.keras")
    for read in (load, specification):
        with pytest.raises(FileFormatError, match=r"mine is a folder; give the model in it, .*mine/model\.keras"):
            read(str(tmp_path / "mine"))
    with pytest.raises(FileFormatError, match=r"there is no model runs/other; give the path of a trained \.keras file"):
        specification("runs/other")
