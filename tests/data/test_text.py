"""Sentences from files: forms, parts that share no document, ids, and what is told of other files."""

import numpy as np
import pytest

import keras_snnkd as kd
from keras_snnkd.errors import FileFormatError

WORDS = ("good", "bad", "film", "plot", "dull", "fine")


def write_tsv(path, documents=60):
    lines = [
        f"{document}_{sentence}\t{2.0 if (document + sentence) % 2 else -2.0}\tA {WORDS[document % 6]}, {WORDS[sentence]} one!"
        for document in range(documents)
        for sentence in range(3)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_parts_share_no_document_and_are_the_same_in_every_run(tmp_path):
    found = kd.data.read_sentences(write_tsv(tmp_path / "s.tsv"))
    parts = found.parts()
    documents = {name: {found.documents[place] for place in places} for name, places in parts.items()}
    assert sum(map(len, parts.values())) == 180
    assert all(documents.values())
    assert not documents["train"] & documents["test"]
    assert not documents["train"] & documents["validation"]
    assert not documents["validation"] & documents["test"]
    assert documents["test"] == {found.documents[place] for place in found.parts()["test"]}
    assert "7" in documents["train"]  # by the hash of the name alone


def test_ids_are_those_of_the_training_words_and_padded_with_zeros(tmp_path):
    data = kd.data.load_text(write_tsv(tmp_path / "s.tsv"), length=5, vocabulary=20)
    ids = data.ids(["a good film", "unheard"])
    assert [data.vocabulary[token] for token in ids[0][:3]] == ["a", "good", "film"]
    np.testing.assert_array_equal(ids[0][3:], 0)
    assert ids[1][0] == 1
    assert data.train[0].dtype == np.int32
    assert set(np.unique(data.train[1])) == {0, 1}


def test_neutral_sentences_are_left_out_or_ratings_stay_numbers(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_text("".join(f"{n}\t{rating}\tsentence {n}\n" for n, rating in enumerate(np.linspace(-1, 1, 101).round(2))))
    ratings = kd.data.load_text(path, neutral=None)
    signs = kd.data.load_text(path, neutral=0.5)
    assert sum(len(part[1]) for part in (ratings.train, ratings.validation, ratings.test)) == 101
    assert sum(len(part[1]) for part in (signs.train, signs.validation, signs.test)) == 52
    assert (ratings.num_outputs, signs.num_outputs) == (1, 2)
    assert ratings.train[1].dtype == np.float32


def test_csv_and_txt(tmp_path):
    (tmp_path / "s.csv").write_text('text,label\n"one, two",1\nthree,-1\n')
    found = kd.data.read_sentences(tmp_path / "s.csv")
    assert found.texts == ["one, two", "three"]
    assert found.ratings.tolist() == [1, -1]
    (tmp_path / "s.txt").write_text("one\n\ntwo\n")
    assert kd.data.read_sentences(tmp_path / "s.txt").texts == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("s.tsv", "1\t2.0\n", "line 1: expected id, rating and sentence"),
        ("s.tsv", "1\t2.0\tfine\n2\tgood\tfine\n", "line 2: expected a number as the rating, got 'good'"),
        ("s.tsv", "1\tnan\tfine\n2\t1\tfine\n", "line 1: expected a number as the rating, got 'nan'"),
        ("s.csv", "text,label\none,good\ntwo,\n", "line 3: there is no rating"),
        ("s.csv", "text,label\none,good\ntwo,good\n", "has 1 classes"),
        ("s.csv", "words\nfine\n", "none of its columns words is called sentence"),
        ("s.txt", "\n", "holds no sentences"),
        ("s.csv", "text,label\n", "holds no sentences"),
        ("s.doc", "x", "ends in .tsv, .csv, .txt"),
    ],
)
def test_other_files_are_told(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFormatError, match=told):
        kd.data.read_sentences(tmp_path / name)


def test_a_file_without_ratings_or_with_too_few_cannot_be_learned(tmp_path):
    (tmp_path / "s.txt").write_text("one\ntwo\n")
    with pytest.raises(FileFormatError, match="has no ratings"):
        kd.data.load_text(tmp_path / "s.txt")
    with pytest.raises(FileFormatError, match="too few"):
        kd.data.load_text(write_tsv(tmp_path / "s.tsv", documents=2))


def table(path, ratings, delimiter=","):
    """A table with a line of names, a document a row."""
    rows = [f"{rating}{delimiter}sentence {number}" for number, rating in enumerate(ratings)]
    path.write_text(f"Label{delimiter}Text\n" + "\n".join(rows) + "\n")
    return path


def test_classes_may_have_names_or_be_whole_numbers(tmp_path):
    named = kd.data.load_text(table(tmp_path / "n.tsv", ["ham", "spam", "eggs"] * 40, "\t"))
    assert named.class_names == ("eggs", "ham", "spam")
    assert set(np.unique(named.train[1])) == {0, 1, 2}
    stars = kd.data.load_text(table(tmp_path / "s.csv", [1, 2, 3, 4, 5] * 30))
    assert stars.class_names == ("1", "2", "3", "4", "5")  # by their sign they would be one class
    assert kd.data.load_text(table(tmp_path / "z.csv", [0, 1] * 60)).num_outputs == 2
    with pytest.raises(FileFormatError, match="are of one sign"):
        kd.data.load_text(table(tmp_path / "p.csv", np.linspace(0.6, 4, 90)))
    with pytest.raises(FileFormatError, match="a regression needs numbers"):
        kd.data.load_text(tmp_path / "n.tsv", neutral=None)


def test_marks_of_spreadsheets_quoted_lines_and_odd_spaces(tmp_path):
    text = 'text,label\r\n"two\nlines",1\r\n"one\u2028line",-1\r\n'
    (tmp_path / "s.csv").write_bytes(text.encode("utf-8-sig"))
    assert kd.data.holds_text(tmp_path / "s.csv")
    found = kd.data.read_sentences(tmp_path / "s.csv")
    assert (found.texts, found.ratings.tolist()) == (["two\nlines", "one\u2028line"], [1, -1])
    (tmp_path / "s.tsv").write_bytes("1\t2\tone\x85sentence\r\n".encode())
    assert kd.data.read_sentences(tmp_path / "s.tsv").texts == ["one\x85sentence"]
    (tmp_path / "long.csv").write_text("text,label\n" + "a" * 200_000 + ",1\n")
    with pytest.raises(FileFormatError, match="as a table: field larger"):
        kd.data.read_sentences(tmp_path / "long.csv")


def test_some_sentences_are_of_all_classes_also_where_they_come_one_class_after_the_other(tmp_path):
    data = kd.data.load_text(table(tmp_path / "s.csv", [0] * 100 + [1] * 100), limit=60)
    assert np.bincount(np.concatenate([part[1] for part in (data.train, data.validation, data.test)])).tolist() == [30, 30]


def test_rows_without_a_sentence_are_left_out(tmp_path):
    (tmp_path / "s.csv").write_text("text,label\n  ,1\nfine,-1\n")
    found = kd.data.read_sentences(tmp_path / "s.csv")
    assert (found.texts, found.ratings.tolist()) == (["fine"], [-1])


def test_sentences_are_a_data_set_like_others(tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("a good film\na dull plot\n")
    data = kd.data.load(write_tsv(tmp_path / "s.tsv"), tokens=5, vocabulary=20, unlabelled=more, batch_size=16)
    assert (data.image_shape, data.num_outputs, data.kind) == ((5,), 2, "sentences")
    ids, labels = next(iter(data.train))
    assert (ids.dtype, ids.shape, labels.shape) == ("int32", (16, 5), (16,))
    np.testing.assert_array_equal(data.view(0, np.array([3])), data.train_arrays[0][3:4])
    wider = data.with_unlabelled()
    assert wider.train_arrays[0][-1].tolist() == data.unlabelled[-1].tolist()
    assert wider.train_arrays[1][-2:].tolist() == [-1, -1]
    told = "\n".join(kd.data.describe(data))
    assert "sentences (5,), a vocabulary of" in told
    assert "2 more without labels" in told
    ratings = kd.data.load(tmp_path / "s.tsv", task="regression")
    assert ratings.gives_numbers
    assert ratings.train_arrays[1].shape[1:] == (1,)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"tokens": 0}, "tokens .* at least 1, got 0"),
        ({"vocabulary": 2}, "at least 3"),
        ({"mixup": 0.2}, "mixup"),
        ({"augment": "flip"}, "sentences"),
    ],
)
def test_settings_that_sentences_cannot_have(tmp_path, arguments, told):
    with pytest.raises(ValueError, match=told):
        kd.data.load(write_tsv(tmp_path / "s.tsv"), **arguments)


def test_settings_of_sentences_are_for_sentences_and_series_stay_series(tmp_path):
    with pytest.raises(ValueError, match="are for sentences, and digits holds none"):
        kd.data.load("digits", tokens=5)
    (tmp_path / "series.csv").write_text("series,step,value,label\n0,0,1.0,0\n")
    assert not kd.data.holds_text(tmp_path / "series.csv")
    assert kd.data.holds_series(tmp_path / "series.csv")
    assert not kd.data.holds_series(table(tmp_path / "s.csv", [0, 1]))
