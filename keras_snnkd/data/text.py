"""Sentences from files, rated or not, as token ids."""

import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.errors import FileFormatError, ShapeError
from keras_snnkd.training.feed import ArrayFeed

TEST, VALIDATION = 15, 10
"""Of a hundred documents, so many are for testing and for validation."""

SENTENCES = ("sentence", "text", "review", "snippet")
"""Names of a column of sentences."""

RATINGS = ("rating", "label", "score", "sentiment")
"""Names of a column of ratings."""


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Sentences of a file.

    Args:
        texts: The sentences.
        ratings: A number for each, float32 `[N]`; `None` where there are none.
        documents: Of which document each one is; sentences of one document stay in one part of the data.
    """

    texts: list[str]
    ratings: Array | None
    documents: list[str]

    def parts(self) -> dict[str, Array]:
        """The places of training, validation and test sentences: by a hash of the document, the same in every run and file."""
        hundredth = np.array([int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 100 for name in self.documents])
        return {
            "train": np.flatnonzero(hundredth >= TEST + VALIDATION),
            "validation": np.flatnonzero((hundredth >= TEST) & (hundredth < TEST + VALIDATION)),
            "test": np.flatnonzero(hundredth < TEST),
        }

    def chosen(self, places: Sequence[int] | Array) -> "Sentences":
        """Some of them."""
        ratings = None if self.ratings is None else self.ratings[np.asarray(places)]
        return Sentences([self.texts[place] for place in places], ratings, [self.documents[place] for place in places])


def read_sentences(path: str | Path) -> Sentences:
    """Read sentences from a file.

    Args:
        path: `.tsv`: id, rating, sentence in each line, where an id `12_3` is sentence 3 of document 12; `.csv`: with a line of names,
            one of them `sentence` or `text`, and perhaps one `rating` or `label`, and one `document`; `.txt`: a sentence a line, without
            ratings.

    Raises:
        FileFormatError: If the file is missing, empty or of another form; the line is told.

    Example:
        >>> kd.data.read_sentences("movieReviewSnippets.tsv").ratings[:3]
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot read {path}: {error}; expected text in UTF-8") from error
    readers = {".tsv": _read_tsv, ".csv": _read_csv, ".txt": _read_txt}
    if path.suffix.lower() not in readers:
        raise FileFormatError(f"cannot tell what {path} is; expected sentences in a file that ends in {', '.join(readers)}")
    found = readers[path.suffix.lower()](path, text.splitlines())
    if not found.texts:
        raise FileFormatError(f"{path} holds no sentences")
    return found


def _read_tsv(path: Path, lines: list[str]) -> Sentences:
    texts, ratings, documents = [], [], []
    for number, line in enumerate(lines, 1):
        parts = line.split("\t")
        if len(parts) != 3:
            raise FileFormatError(f"{path}, line {number}: expected id, rating and sentence with tabs between them, got {len(parts)} parts")
        documents.append(parts[0].split("_")[0])
        ratings.append(_number(parts[1], path, number))
        texts.append(parts[2])
    return Sentences(texts, np.array(ratings, "float32"), documents)


def _read_csv(path: Path, lines: list[str]) -> Sentences:
    rows = list(csv.DictReader(lines))
    names = {str(name).strip().lower(): name for name in (rows[0] if rows else {})}
    sentence = next((names[name] for name in SENTENCES if name in names), None)
    if sentence is None:
        raise FileFormatError(f"{path}: none of its columns {', '.join(names)} is called {' or '.join(SENTENCES)}")
    rating = next((names[name] for name in RATINGS if name in names), None)
    ratings = None
    if rating is not None:
        ratings = np.array([_number(row[rating], path, line) for line, row in enumerate(rows, 2)], "float32")
    documents = [row[names["document"]] if "document" in names else str(number) for number, row in enumerate(rows)]
    return Sentences([row[sentence] or "" for row in rows], ratings, documents)


def _read_txt(path: Path, lines: list[str]) -> Sentences:
    texts = [line.strip() for line in lines if line.strip()]
    return Sentences(texts, None, [str(number) for number in range(len(texts))])


def _number(text: str | None, path: Path, line: int) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise FileFormatError(f"{path}, line {line}: expected a number as the rating, got {text!r}") from None


@dataclasses.dataclass(frozen=True)
class TextData:
    """Token ids and labels in three parts, and what made ids of sentences.

    Args:
        train, validation, test: Ids int32 `[N, L]` and labels: class numbers int32 `[N]`, or ratings float32 `[N]`.
        vocabulary: The tokens by their ids; 0 is padding and 1 stands for any other.
        length: L.
        class_names: Of the labels; empty for ratings.
        name: Of the data.
    """

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    vocabulary: list[str]
    length: int
    class_names: tuple[str, ...]
    name: str

    @property
    def num_outputs(self) -> int:
        """Classes, or 1 for ratings."""
        return len(self.class_names) or 1

    def feed(self, batch_size: int = 64, seed: int = 0) -> ArrayFeed:
        """What a `Chain` trains on."""
        return ArrayFeed(self.train, self.validation, min(batch_size, len(self.train[1])), seed)

    def ids(self, sentences: Iterable[str]) -> Array:
        """Token ids of other sentences, int32 `[N, L]`."""
        return _ids(_vectorization(self.length, self.vocabulary), list(sentences))


def load_text(
    path: str | Path, length: int = 24, vocabulary: int = 4000, neutral: float | None = 0.5, limit: int | None = None
) -> TextData:
    """Rated sentences as token ids, in parts that share no document.

    Args:
        path: See `read_sentences`.
        length: Tokens of a sentence; longer ones are cut.
        vocabulary: Ids, of which 0 is padding and 1 any token that is not known; the commonest tokens of the training part get one.
        neutral: Sentences rated nearer to 0 than this are left out, and the others are negative or positive by their sign; `None` for the
            ratings themselves as labels, of a regression.
        limit: Of sentences, the first of the file.

    Raises:
        FileFormatError: For what is no such file, has no ratings, or too few sentences for three parts.

    Example:
        >>> data = kd.data.load_text("movieReviewSnippets.tsv")
        >>> student = kd.models.SpikingTransformer(data.length, len(data.vocabulary), data.num_outputs)
    """
    found = read_sentences(path)
    if found.ratings is None:
        raise FileFormatError(f"{path} has no ratings; a column named {' or '.join(RATINGS)} was expected")
    ratings = found.ratings
    kept = np.arange(len(ratings)) if neutral is None else np.flatnonzero(np.abs(ratings) >= neutral)
    found = found.chosen(kept[:limit])
    parts = {name: found.chosen(places) for name, places in found.parts().items()}
    if empty := [name for name, part in parts.items() if not part.texts]:
        raise FileFormatError(f"{path} has {len(found.texts)} rated sentences, too few for a part for {empty[0]}")
    tokens = _vectorization(length, None, vocabulary)
    tokens.adapt(parts["train"].texts)
    labels = {name: np.asarray(part.ratings) for name, part in parts.items()}
    if neutral is not None:
        labels = {name: (values > 0).astype("int32") for name, values in labels.items()}
    arrays = {name: (_ids(tokens, part.texts), labels[name]) for name, part in parts.items()}
    names = () if neutral is None else ("negative", "positive")
    return TextData(**arrays, vocabulary=tokens.get_vocabulary(), length=length, class_names=names, name=Path(path).stem)


def _vectorization(length: int, vocabulary: list[str] | None, size: int | None = None) -> Any:
    """`keras.layers.TextVectorization`: lower case, without punctuation, split at spaces."""
    import keras

    if length < 1 or (size is not None and size < 3):
        raise ShapeError(f"length must be at least 1 and vocabulary at least 3, got {length} and {size}")
    return keras.layers.TextVectorization(max_tokens=size, output_sequence_length=length, vocabulary=vocabulary[2:] if vocabulary else None)


def _ids(tokens: Any, texts: list[str]) -> Array:
    return np.asarray(tokens(texts), "int32")
