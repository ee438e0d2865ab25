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
        ("s.csv", "words\nfine\n", "none of its columns words is called sentence"),
        ("s.txt", "\n", "holds no sentences"),
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
