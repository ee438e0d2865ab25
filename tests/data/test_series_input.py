"""What people have: series in lists, labels of few bytes, damaged lines, arrays of other names. Read, or refused with what to do."""

import numpy as np
import pytest

from keras_snnkd import data
from keras_snnkd.data.series import Cut, Series, split
from keras_snnkd.errors import FileFormatError

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(40, 8, 2)).astype("float32")
LABELS = np.arange(40) % 2
FRAMES = RANDOM.integers(0, 9, (40, 3, 6, 5, 2), dtype="uint8")


def sizes(found):
    return [len(part[1]) for part in (found.train_arrays, found.validation_arrays, found.test_arrays)]


def load(path, **arrays):
    np.savez(path / "mine.npz", **arrays)
    return data.load(path / "mine.npz")


@pytest.mark.parametrize("values", [VALUES, FRAMES], ids=["series", "frames"])
@pytest.mark.parametrize("kind", ["uint8", "int8", "uint64"])
def test_labels_of_any_integers_are_read(tmp_path, values, kind):
    found = load(tmp_path, values=values, labels=LABELS.astype(kind))
    assert found.class_names == ("0", "1")
    assert sizes(found) == [28, 4, 8]


@pytest.mark.parametrize("values", [VALUES, FRAMES], ids=["series", "frames"])
@pytest.mark.parametrize("numbers", [[1, 2], [0, 5], [-1, 0]])
def test_labels_with_gaps_are_told_how_to_renumber_them(tmp_path, values, numbers):
    with pytest.raises(FileFormatError, match=rf"labels must be 0\.\.K-1 .* got 2 numbers from {numbers[0]} to {numbers[1]}; renumber"):
        load(tmp_path, values=values, labels=np.array(numbers)[LABELS])


@pytest.mark.parametrize("values", [VALUES, FRAMES], ids=["series", "frames"])
def test_arrays_that_nothing_is_done_with_are_named(tmp_path, values):
    found = load(tmp_path, values=values, labels=LABELS, mask=np.ones((40, 8)), people=np.arange(40))
    assert "not used: mask, people" in found.notes
    assert not [note for note in load(tmp_path, values=values, labels=LABELS, groups=np.arange(40)).notes if "not used" in note]


def test_groups_of_a_training_part_need_no_prefix(tmp_path):
    given = {"train_values": VALUES[:30], "train_labels": LABELS[:30], "test_values": VALUES[30:], "test_labels": LABELS[30:]}
    found = load(tmp_path, **given, groups=np.arange(30) // 3)
    np.testing.assert_array_equal(found.validation_arrays[0], VALUES[27:30])  # one whole group


def test_a_given_validation_part_is_used_and_nothing_is_taken_off_for_it(tmp_path):
    given = {
        "train_values": VALUES[:20],
        "train_labels": LABELS[:20],
        "validation_values": VALUES[20:26],
        "validation_labels": LABELS[20:26],
    }
    found = load(tmp_path, **given)
    assert sizes(found) == [16, 6, 4]
    assert found.notes == ("validation comes with the data; test is every fifth series of each class",)
    found = load(tmp_path, **given, test_values=VALUES[26:], test_labels=LABELS[26:])
    assert sizes(found) == [20, 6, 14]


def test_series_of_different_lengths_as_objects_are_told_how_to_be_saved(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [VALUES[0], VALUES[1][:5]]
    with pytest.raises(FileFormatError, match=r"values holds Python objects.*numpy\.concatenate\(values\), with lengths"):
        load(tmp_path, values=ragged, labels=LABELS[:2])


def test_series_and_labels_in_lists_are_taken():
    found = data.load(Series("mine", ("a", "b"), VALUES.tolist(), LABELS.tolist(), groups=[f"p{index // 8}" for index in range(40)]))
    assert sizes(found) == [24, 8, 8]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": ["a", "b"] * 20}, "got names; save numpy.unique"),
        ({"labels": LABELS + 0.5}, "with values in between"),
        ({"train": [], "labels": []}, "there are no series"),
        ({"train": [[[1.0, 2.0], [3.0]], *VALUES[1:].tolist()]}, r"must be an array \[T, C\]"),
        ({"train": VALUES.astype(str)}, "series 0 must be numbers, got <U"),
        ({"groups": np.ones((40, 2))}, r"an array \(40, 2\) of groups for 40 series"),
    ],
)
def test_series_in_memory_that_are_none_are_refused(change, match):
    with pytest.raises(FileFormatError, match=match):
        split(Series("mine", ("a", "b"), list(VALUES), LABELS)._replace(**change))


def test_small_classes_have_one_series_in_each_part():
    labels = np.repeat([0, 1, 2], [3, 4, 8])
    marked = [np.full((5, 2), number + 1.0) for number in range(15)]
    tests = set()
    for fold in range(5):
        parts = split(Series("mine", ("a", "b", "c"), marked, labels), cut=Cut(fold=fold))
        assert all(set(part[1].tolist()) == {0, 1, 2} for part in parts.values())
        assert sum(len(part[1]) for part in parts.values()) == 15
        tests |= set(parts["test_arrays"][0][:, 0, 0].astype(int).tolist())
    assert tests == set(range(1, 16))


def test_windows_are_told():
    long = Series("mine", ("a", "b"), [np.ones((300, 2))] * 40, LABELS)
    assert data.load(long).notes[1] == "series of more than 100 steps are cut into windows of 100, one every 50"
    assert data.load(long, window=60, hop=20).notes[1] == "series of more than 60 steps are cut into windows of 60, one every 20"
    assert len(data.load(long, window=300).notes) == 1
    assert "  series per class (train, validation, test): a 70/10/20; b 70/10/20" in data.describe(data.load(long))


TS = "{header}\n@data\n" + "\n".join(f"{i}.5,2:{i},1:{'walk' if i % 2 else 'sit'}" for i in range(20)) + "\n"


@pytest.mark.parametrize("header", ["@classLabel true sit walk", "@CLASSLABEL TRUE sit walk", "@classlabel\ttrue", "@classLabel true"])
def test_headers_of_ts_files_in_capitals_and_with_tabs(tmp_path, header):
    (tmp_path / "mine.ts").write_text(TS.format(header=header))
    assert data.load(tmp_path / "mine.ts").class_names == ("sit", "walk")


def test_a_ts_file_that_is_cut_off_within_a_class_is_refused(tmp_path):
    (tmp_path / "mine.ts").write_text(TS.format(header="@classLabel true sit walk")[:-3])
    with pytest.raises(FileFormatError, match=r"line 22: class 'wa' is none of sit, walk; is the line whole"):
        data.load(tmp_path / "mine.ts")


@pytest.mark.parametrize(
    ("header", "line", "match"),
    [
        ("series,label,x,y", "s,a,0,5,1", r"line 2: more values than the header's 4; decimals stand behind a point"),
        ("series,label,x,x", "s,a,1,2", "two columns are called 'x'"),
        ("series,label,x", "s,,1", "line 2: series 's' has no label"),
        ("series,label,x", "", "no lines after the header"),
    ],
)
def test_csv_files_that_would_be_misread_are_refused(tmp_path, header, line, match):
    (tmp_path / "mine.csv").write_text(f"{header}\n{line}\n")
    with pytest.raises(FileFormatError, match=match):
        data.load(tmp_path / "mine.csv")


def test_a_sound_without_a_whole_header_is_told(tmp_path):
    for name in ("a/1.wav", "b/1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"RIFF")
    with pytest.raises(FileFormatError, match=r"1\.wav: not a readable WAV file \(cut off\)"):
        data.load(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"values": FRAMES.transpose(0, 1, 4, 2, 3), "labels": LABELS}, r"save values\.transpose\(0, 1, 3, 4, 2\)"),
        (
            {"train_values": FRAMES, "train_labels": LABELS, "test_values": FRAMES, "test_labels": LABELS[:0]},
            "0 test_labels for 40 test_values",
        ),
    ],
)
def test_frames_of_other_shapes_are_told(tmp_path, arrays, match):
    with pytest.raises(FileFormatError, match=match):
        load(tmp_path, **arrays)


@pytest.mark.parametrize("width", [2, 8])
def test_series_under_the_names_of_images_are_told_how_to_be_series(tmp_path, width):
    series = RANDOM.normal(size=(40, 20, width))
    with pytest.raises(FileFormatError, match=r"series.*values= and labels=, or load a keras_snnkd\.data\.Series"):
        load(tmp_path, x_train=series, y_train=LABELS, x_test=series, y_test=LABELS)
