"""Frames of events: `.bin` files of N-MNIST, arrays of frames, and events that are simulated from images."""

import numpy as np
import pytest

from keras_snnkd import data
from keras_snnkd.data.events import Events, Frames, frames_of, read_events, split
from keras_snnkd.errors import FileFormatError, ShapeError, UnknownNameError

RANDOM = np.random.default_rng(0)


def write_bin(path, events):
    """Events (t, x, y, p) in five bytes each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t, x, y, p = np.asarray(events).T
    path.write_bytes(np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], axis=1).astype(np.uint8).tobytes())


def a_folder(path, count=10):
    for part in ("Train", "Test"):
        for label in "01":
            for number in range(count):
                times = np.sort(RANDOM.integers(0, 300_000, 50))
                events = np.stack([times, *RANDOM.integers(0, 34, (2, 50)), RANDOM.integers(0, 2, 50)], axis=1)
                write_bin(path / part / label / f"{number:05d}.bin", events)
    return path


def a_file(path, steps=4, **more):
    values = RANDOM.integers(0, 9, (40, steps, 6, 5, 2), dtype="uint8")
    np.savez(path, values=values, labels=np.arange(40) % 2, **more)
    return values


def test_an_event_of_five_bytes(tmp_path):
    write_bin(tmp_path / "one.bin", [[70_000, 3, 33, 1], [8_388_607, 33, 0, 0]])  # the last time that 23 bits hold
    assert read_events(tmp_path / "one.bin").tolist() == [[70_000, 3, 33, 1], [8_388_607, 33, 0, 0]]


def test_frames_by_time_and_by_count():
    events = np.array([[0, 0, 0, 1], [1, 0, 0, 1], [2, 1, 0, 0], [9, 1, 1, 0]])
    by_time, by_count = (frames_of(events, (2, 2), Frames(2, by)) for by in ("time", "count"))
    assert by_time.sum((1, 2, 3)).tolist() == [3, 1]
    assert by_count.sum((1, 2, 3)).tolist() == [2, 2]
    assert by_time[0, 0, 0].tolist() == [0, 2]  # darker, brighter
    assert by_count[1, 1, 1].tolist() == [1, 0]


def test_a_pixel_counts_to_255():
    events = np.tile([[5, 1, 1, 1]], (300, 1))
    assert frames_of(events, (2, 2), Frames(1)).max() == 255


def test_a_folder_of_n_mnist(tmp_path):
    mine = data.load(a_folder(tmp_path / "nmnist"), batch_size=4, frames=3, frames_by="count")
    assert mine.is_events
    assert mine.image_shape == (3, 34, 34, 2)
    assert [len(part[1]) for part in (mine.train_arrays, mine.validation_arrays, mine.test_arrays)] == [18, 2, 20]
    assert "3 frames of events, of equally many events" in mine.notes
    frames, _ = next(iter(mine.train))
    assert frames.dtype == "float32"
    assert np.max(frames) == mine.train_arrays[0].max()  # numbers of events, and no 256ths


def test_a_class_without_events_is_told_and_endings_in_capitals_are_read(tmp_path):
    folder = a_folder(tmp_path / "nmnist")
    files = sorted(folder.glob("Test/*/*.bin"))
    files[0].rename(files[0].with_suffix(".BIN"))
    assert len(data.load(folder).test_arrays[1]) == len(files)
    (folder / "Train" / "nine").mkdir()
    with pytest.raises(FileFormatError, match=r"nine: no \.bin files in it"):
        data.load(folder)


def test_classes_of_one_name_are_told(tmp_path):
    a_file(tmp_path / "mine.npz", class_names=np.array(["a", "a"]))
    with pytest.raises(FileFormatError, match="two classes are called 'a'"):
        data.load(tmp_path / "mine.npz")


def test_frames_in_a_file(tmp_path):
    values = a_file(tmp_path / "mine.npz", groups=np.repeat(np.arange(5), 8))
    mine = data.load(tmp_path / "mine.npz", augment="flip+crop", batch_size=8)
    np.testing.assert_array_equal(mine.test_arrays[0], values[32:])
    frames, _, places = next(iter(mine.training(places=True)))
    np.testing.assert_array_equal(frames, mine.view(0, places))


def test_all_frames_of_a_sample_are_moved_alike(tmp_path):
    pixel = np.zeros((40, 3, 8, 8, 2), "uint8")
    pixel[:, :, 4, 4, 1] = 7
    np.savez(tmp_path / "mine.npz", values=pixel, labels=np.arange(40) % 2)
    frames, _ = next(iter(data.load(tmp_path / "mine.npz", augment="flip+crop", batch_size=20).train))
    frames = np.array(frames)
    assert (frames == frames[:, :1]).all()
    assert len({tuple(np.argwhere(one)[0]) for one in frames}) > 3


def test_another_fold_has_other_people_as_test(tmp_path):
    values = a_file(tmp_path / "mine.npz", groups=np.repeat(np.arange(5), 8))
    np.testing.assert_array_equal(data.load(tmp_path / "mine.npz", fold=2).test_arrays[0], values[16:24])


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "empty or cut off"), (b"\0" * 12, "empty or cut off"), (b"\x40\0\0\0\0", "x = 64"), (b"\0\0\0\0\2\0\0\0\0\1", "order of time")],
)
def test_a_damaged_file_is_refused(tmp_path, content, match):
    (tmp_path / "one.bin").write_bytes(content)
    with pytest.raises(FileFormatError, match=match):
        read_events(tmp_path / "one.bin")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": None}, "labels must be class numbers"),
        ({"values": np.zeros((40, 4, 6, 5, 3))}, r"\[N, T, H, W, 2\]"),
        ({"values": np.full((40, 4, 6, 5, 2), 0.5)}, "numbers of events"),
        ({"values": -np.ones((40, 4, 6, 5, 2))}, "numbers of events"),
        ({"labels": np.full(40, -1)}, r"0\.\.K-1"),
        ({"labels": np.arange(39) % 2}, "39 labels for 40"),
        ({"groups": np.zeros(39)}, "39 groups"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, change, match):
    arrays = {"values": np.zeros((40, 4, 6, 5, 2)), "labels": np.arange(40) % 2, **change}
    np.savez(tmp_path / "mine.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(FileFormatError, match=match):
        data.load(tmp_path / "mine.npz")


def test_training_and_test_frames_of_other_sizes_are_refused():
    one, other = np.zeros((8, 3, 4, 4, 2), "uint8"), np.zeros((8, 3, 5, 4, 2), "uint8")
    labels = np.arange(8) % 2
    with pytest.raises(FileFormatError, match="differ"):
        split(Events("mine", ("a", "b"), (one, labels), None, (other, labels)))


def test_settings_for_other_data_are_refused(tmp_path):
    a_file(tmp_path / "mine.npz")
    with pytest.raises(ValueError, match=r"window .* cuts series"):
        data.load(tmp_path / "mine.npz", window=2)
    with pytest.raises(ValueError, match=r"\.bin files"):
        data.load(tmp_path / "mine.npz", frames=3)
    with pytest.raises(ValueError, match="holds images"):
        data.load("digits", fold=1)
    with pytest.raises(UnknownNameError, match="time"):
        data.load(tmp_path / "mine.npz", frames_by="tme")


# Simulated


def test_a_still_image_makes_no_event_and_an_edge_makes_some_where_it_is():
    assert not data.simulate_events(np.full((1, 8, 8), 0.5)).any()
    edge = np.zeros((1, 8, 8), "uint8")
    edge[:, :, 4:] = 255
    events = data.simulate_events(edge, frames=6, reach=2)
    assert events.shape == (1, 6, 8, 8, 2)
    columns = np.flatnonzero(events.sum((0, 1, 2, 4)))
    assert columns.tolist() == [4, 5]  # it moves right by two pixels and comes back
    darker, brighter = events[0].sum((1, 2)).T.tolist()
    assert [count > 0 for count in darker] == [True, True, False, False, False, False]  # the bright side goes to the right
    assert [count > 0 for count in brighter] == [False, False, True, True, False, False]  # and comes back, then moves along the edge


def test_events_add_up_to_the_change_of_the_logarithm():
    image = RANDOM.random((1, 6, 6))
    events = data.simulate_events(image, frames=3, threshold=0.05, reach=2).astype(int)
    total = (events[..., 1] - events[..., 0]).sum(1) * 0.05  # it ends where it began
    assert np.abs(total).max() <= 0.05


def test_what_is_simulated_says_so():
    events = data.simulate_events(data.load("digits", batch_size=16, augment="shift"), frames=4)
    assert events.name == "digits_simulated_events"
    assert events.image_shape == (4, 8, 8, 2)
    assert any("simulated" in line for line in data.describe(events))
    assert len(events.test_arrays[1]) == 359


def test_series_have_no_events(tmp_path):
    with pytest.raises(ShapeError, match="from images"):
        data.simulate_events(data.load("japanese_vowels"))
    with pytest.raises(ShapeError, match="floats from 0 to 1"):
        data.simulate_events(np.full((1, 4, 4), 3.0))
    with pytest.raises(ValueError, match="threshold"):
        data.simulate_events(np.zeros((1, 4, 4)), threshold=0)
