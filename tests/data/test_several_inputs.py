"""Samples of several inputs, from a file and from memory: by the shape of each, split together, and refused with what to do."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import FileFormatError

RNG = np.random.default_rng(0)


def parts(train=60, test=20):
    """What a file holds."""
    found = {}
    for part, count in (("train", train), ("test", test)):
        found[f"x_{part}_left"] = RNG.integers(0, 256, (count, 6, 6), dtype="uint8")
        found[f"x_{part}_right"] = RNG.normal(size=(count, 5))
        found[f"x_{part}_sound"] = RNG.normal(size=(count, 7, 2)).astype("float32")
        found[f"y_{part}"] = np.arange(count) % 3
    return found


def write(path, **changed):
    """A file, with other arrays, or without those that are `None`."""
    arrays = {**parts(), **changed}
    np.savez(path / "two.npz", **{key: value for key, value in arrays.items() if value is not None})
    return path / "two.npz"


def test_each_input_is_read_by_its_own_shape(tmp_path):
    arrays = parts()
    data = kd.data.load(write(tmp_path, **arrays), batch_size=10)
    assert data.image_shape == {"left": (6, 6, 1), "right": (5,), "sound": (7, 2)}
    assert (data.name, data.kind, data.num_classes, data.is_named) == ("two", "samples", 3, True)
    assert [data.is_series, data.is_events, data.is_text] == [False] * 3
    assert [len(part[1]) for part in (data.train_arrays, data.validation_arrays, data.test_arrays)] == [54, 6, 20]
    images, labels = data.sample(20)
    np.testing.assert_array_equal(images["left"][..., 0], arrays["x_test_left"] / np.float32(256))
    np.testing.assert_array_equal(images["right"], arrays["x_test_right"].astype("float32"))
    np.testing.assert_array_equal(images["sound"], arrays["x_test_sound"])
    np.testing.assert_array_equal(labels, arrays["y_test"])


def test_the_inputs_of_a_sample_stay_together(tmp_path):
    number = np.arange(60)
    arrays = {
        "x_train_left": np.tile(number[:, None, None], (1, 6, 6)).astype("uint8"),
        "x_train_right": np.tile(number[:, None], (1, 5)).astype("float32"),
        "x_train_sound": np.tile(number[:, None, None], (1, 7, 2)).astype("float32"),
        "y_train": number % 3,
    }
    data = kd.data.load(write(tmp_path, **arrays), batch_size=9, limit=45)
    seen = []
    for images, labels in [*data.train, *data.validation]:
        told = np.rint(images["left"].numpy()[:, 0, 0, 0] * 256)
        np.testing.assert_array_equal(images["right"].numpy()[:, 0], told)
        np.testing.assert_array_equal(images["sound"].numpy()[:, 6, 1], told)
        np.testing.assert_array_equal(labels, told % 3)
        seen += told.tolist()
    assert len(seen) == len(set(seen))
    images, _, places = next(iter(data.training(places=True)))
    shown = data.view(0, places)
    for name in images:
        np.testing.assert_array_equal(images[name], shown[name])
    few = data.labelled(0.1)
    assert {int(one) for one in few.train_arrays[0]["right"][:, 0]} == {int(one) for one in few.train_arrays[0]["left"][:, 0, 0, 0]}


def test_floats_from_0_to_1_are_images_where_they_have_four_axes(tmp_path):
    share = RNG.integers(0, 256, (60, 6, 6, 1)) / 256
    data = kd.data.load(write(tmp_path, x_train_left=share, x_test_left=share[:20]))
    assert data.train_arrays[0]["left"].dtype == np.uint8
    assert "pixels of left were floats from 0 to 1, and are kept in 8 bits" in data.notes


def test_memory_and_file_are_one(tmp_path):
    arrays = parts()
    both = {
        part: ({key: arrays[f"x_{part}_{key}"] for key in ("left", "right", "sound")}, arrays[f"y_{part}"]) for part in ("train", "test")
    }
    ours, theirs = kd.data.load(both), kd.data.load(write(tmp_path, **arrays))
    for name, values in theirs.train_arrays[0].items():
        np.testing.assert_array_equal(ours.train_arrays[0][name], values)
    alone = kd.data.load(both["train"])
    assert len(alone.test_arrays[1]) == len(alone.test_arrays[0]["left"]) == 12


def test_the_fingerprint_knows_every_input_and_its_name(tmp_path):
    arrays = parts()
    found = {kd.data.load(write(tmp_path, **arrays)).fingerprint}
    for change in ({"x_test_right": arrays["x_test_right"] + 1}, {"x_train_sound": -arrays["x_train_sound"]}):
        found.add(kd.data.load(write(tmp_path, **{**arrays, **change})).fingerprint)
    renamed = {key.replace("right", "wrong"): value for key, value in arrays.items()}
    found.add(kd.data.load(write(tmp_path, x_train_right=None, x_test_right=None, **{**renamed})).fingerprint)
    assert len(found) == 4


def test_what_came_is_said_back_input_by_input(tmp_path):
    said = kd.data.describe(kd.data.load(write(tmp_path, x_test_right=np.zeros((20, 5)))))
    assert "samples of 3 inputs, left (6, 6, 1), bytes 0 to 255; right (5,), values " in said[0]
    assert any("samples per class (train, validation, test): 0 18/2/7" in line for line in said)


def test_repeats_are_of_whole_samples(tmp_path):
    arrays = parts()
    arrays["x_test_left"] = arrays["x_train_left"][:20]
    assert not kd.data.load(write(tmp_path, **arrays)).repeats
    arrays |= {f"x_test_{name}": arrays[f"x_train_{name}"][:20] for name in ("left", "right", "sound")}
    (line,) = kd.data.load(write(tmp_path, **arrays)).repeats
    assert line.startswith("17 of 20 test samples are training samples too, number by number")  # the other 3 are validation


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x_test_right": None}, r"x_test_right missing; the inputs of x_train are left, right, sound: expected x_train_left, .*, got "),
        ({"x_test_rihgt": np.zeros((20, 5))}, "x_test_rihgt without x_train_rihgt"),
        ({"y_test": None}, "y_test missing"),
        ({"y_val": np.zeros(5, int)}, "x_val_left, x_val_right, x_val_sound missing"),
        ({"x_train_right": np.zeros((59, 5))}, "different numbers of samples, x_train_left 60, x_train_right 59, x_train_sound 60; "),
        ({"y_train": np.arange(59) % 3}, "y_train has 59 labels for 60 images"),
        ({"x_test_right": np.zeros((20, 4))}, r"x_train_right and x_test_right must have one shape, got \(5,\) and \(4,\)"),
        (
            {"x_train_right": np.zeros((60, 5), int)},
            r"x_train_right must be images .*, got int64 .*; of numbers save .*astype\('float32'\)",
        ),
        ({"x_train_right": np.zeros(60)}, r"got shape \(60,\); of one number each save x_train_right\[:, None\]"),
        ({"x_train_right": np.full((60, 5), np.nan)}, "x_train_right holds NaN or infinite values"),
        ({"x_train_left": np.full((60, 6, 6, 1), 200.0)}, "floats of x_train_left must lie between 0 and 1, got 200 to 200"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, changed, said):
    with pytest.raises(FileFormatError, match=said):
        kd.data.load(write(tmp_path, **changed))


def test_one_input_alone_is_called_x_train(tmp_path):
    arrays = {key: value for key, value in parts().items() if "left" in key or key[0] == "y"}
    np.savez(tmp_path / "one.npz", **arrays)
    with pytest.raises(FileFormatError, match="x_train has the input left alone; one input is called x_train"):
        kd.data.load(tmp_path / "one.npz")


def test_arrays_of_different_numbers_are_refused():
    with pytest.raises(FileFormatError, match="the train part has different numbers of samples, left 30, right 29, labels 30"):
        kd.data.load(({"left": np.zeros((30, 6, 6, 1), "uint8"), "right": np.zeros((29, 2))}, np.arange(30) % 3))


@pytest.mark.parametrize("settings", [{"augment": "flip"}, {"mixup": 0.2}])
def test_what_changes_images_is_refused(tmp_path, settings):
    with pytest.raises(ValueError, match=r"\(--augment, --mixup\) change single images, and two has the inputs left, right, sound; leave"):
        kd.data.load(write(tmp_path), **settings)


def test_numbers_are_labels_too(tmp_path):
    data = kd.data.load(write(tmp_path, y_train=np.linspace(0, 1, 60), y_test=np.linspace(0, 1, 20)), task="regression")
    assert (data.gives_numbers, data.num_outputs, data.train_arrays[1].shape[1:]) == (True, 1, (1,))
