"""Sentences from files, rated or not, as token ids."""

import csv
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.data.splits import first, strata
from keras_snnkd.errors import FileFormatError, ShapeError
from keras_snnkd.training.feed import ArrayFeed

TEST, VALIDATION = 15, 10
"""Of a hundred documents, so many are for testing and for validation."""

SENTENCES = ("sentence", "text", "review", "snippet")
"""Names of a column of sentences."""

RATINGS = ("rating", "label", "score", "sentiment", "class")
"""Names of a column of ratings, or of classes."""

LENGTH, VOCABULARY, NEUTRAL = 24, 4000, 0.5
"""Tokens of a sentence, ids, and the rating below which a sentence is neutral, where nothing else is said."""

MOST_CLASSES = 100
"""Of sentences."""

BY_DOCUMENT = "of a hundred documents 75 are for training, 10 for validation and 15 for testing, by a hash of their names"


@dataclasses.dataclass(frozen=True)
class Words:
    """How sentences become token ids: what `keras_snnkd.data.load` takes for them alone.

    Args:
        tokens: Of a sentence; `None` for 24.
        vocabulary: How many ids; `None` for 4,000. Or the tokens by their ids, of a network that has learned them.
        unlabelled: A file of more sentences, or `None`.
    """

    tokens: int | None = None
    vocabulary: int | Sequence[str] | None = None
    unlabelled: Any = None

    def checked(self, name: Any) -> "Words":
        """Itself, for data of this name.

        Raises:
            ValueError: For numbers that cannot be, and for data that are no sentences.
        """
        size = len(self.vocabulary) if isinstance(self.vocabulary, (list, tuple)) else self.vocabulary
        for setting, value, least in (("tokens", self.tokens, 1), ("vocabulary", size, 3)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{setting} (--{setting}) must be a whole number of at least {least}, got {value!r}")
        if self != Words() and not (isinstance(name, (str, os.PathLike)) and holds_text(name)):
            raise ValueError(
                f"tokens, vocabulary and unlabelled (--tokens, --vocabulary, --unlabelled) are for sentences, and {name} holds none"
            )
        return self

    @property
    def length(self) -> int:
        """Tokens of a sentence."""
        return self.tokens or LENGTH

    @property
    def ids(self) -> int | Sequence[str]:
        """How many, or the tokens."""
        return self.vocabulary or VOCABULARY


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Sentences of a file.

    Args:
        texts: The sentences.
        ratings: A number for each, float32 `[N]`, or of classes their number; `None` where there are none.
        documents: Of which document each one is; sentences of one document stay in one part of the data.
        class_names: Of the classes, where the file gives names in place of ratings.
    """

    texts: list[str]
    ratings: Array | None
    documents: list[str]
    class_names: tuple[str, ...] = ()

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
        ratings = None if self.ratings is None else self.ratings[np.asarray(places, int)]
        texts, documents = ([column[place] for place in places] for column in (self.texts, self.documents))
        return dataclasses.replace(self, texts=texts, ratings=ratings, documents=documents)


def read_sentences(path: str | os.PathLike[str]) -> Sentences:
    """Read sentences from a file.

    Args:
        path: `.csv` or `.tsv` with a line of names, one of them `sentence` or `text`, and perhaps one `rating` or `label`, and one
            `document`; `.tsv` without names: id, rating, sentence in each line, where an id `12_3` is sentence 3 of document 12; `.txt`: a
            sentence a line, without ratings. In place of numbers the column of ratings may have the names of classes. Rows without a
            sentence are left out.

    Raises:
        FileFormatError: If the file is missing, empty or of another form; the line is told.

    Example:
        >>> kd.data.read_sentences("movieReviewSnippets.tsv").ratings[:3]
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text("utf-8-sig")  # with the mark that spreadsheets put first, or without
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot read {path}: {error}; expected text in UTF-8") from error
    readers = {".tsv": _read_tsv, ".csv": _read_csv, ".txt": _read_txt}
    if path.suffix.lower() not in readers:
        raise FileFormatError(f"cannot tell what {path} is; expected sentences in a file that ends in {', '.join(readers)}")
    try:
        found = readers[path.suffix.lower()](path, text.removesuffix("\n").split("\n"))  # other ends of lines are parts of sentences
    except csv.Error as error:
        raise FileFormatError(f"cannot read {path} as a table: {error}") from error
    if not found.texts:
        raise FileFormatError(f"{path} holds no sentences")
    return found


def holds_text(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of sentences, by its ending, or a CSV file by the names of its columns."""
    path = Path(path).expanduser()
    if path.suffix.lower() in (".tsv", ".txt"):
        return True
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig") as file:
            return _column(_columns(next(csv.reader(file), [])), SENTENCES) is not None
    except (OSError, UnicodeDecodeError, csv.Error):
        return False  # whatever is wrong with it, the reader of series says it


def _read_tsv(path: Path, lines: list[str]) -> Sentences:
    if lines and _column(_columns(lines[0].split("\t")), SENTENCES) is not None:
        return _read_table(path, lines, "\t")
    texts, ratings, documents = [], [], []
    for number, line in enumerate(lines, 1):
        parts = line.removesuffix("\r").split("\t")
        if len(parts) != 3:
            raise FileFormatError(f"{path}, line {number}: expected id, rating and sentence with tabs between them, got {len(parts)} parts")
        documents.append(parts[0].split("_")[0])
        ratings.append(parts[1])
        texts.append(parts[2])
    return _rated(path, texts, ratings, documents, first=1)


def _read_csv(path: Path, lines: list[str]) -> Sentences:
    return _read_table(path, lines, ",")


def _read_table(path: Path, lines: list[str], delimiter: str) -> Sentences:
    """Of a table whose first line has the names of its columns."""
    reader = csv.DictReader([f"{line}\n" for line in lines], delimiter=delimiter)
    names, rows = _columns(reader.fieldnames or []), list(reader)
    sentence, rating = _column(names, SENTENCES), _column(names, RATINGS)
    if sentence is None:
        raise FileFormatError(f"{path}: none of its columns {', '.join(names)} is called {' or '.join(SENTENCES)}")
    texts = [row[sentence] or "" for row in rows]
    ratings = None if rating is None else [row[rating] or "" for row in rows]
    documents = [str(row[names["document"]]) if "document" in names else str(number) for number, row in enumerate(rows)]
    return _rated(path, texts, ratings, documents, first=2)


def _columns(names: Iterable[Any]) -> dict[str, str]:
    """The names of columns as they stand, by what they are without capitals and spaces."""
    return {str(name).strip().lower(): str(name) for name in names}


def _column(names: dict[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _read_txt(path: Path, lines: list[str]) -> Sentences:
    texts = [line.strip() for line in lines if line.strip()]
    return Sentences(texts, None, [str(number) for number in range(len(texts))])


def _rated(path: Path, texts: list[str], ratings: list[str] | None, documents: list[str], first: int) -> Sentences:
    """Sentences with what a column of the file says of them, whose first row is in that line; without those that are blank."""
    said = [place for place, text in enumerate(texts) if text.strip()]
    found = Sentences(texts, None, documents)
    if ratings is None:
        return found.chosen(said)
    numbers = [_number(text) for text in ratings]
    if numbers and all(number is None for number in numbers):
        words = [text.strip() for text in ratings]
        if blank := [place for place, word in enumerate(words) if not word]:
            raise FileFormatError(f"{path}, line {blank[0] + first}: there is no rating, and no class")
        names = sorted(set(words))
        if not 2 <= len(names) <= MOST_CLASSES:
            raise FileFormatError(
                f"{path} has {len(names)} classes ({', '.join(names[:5])}, ...); expected 2 to {MOST_CLASSES}, or numbers"
            )
        places = {name: place for place, name in enumerate(names)}
        found = dataclasses.replace(found, ratings=np.array([places[word] for word in words], "float32"), class_names=tuple(names))
        return found.chosen(said)
    for place, number in enumerate(numbers):
        if number is None:
            raise FileFormatError(f"{path}, line {place + first}: expected a number as the rating, got {ratings[place]!r}")
    return dataclasses.replace(found, ratings=np.array(numbers, "float32")).chosen(said)


def _number(text: str) -> float | None:
    """A finite number, or `None`."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


@dataclasses.dataclass(frozen=True)
class TextData:
    """Token ids and labels in three parts, and what made ids of sentences.

    Args:
        train, validation, test: Ids int32 `[N, L]` and labels: class numbers int32 `[N]`, or ratings float32 `[N]`.
        vocabulary: The tokens by their ids; 0 is padding and 1 stands for any other.
        length: L.
        class_names: Of the labels; empty for ratings.
        name: Of the data.
        notes: How labels were made of ratings, in phrases.
    """

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    vocabulary: list[str]
    length: int
    class_names: tuple[str, ...]
    name: str
    notes: tuple[str, ...] = ()

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
    path: str | os.PathLike[str],
    length: int = LENGTH,
    vocabulary: int | Sequence[str] = VOCABULARY,
    neutral: float | None = NEUTRAL,
    limit: int | None = None,
) -> TextData:
    """Rated sentences as token ids, in parts that share no document.

    The classes are those of the file, where it has names or whole numbers from 0 on; of other ratings they are the two signs.

    Args:
        path: See `read_sentences`.
        length: Tokens of a sentence; longer ones are cut.
        vocabulary: Ids, of which 0 is padding and 1 any token that is not known; the commonest tokens of the training part get one. Or
            the tokens by their ids, as in `TextData.vocabulary`.
        neutral: Sentences rated nearer to 0 than this are left out, and the others are negative or positive by their sign; `None` for the
            ratings themselves as labels, of a regression.
        limit: Of sentences, the first of each class, or of small and of large ratings.

    Raises:
        FileFormatError: For what is no such file, has no ratings, no two classes, or too few sentences for three parts.

    Example:
        >>> data = kd.data.load_text("movieReviewSnippets.tsv")
        >>> student = kd.models.SpikingTransformer(data.length, len(data.vocabulary), data.num_outputs)
    """
    found, notes = _labelled(path, read_sentences(path), neutral)
    found = found.chosen(first(_strata(found), limit))
    parts = {name: found.chosen(places) for name, places in found.parts().items()}
    if empty := [name for name, part in parts.items() if not part.texts]:
        raise FileFormatError(f"{path} has {len(found.texts)} rated sentences, too few for a part for {empty[0]}")
    if isinstance(vocabulary, int):
        tokens = _vectorization(length, None, vocabulary)
        tokens.adapt(parts["train"].texts)
    else:
        tokens = _vectorization(length, list(vocabulary))
    kind = "int32" if found.class_names else "float32"
    arrays = {name: (_ids(tokens, part.texts), np.asarray(part.ratings).astype(kind)) for name, part in parts.items()}
    return TextData(
        **arrays, vocabulary=tokens.get_vocabulary(), length=length, class_names=found.class_names, name=Path(path).stem, notes=notes
    )


def _strata(found: Sentences) -> Array:
    """What sentences are alike in, `[N]`: their class, or how large the rating is."""
    ratings = np.asarray(found.ratings)
    return ratings.astype(int) if found.class_names else strata(ratings)


def _labelled(path: str | os.PathLike[str], found: Sentences, neutral: float | None) -> tuple[Sentences, tuple[str, ...]]:
    """Sentences whose ratings are class numbers, or with `neutral=None` numbers; and how these were made."""
    if found.ratings is None:
        raise FileFormatError(f"{path} has no ratings; a column named {' or '.join(RATINGS)} was expected")
    if neutral is None:
        if found.class_names:
            raise FileFormatError(f"{path} has classes ({', '.join(found.class_names[:5])}), and a regression needs numbers as ratings")
        return found, ()
    if found.class_names:
        return found, ()
    numbers = np.unique(found.ratings)
    if numbers[0] >= 0 and np.array_equal(numbers, np.rint(numbers)) and 2 <= len(numbers) <= MOST_CLASSES:
        places = np.searchsorted(numbers, found.ratings).astype("float32")
        return dataclasses.replace(found, ratings=places, class_names=tuple(f"{number:.0f}" for number in numbers)), ()
    kept = np.flatnonzero(np.abs(found.ratings) >= neutral)
    signs = (found.ratings[kept] > 0).astype("float32")
    if len(np.unique(signs)) < 2:
        raise FileFormatError(
            f"{path}: all ratings from {numbers[0]:g} to {numbers[-1]:g} are of one sign, which makes one class; give names of classes, or "
            "learn the ratings themselves (neutral=None, --task regression)"
        )
    note = f"classes are the signs of ratings; {len(found.texts) - len(kept):,} sentences rated nearer to 0 than {neutral:g} are left out"
    return dataclasses.replace(found.chosen(kept), ratings=signs, class_names=("negative", "positive")), (note,)


def _vectorization(length: int, vocabulary: list[str] | None, size: int | None = None) -> Any:
    """`keras.layers.TextVectorization`: lower case, without punctuation, split at spaces."""
    import keras

    if length < 1 or (size is not None and size < 3):
        raise ShapeError(f"length must be at least 1 and vocabulary at least 3, got {length} and {size}")
    return keras.layers.TextVectorization(max_tokens=size, output_sequence_length=length, vocabulary=vocabulary[2:] if vocabulary else None)


def _ids(tokens: Any, texts: list[str]) -> Array:
    return np.asarray(tokens(texts), "int32")
