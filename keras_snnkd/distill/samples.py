"""Real inputs and labels on which a teacher is looked at, and how well its answers fit the labels."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keras_snnkd._types import Array
from keras_snnkd.distill.batches import brings
from keras_snnkd.distill.taps import TEACHER, TEACHER_INPUTS
from keras_snnkd.errors import ShapeError
from keras_snnkd.files.samples import Samples as Inputs
from keras_snnkd.files.samples import arrays, count, of_each, rows

LOOKED_AT, READ = 256, 16_384
"""Images on which a teacher is looked at, at most, and of how many they are taken."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Some real images on which a teacher is looked at.

    Args:
        images: `[N, ...]`, as the student gets them; of several inputs a mapping by name.
        labels: Class numbers `[N]` or `[N, 1]`, one-hot `[N, C]`, or numbers of any shape `[N, ...]`; `None` where they are not known.
    """

    images: Inputs
    labels: Any = None

    def __len__(self) -> int:
        return count(self.images)

    def of_classes(self, outputs: Array) -> bool:
        """Whether the labels are classes, and outputs `[N, C]` can be right about them."""
        labels = np.asarray(self.labels)
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            return False
        if labels.ndim == 2 and labels.shape[1] > 1:
            return labels.shape == outputs.shape and bool(np.all(labels >= 0) and np.allclose(labels.sum(1), 1, atol=1e-3))
        return labels.size == len(labels) and bool(np.all(labels == labels.astype(int)))

    def right(self, outputs: Array) -> Array:
        """Which answers are right, `[N]`, where labels are classes."""
        return likeliest(outputs) == class_numbers(self.labels)

    def fit(self, outputs: Array) -> float | None:
        """How well outputs `[N, ...]` fit the labels: the share of right classes, or of numbers the square of their correlation.

        The latter knows neither scale nor offset, so that a teacher of logarithms is as good as one of the numbers themselves. `None`
        where outputs and labels are not equally many.
        """
        if self.of_classes(outputs):
            return float(np.mean(self.right(outputs)))
        labels, found = np.asarray(self.labels, "float64").ravel(), np.asarray(outputs, "float64").ravel()
        if labels.size != found.size:
            return None
        if np.ptp(labels) == 0 or np.ptp(found) == 0:
            return 0.0
        return float(max(0.0, np.corrcoef(labels, found)[0, 1]) ** 2)

    def chance(self, outputs: Array) -> float:
        """The fit of who always gives the same answer: the share of the commonest class, or 0."""
        return commonest(self.labels) if self.of_classes(outputs) else 0.0


def commonest(labels: Any) -> float:
    """The share of the commonest class."""
    numbers = class_numbers(labels)
    return float(np.bincount(numbers).max() / len(numbers))


def likeliest(outputs: Array) -> Array:
    """The class with the largest output, `[N, C] -> [N]`."""
    return np.asarray(outputs).argmax(-1)


def samples_of_data(data: Any) -> Samples | None:
    """Validation images of a data set, and where they are few some of its training images, none augmented; see `samples_of`.

    Args:
        data: Has `validation`, and perhaps `train_arrays` and `view` as `keras_snnkd.data.Data`.
    """
    if not hasattr(data, "train_arrays"):
        return samples_of(data.validation)

    def training(number: int) -> tuple[Inputs, Array]:
        chosen = np.unique(np.linspace(0, len(data.train_arrays[1]) - 1, number).astype(int))
        clean = dataclasses.replace(data, augment="none", mixup=0.0)  # as validation images are
        return of_each(np.asarray, clean.view(0, chosen)), data.train_arrays[1][chosen]

    return samples_of(data.validation, training)


def samples_of(source: Any, fill_up: Callable[[int], tuple[Inputs, np.ndarray]] | None = None) -> Samples | None:
    """At most `LOOKED_AT` images and labels, evenly spread over the source: in many files one class comes after the other.

    Args:
        source: `(images, labels)`, or an iterable of batches, such as a `tf.data.Dataset`.
        fill_up: Gives so many more images and labels, where the source has fewer.

    Returns:
        The samples, or `None` for what cannot be read twice or holds something else, such as the teacher's own inputs.
    """
    found = _spread([source] if _is_pair(source) else _batches(source))
    if found is None:
        return None
    images, labels = [found[0]], [found[1]]
    if fill_up is not None and len(labels[0]) < LOOKED_AT:
        more = fill_up(LOOKED_AT - len(labels[0]))
        images.append(more[0])
        labels.append(np.asarray(more[1]))
    images, labels = ([part for part, some in zip(parts, labels, strict=True) if len(some)] for parts in (images, labels))
    if not images:
        return None
    if len({part.ndim for part in labels}) > 1:
        labels = [class_numbers(part) for part in labels]
    return Samples(of_each(lambda *parts: np.concatenate(parts), *images), np.concatenate(labels))


def _spread(pairs: Iterable[Any]) -> tuple[Inputs, Array] | None:
    """At most `LOOKED_AT` images and labels of the first `READ` of all pairs; `None` if one holds something else."""
    images: list[Inputs] = []  # of single samples
    labels: list[Array] = []
    step, seen = 1, 0  # every how-manieth is kept, and how many have passed
    for pair in pairs:
        if not _is_pair(pair):
            return None
        if count(pair[0]) != len(pair[1]):
            raise ShapeError(f"got {count(pair[0])} images and {len(pair[1])} labels; expected one label for each image")
        shown = of_each(np.asarray, pair[0])
        chosen = np.flatnonzero((seen + np.arange(count(shown))) % step == 0)
        images.extend(rows(shown, place) for place in chosen)
        labels.extend(np.asarray(pair[1])[chosen])
        seen += count(shown)
        while len(images) > 2 * LOOKED_AT:
            images, labels, step = images[::2], labels[::2], 2 * step
        if seen >= READ:
            break
    kept = np.unique(np.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).astype(int))
    few = [images[place] for place in kept]
    together = of_each(lambda *each: np.array(each), *few) if few else np.array(few)
    return together, np.array([labels[place] for place in kept])


def class_numbers(labels: Any) -> np.ndarray:
    """Labels `[N]`, `[N, 1]` or one-hot `[N, C]` as class numbers `[N]`."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(-1)
    return labels.reshape(-1).astype(int)


def _is_pair(source: Any) -> bool:
    if not isinstance(source, (tuple, list)) or len(source) not in (2, 3) or not hasattr(source[1], "shape"):
        return False
    if isinstance(source[0], dict) and (brings(source[0], TEACHER) or brings(source[0], TEACHER_INPUTS)):
        return False
    return bool(arrays(source[0])) and all(hasattr(part, "shape") for part in arrays(source[0]))


def _batches(source: Any) -> Iterable[Any]:
    """The batches of what can be read again and again."""
    return source if source is not None and hasattr(source, "__iter__") and not hasattr(source, "__next__") else ()
