"""Series: readers, parts by group, windows, padding, augmentation, and what is refused."""

import wave

import numpy as np
import pytest

from keras_snnkd import data
from keras_snnkd.data import series_augment, series_files
from keras_snnkd.data.series import Cut, Series, split, statistics
from keras_snnkd.errors import FileFormatError
from keras_snnkd.files.padding import lengths

RANDOM = np.random.default_rng(0)


def recordings(count, steps=20, channels=3):
    return [RANDOM.normal(size=(steps + index % 3, channels)).astype("float32") for index in range(count)]


def source(count=30, groups=None, **more):
    return Series("mine", ("a", "b"), recordings(count, **more), np.arange(count) % 2, groups)


def test_japanese_vowels_come_with_the_package():
    vowels = data.load("japanese_vowels", batch_size=16)
    assert vowels.image_shape == (29, 12)
    assert vowels.is_series
    assert [len(part[1]) for part in (vowels.train_arrays, vowels.validation_arrays, vowels.test_arrays)] == [243, 27, 370]
    series, _ = next(iter(vowels.train))
    assert series.shape == (16, 29, 12)
    np.testing.assert_array_equal(series[0], vowels.view(0, [_place(vowels, series[0])])[0])


def _place(vowels, one):
    return int(np.flatnonzero((vowels.train_arrays[0] == np.array(one)).all(axis=(1, 2)))[0])


def test_shorter_series_are_padded_with_zeros_at_the_end():
    train, _ = split(source())["train_arrays"]
    assert train.shape[1:] == (22, 3)
    assert set(lengths(train)) == {20, 21, 22}
    assert not train[lengths(train) == 20][:, 20:].any()


def test_statistics_are_those_of_the_training_part_without_padding():
    arrays = split(source())["train_arrays"]
    steps = np.concatenate([one[:length] for one, length in zip(arrays[0], lengths(arrays[0]), strict=True)])
    mean, deviation = statistics(arrays)
    np.testing.assert_allclose(mean, steps.mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviation, steps.std(0), rtol=1e-5)


def test_all_windows_of_a_person_are_in_one_part():
    people = np.repeat(np.arange(10), 4)
    marked = [np.full((300, 2), person + 1, "float32") for person in people]
    parts = split(Series("mine", ("a", "b"), marked, np.arange(40) % 2, people))
    found = {part: set(np.unique(series).astype(int)) for part, (series, _) in parts.items()}
    assert found == {"train_arrays": {1, 2, 3, 4, 5, 6, 7}, "validation_arrays": {8}, "test_arrays": {9, 10}}
    assert parts["train_arrays"][0].shape == (7 * 4 * 5, 100, 2)


def test_windows_of_another_length_and_hop():
    marked = [np.arange(1, 301, dtype="float32")[:, None] for _ in range(30)]
    whole = Series("mine", ("a", "b"), marked, np.arange(30) % 2)
    halves, own = split(whole, cut=Cut(window=60)), split(whole, cut=Cut(window=60, hop=80))
    assert halves["train_arrays"][0][:3, 0, 0].tolist() == [1, 31, 61]
    assert own["train_arrays"][0][:5, 0, 0].tolist() == [1, 81, 161, 241, 1]
    assert own["train_arrays"][0].shape[1:] == (60, 1)


def test_a_window_longer_than_all_series_is_refused():
    with pytest.raises(ValueError, match="longest has 22 steps"):
        split(source(), cut=Cut(window=23))


@pytest.mark.parametrize("cut", [Cut(window=0), Cut(window=2.5), Cut(hop=5), Cut(window=10, hop=0), Cut(fold=-1)])
def test_cuts_that_are_none_are_refused(cut):
    with pytest.raises(ValueError, match=r"window|hop|fold"):
        split(source(), cut=cut)


def test_folds_leave_every_person_out_once():
    people = np.repeat(np.arange(10), 4)
    marked = [np.full((20, 2), person + 1, "float32") for person in people]
    whole = Series("mine", ("a", "b"), marked, np.arange(40) % 2, people)
    found = [split(whole, cut=Cut(fold=fold)) for fold in range(5)]
    left_out = [set(np.unique(parts["test_arrays"][0]).astype(int)) for parts in found]
    assert left_out == [{9, 10}, {7, 8}, {5, 6}, {3, 4}, {1, 2}]
    assert all(set(np.unique(parts["train_arrays"][0])).isdisjoint(parts["test_arrays"][0].ravel()) for parts in found)
    with pytest.raises(ValueError, match="5 folds"):
        split(whole, cut=Cut(fold=5))


def test_folds_of_series_without_groups_divide_them_all():
    marked = [np.full((20, 2), number + 1, "float32") for number in range(40)]
    whole = Series("mine", ("a", "b"), marked, np.arange(40) % 2)
    tests = [split(whole, cut=Cut(fold=fold))["test_arrays"][0][:, 0, 0] for fold in range(5)]
    assert sorted(np.concatenate(tests).astype(int)) == list(range(1, 41))


def test_series_in_memory_and_given_parts():
    mine = data.load(source(), batch_size=4)
    assert (mine.name, mine.image_shape) == ("mine", (22, 3))
    given = source()._replace(test=(recordings(4), np.arange(4) % 2), validation=(recordings(6), np.arange(6) % 2))
    parts = split(given)
    assert [len(parts[f"{part}_arrays"][1]) for part in ("train", "validation", "test")] == [30, 6, 4]
    assert data.load(given).notes == ("validation and test come with the data",)


def test_a_file_of_values_and_lengths(tmp_path):
    series = recordings(30)
    groups = np.repeat(np.arange(5), 6)
    more = {"labels": np.arange(30) % 2, "groups": groups, "class_names": ["sit", "walk"]}
    np.savez(tmp_path / "mine.npz", values=np.concatenate(series), lengths=[len(one) for one in series], **more)
    mine = data.load(tmp_path / "mine.npz")
    assert mine.class_names == ("sit", "walk")
    assert len(mine.test_arrays[1]) == 6
    np.testing.assert_array_equal(mine.test_arrays[0][0, :20], series[24])


def test_a_file_of_windows(tmp_path):
    values = RANDOM.normal(size=(40, 8, 2))
    np.savez(tmp_path / "mine.npz", values=values, labels=np.arange(40) % 2)
    mine = data.load(tmp_path / "mine.npz")
    assert mine.image_shape == (8, 2)
    assert [len(part[1]) for part in (mine.train_arrays, mine.validation_arrays, mine.test_arrays)] == [28, 4, 8]


def test_files_of_the_uea_archive(tmp_path):
    for part in ("TRAIN", "TEST"):
        lines = [f"{i}.5,2,3:{i},0,1:{'yes' if i % 2 else 'no'}" for i in range(20)]
        (tmp_path / f"Mine_{part}.ts").write_text("\n".join(["# about", "@classLabel true no yes", "@data", *lines]))
    mine = data.load(tmp_path / "Mine_TRAIN.ts")
    assert (mine.name, mine.class_names, mine.image_shape) == ("mine", ("no", "yes"), (3, 2))
    assert len(mine.test_arrays[1]) == 20
    np.testing.assert_array_equal(mine.test_arrays[0][3], [[3.5, 3], [2, 0], [3, 1]])


def test_a_csv_file_of_steps(tmp_path):
    rows = [f"{one},{'ab'[one % 2]},p{one // 10},{one + step / 8},{step}" for one in range(30) for step in range(4)]
    (tmp_path / "mine.csv").write_text("\n".join(["series,label,group,x,y", *rows]))
    mine = data.load(tmp_path / "mine.csv")
    assert mine.image_shape == (4, 2)
    assert len(mine.test_arrays[1]) == 10
    np.testing.assert_array_equal(mine.test_arrays[0][0], [[20 + step / 8, step] for step in range(4)])


def write_wav(path, rate=16000, seconds=0.2, pitch=440.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((8000 * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)).astype("<i2").tobytes())


def test_folders_of_sounds_become_log_mel_spectra(tmp_path):
    for label, pitch in (("high", 3000.0), ("low", 300.0)):
        for number in range(10):
            write_wav(tmp_path / label / f"{number}.wav", pitch=pitch)
    mine = data.load(tmp_path)
    assert mine.image_shape == (18, series_files.MELS)
    series, labels = mine.test_arrays
    loudest = series.mean(axis=1).argmax(axis=-1)
    assert loudest[labels == 0].min() > loudest[labels == 1].max()


def test_sounds_with_their_ending_in_capitals_are_read_and_a_class_without_sounds_is_told(tmp_path):
    for label in ("a", "b"):
        for number in range(10):
            write_wav(tmp_path / label / f"{number}.{'WAV' if number % 2 else 'wav'}")
    assert sum(len(part[1]) for part in parts_of(data.load(tmp_path))) == 20
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "song.mp3").write_bytes(b"")
    with pytest.raises(FileFormatError, match=r"c: no \.wav files in it; convert other ones"):
        data.load(tmp_path)
    (tmp_path / "c" / "song.mp3").rename(tmp_path / "a" / "song.mp3")
    (tmp_path / "c").rmdir()
    (tmp_path / "c").symlink_to("elsewhere")
    with pytest.raises(FileFormatError, match="c: is a link to elsewhere, which is not there"):
        data.load(tmp_path)
    write_wav(tmp_path / "half" / "train" / "a" / "1.wav")
    with pytest.raises(FileFormatError, match=r"has train/ and no test/"):
        data.load(tmp_path / "half")


def parts_of(found):
    return found.train_arrays, found.validation_arrays, found.test_arrays


def test_a_csv_file_of_a_spreadsheet(tmp_path):
    lines = [f"s{number},{'ab'[number % 2]},{number + 1}.5" for number in range(20)]
    (tmp_path / "marked.csv").write_text("\ufeff" + "\n".join(["series,label,x", *lines]))
    assert data.load(tmp_path / "marked.csv").class_names == ("a", "b")
    (tmp_path / "other.csv").write_text("\n".join(["series,label,x", *lines]).replace(",", ";"))
    with pytest.raises(FileFormatError, match="got series;label;x; columns stand between commas"):
        data.load(tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(30) % 3 + 2**40, r"got 1099511627776\.\.1099511627778; renumber them with numpy\.unique"),
        (np.arange(30) % 3 * 1.0, r"got float64; save labels\.astype\(int\)"),
        (np.array(["a", "b", "c"] * 10), "got names; save numpy.unique"),
        (np.eye(3)[np.arange(30) % 3], r"of one-hot labels \[N, K\] save labels\.argmax\(1\)"),
    ],
)
def test_labels_of_series_that_are_no_class_numbers_are_told_what_to_save(tmp_path, labels, message):
    np.savez(tmp_path / "mine.npz", values=np.ones((30, 4, 2), "float32"), labels=labels)
    with pytest.raises(FileFormatError, match=message):
        data.load(tmp_path / "mine.npz")


def test_sounds_of_another_rate_are_refused(tmp_path):
    write_wav(tmp_path / "a" / "1.wav")
    write_wav(tmp_path / "b" / "2.wav", rate=8000)
    with pytest.raises(FileFormatError, match=r"2\.wav: 8000 samples per second, and .*1\.wav has 16000"):
        data.load(tmp_path)


def test_sounds_of_too_low_a_rate_are_refused(tmp_path):
    for label in "ab":
        write_wav(tmp_path / label / "1.wav", rate=100, seconds=2)
    with pytest.raises(FileFormatError, match=r"1\.wav: 100 samples per second; bands begin at 60 Hz, which takes twice that"):
        data.load(tmp_path)


def test_a_truncated_sound_is_refused(tmp_path):
    write_wav(tmp_path / "a" / "1.wav")
    whole = (tmp_path / "a" / "1.wav").read_bytes()
    (tmp_path / "a" / "1.wav").write_bytes(whole[:1001])
    with pytest.raises(FileFormatError, match=r"1\.wav: expected 16-bit mono, whole"):
        data.load(tmp_path)


BAD = {
    "channels": (lambda: source()._replace(train=[*recordings(29), *recordings(1, channels=4)]), "same channels, got 3, 4 of them"),
    "nan": (lambda: source()._replace(train=[np.full((5, 3), np.nan, "float32"), *recordings(29)]), "series 0 holds NaN"),
    "zero end": (lambda: source()._replace(train=[np.eye(4, 3, dtype="float32"), *recordings(29)]), "series 0 ends in zeros"),
    "labels": (lambda: source()._replace(labels=np.zeros(7, int)), "7 labels for 30 series"),
    "classes": (lambda: source()._replace(labels=np.full(30, 5)), r"labels must be 0\.\.1, got 5\.\.5"),
    "groups": (lambda: source(groups=np.zeros(7)), "7 groups for 30 series; each series needs the group"),
    "a group of nobody": (
        lambda: source(groups=np.array(["", *"abcde" * 5, *"abcd"])),
        r"1 of 30 samples have no group \(counted from 0: 0\)",
    ),
    "groups of NaN": (lambda: source(groups=np.full(30, np.nan)), r"30 of 30 samples have no group \(counted from 0: 0, 1, 2, \.\.\.\)"),
    "one group": (lambda: source(groups=np.zeros(30)), "1 groups; training, validation and test need one each"),
    "class in one group": (lambda: source(groups=np.where(np.arange(30) % 2, 9, np.arange(30) // 10)), "no training series of the classes"),
    "flat": (lambda: source()._replace(train=[np.ones(5, "float32"), *recordings(29)]), r"series 0 must be \[T, C\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_series_that_do_not_fit_are_refused(name):
    make, match = BAD[name]
    with pytest.raises(FileFormatError, match=match):
        split(make())


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"values": np.ones((4, 5, 2))}, "labels missing"),
        ({"values": np.ones((4, 5)), "labels": np.arange(4)}, r"values must be \[N, T, C\]"),
        ({"values": np.ones((9, 2)), "labels": np.arange(2), "lengths": [4, 4]}, "a sum of 8"),
        ({"values": np.ones((4, 5, 2)), "labels": np.arange(4), "lengths": [5, 5, 6, 5]}, "1 to 5 for each of the 4 series .* up to 6"),
        ({"values": np.ones((4, 5, 2)), "labels": np.arange(4), "lengths": [5, 5, 5]}, "1 to 5 for each of the 4 series .* got 3 of them"),
        ({"values": np.ones((4, 5, 2)), "labels": np.ones(4)}, "integers 0..K-1, got float64"),
    ],
)
def test_files_with_other_arrays_are_refused(arrays, match, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(FileFormatError, match=match):
        data.load(tmp_path / "mine.npz")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("1,2:3,x:yes", "channels must be numbers"),
        ("?,2:1,3:no", "channels must be numbers"),
        ("1,2:3:yes", "every channel must have equally many steps, got 1, 2"),
        ("yes", "every channel must have equally many steps, got none"),
    ],
)
def test_lines_of_a_ts_file_that_are_no_series_are_refused(line, match, tmp_path):
    (tmp_path / "mine.ts").write_text(f"@classLabel true no yes\n@data\n{line}\n")
    with pytest.raises(FileFormatError, match=rf"mine\.ts, line 3: {match}"):
        data.load(tmp_path / "mine.ts")


@pytest.mark.every(2)
@pytest.mark.parametrize("name", ["jitter", "scale", "time_shift", "time_mask"])
def test_augmentation_changes_series_but_not_their_padding_and_is_seeded(name):
    plain, first, again, other = (
        next(iter(data.load("japanese_vowels", batch_size=243, augment=augment, seed=seed).train))[0].numpy()
        for augment, seed in (("none", 0), (name, 0), (name, 0), (name, 1))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != plain).any(axis=(1, 2)).mean() > 0.5
    np.testing.assert_array_equal(lengths(first), lengths(plain))


def test_jitter_is_noise_of_the_channels_size_and_different_for_each_series():
    series = np.random.default_rng(0).normal(0.0, [1.0, 9.0], (3, 400, 2)).astype("float32")
    noise = (series_augment.jitter(series, np.array([[1], [2], [2**30 - 1]], np.int32)) - series) / series.std(1, keepdims=True)
    np.testing.assert_allclose(np.std(noise, axis=1), series_augment.JITTER, rtol=0.15)
    flat = np.reshape(noise, (3, -1)) / series_augment.JITTER
    others = [*np.corrcoef(flat)[np.triu_indices(3, 1)], *(np.corrcoef(one[1:], one[:-1])[0, 1] for one in flat)]
    assert np.abs(others).max() < 0.12  # neither each other's nor their neighbours'


def test_augmentation_of_images_is_refused_for_series_and_the_reverse():
    with pytest.raises(ValueError, match=r"'flip' is for images, and these data are series; take none, jitter"):
        data.load("japanese_vowels", augment="flip")
    with pytest.raises(ValueError, match=r"'jitter' is for series, and these data are images; take none, flip"):
        data.load("digits", augment="jitter")
