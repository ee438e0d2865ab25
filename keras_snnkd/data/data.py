"""A data set in memory, and the batches it gives."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from keras_snnkd._types import Tensor
from keras_snnkd.data.augment import augmentation, check_axes
from keras_snnkd.data.few_labels import UNLABELLED, check_share, is_labelled
from keras_snnkd.data.mixup import shares
from keras_snnkd.data.pipeline import augmented, on_cpu, to_float
from keras_snnkd.data.repeats import repeats
from keras_snnkd.data.settings import check_settings
from keras_snnkd.files.pictures import Resize
from keras_snnkd.files.samples import Samples, arrays, count, of_each, rows

Arrays = tuple[Samples, np.ndarray]


def _gathered(images: Samples, indices: Tensor) -> Samples:
    """Some of the images, tensors `[N, ...]`, or of each input."""
    import tensorflow as tf

    return of_each(lambda values: tf.gather(values, indices), images)


@dataclass(frozen=True, eq=False)
class Data:
    """Images, series, frames of events or sentences, and labels, split and ready to train with. Made by `load`. What is said of images
    holds for the others too, but for the scaling: series are float32 as they were read, frames the numbers of events, sentences token ids.
    Samples may have several inputs; then a mapping by the input's name stands in place of one array, and batches are such mappings.

    Args:
        name: Short name of the data set.
        image_shape: (H, W, C) of images, (T, C) of series, (T, H, W, 2) of frames of events, (L,) of sentences; of several inputs a
            mapping of such shapes.
        num_classes: Number of classes; 0 where labels are numbers.
        class_names: What label 0, 1, ... stands for.
        batch_size: Images in a batch.
        augment: Names of `AUGMENTATIONS` joined with `+`; only training images are augmented.
        seed: Decides the order and the augmentation of the training images, together with the epoch, and nothing else does.
        label_seed: Decides, in its place, which images are labelled (see `labelled`).
        train_arrays, validation_arrays, test_arrays: Images uint8 `[N, H, W, C]`, series float32 `[N, T, C]` or frames uint8
            `[N, T, H, W, 2]` or token ids int32 `[N, L]`, of several inputs a mapping of uint8 images and
            float32 vectors and series; and labels int32 `[N]`, or of a regression float32 `[N, K]` or `[N, H, W, K]`.
        views: How many augmented versions of each training image there are: epoch e shows view `e % views`. `None` for a new one each
            epoch.
        mixup: Strength a of mixup, 0 for none: a view mixes each training image, once augmented, with another one (see
            `keras_snnkd.data.mixup`), and its label is then the shares of the classes, float32 `[B, num_classes]`.
        notes: How it was read and split, in phrases.
        resize: How its pictures were brought to one size, if they were.
        vocabulary: Of sentences, the tokens by their ids.
        unlabelled: More sentences for a stage without labels, int32 `[N, L]`.

    Raises:
        ValueError: `batch_size`, `seed`, `views` or `mixup` is out of range.
        UnknownNameError: A part of `augment` is not known.

    Example:
        >>> data = keras_snnkd.data.load("fashion_mnist", augment="flip+crop")
        >>> model.fit(data.train, validation_data=data.validation, epochs=20)
    """

    name: str
    image_shape: Any
    num_classes: int
    class_names: tuple[str, ...]
    batch_size: int
    augment: str
    seed: int
    train_arrays: Arrays = field(repr=False)
    validation_arrays: Arrays = field(repr=False)
    test_arrays: Arrays = field(repr=False)
    views: int | None = None
    mixup: float = 0.0
    notes: tuple[str, ...] = ()
    resize: Resize | None = None
    vocabulary: tuple[str, ...] = ()
    unlabelled: np.ndarray | None = field(default=None, repr=False)
    label_seed: int | None = None

    def __post_init__(self) -> None:
        check_settings(self.batch_size, self.augment, self.seed, self.views, self.mixup)
        if self.is_named and (self.augment != "none" or self.mixup):
            raise ValueError(
                f"augment={self.augment!r}, mixup={self.mixup:g} (--augment, --mixup) change single images, and {self.name} has the inputs "
                f"{', '.join(self.image_shape)}; leave them out"
            )
        check_axes(self.augment, self._axes)
        if self.mixup and (self.is_text or self.gives_numbers):
            raise ValueError(f"mixup (--mixup) mixes images and their classes, and {self.name} has {self.kind} of {self.labels_told}")

    @property
    def is_named(self) -> bool:
        """Whether samples have several inputs, by name."""
        return isinstance(self.image_shape, Mapping)

    @property
    def _axes(self) -> int:
        """Of one sample; 0 where there are several inputs."""
        return 0 if self.is_named else len(self.image_shape)

    @property
    def is_series(self) -> bool:
        """Whether these are series `[T, C]`, and no images."""
        return self._axes == 2

    @property
    def is_events(self) -> bool:
        """Whether these are frames of events `[T, H, W, 2]`."""
        return self._axes == 4

    @property
    def is_text(self) -> bool:
        """Whether these are sentences, token ids `[L]`."""
        return self._axes == 1

    @property
    def kind(self) -> str:
        """What a sample is called, of many."""
        if self.is_named:
            return "samples"
        if self.is_events:
            return "frames of events"
        return "series" if self.is_series else "sentences" if self.is_text else "images"

    @property
    def gives_numbers(self) -> bool:
        """Whether labels are numbers, of a regression, and no classes."""
        return self.train_arrays[1].dtype.kind == "f"

    @property
    def num_outputs(self) -> int:
        """What a network has to give: so many logits, or numbers, at each place of a dense map."""
        return self.train_arrays[1].shape[-1] if self.gives_numbers else self.num_classes

    @property
    def labels_told(self) -> str:
        """What there is to learn, in words."""
        if not self.gives_numbers:
            return f"{self.num_classes} classes"
        shape = self.train_arrays[1].shape[1:]
        if len(shape) > 1:
            return f"maps {shape} of numbers"
        return "one number each" if shape[0] == 1 else f"{shape[0]} numbers each"

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training images. All are full; fewer images than `batch_size` make one smaller batch."""
        return max(1, count(self.train_arrays[0]) // self.batch_size)

    @property
    def train(self) -> Any:
        """Training batches, one epoch a pass: the k-th pass over one `data.train` is epoch k, the same in each run.

        A `tf.data.Dataset` of images float32 in [0, 1) `[B, H, W, C]` and labels int32 `[B]`, or what else there is. Each
        access starts at epoch 0.
        """
        import tensorflow as tf

        passes = itertools.count()

        def next_pass() -> Iterator[Any]:
            yield next(passes)

        epoch = tf.data.Dataset.from_generator(next_pass, output_signature=tf.TensorSpec([], tf.int64))
        return self._batches(epoch, self.steps_per_epoch)

    def training(self, initial_epoch: int = 0, places: bool = False, replicas: range = range(1), of: int = 1) -> Any:
        """Training batches of all epochs from `initial_epoch` on, one after the other, without end.

        A resumed run sees the batches that an uninterrupted one would have seen.

        Args:
            initial_epoch: The first epoch, counted from 0.
            places: Whether each batch also tells which view of which image it holds: int64 `[B]`, `view * N + index`.
            replicas: Which of the `of` equal parts of each batch are wanted; each part is a batch of its own, `[B / of, ...]`, and nothing
                else is made.
            of: In how many parts each batch is divided, for training on so many devices (see `keras_snnkd.strategy`).

        Returns:
            An infinite `tf.data.Dataset` of images and labels as in `train`, and places.

        Raises:
            ValueError: `initial_epoch` is negative, or the images in a batch cannot be divided by `of`.

        Example:
            >>> model.fit(data.training(5), steps_per_epoch=data.steps_per_epoch, initial_epoch=5, epochs=20)
        """
        import tensorflow as tf

        if initial_epoch < 0:
            raise ValueError(f"initial_epoch must be at least 0, got {initial_epoch}.")
        return self._batches(tf.data.Dataset.counter(initial_epoch), tf.data.INFINITE_CARDINALITY, places, replicas, of)

    def view(self, number: int, indices: Tensor) -> Any:
        """Some training images as they are in one view; the very pixels of the training batches.

        Args:
            number: Of the view, counted from 0.
            indices: Of the images in `train_arrays`, `[B]`.

        Returns:
            Images float32 in [0, 1) `[B, H, W, C]`.

        Example:
            >>> images, labels, places = next(iter(data.training(places=True)))
            >>> data.view(0, places % len(data.train_arrays[0]))  # the same images
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            images = lambda places: rows(self.train_arrays[0], np.asarray(places))  # noqa: E731
            look = tf.nest.map_structure(lambda drawn: tf.gather(drawn, indices), self._look(number))
            return self._shown(images, np.asarray(indices), look)

    @property
    def validation(self) -> Any:
        """Validation batches: every image once, in fixed order, not augmented. Shapes as in `train`."""
        return self._in_order(self.validation_arrays)

    @property
    def test(self) -> Any:
        """Test batches: every image once, in fixed order, not augmented. Shapes as in `train`."""
        return self._in_order(self.test_arrays)

    def sample(self, count: int) -> Arrays:
        """The first `count` test images (fewer if there are fewer), for plots and parity checks.

        Args:
            count: How many, at least 1.

        Returns:
            Images float32 in [0, 1) `[count, H, W, C]` and labels int32 `[count]`, as arrays.

        Raises:
            ValueError: `count` is below 1.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}.")
        images, labels = self.test_arrays
        return of_each(lambda values: np.array(to_float(values[:count])), images), labels[:count]

    def labelled(self, share: float) -> "Data":
        """The same data with the labelled training images alone, each as often as makes an epoch as long as before.

        Of each class the first images in an order that the seed decides are labelled, at least one.

        Args:
            share: Of the training images that are labelled, above 0 and at most 1.

        Raises:
            ValueError: For a share out of range.
        """
        if check_share(share) == 1:
            return self
        images, labels = self.train_arrays
        known = np.flatnonzero(self._is_labelled(share))
        places = np.resize(known, max(len(known), len(labels)))
        return replace(self, train_arrays=(rows(images, places), labels[places]))

    def partly_labelled(self, share: float) -> "Data":
        """The same data, with -1 as the label of training images that are not labelled; see `labelled`.

        Raises:
            ValueError: For a share out of range.
        """
        if check_share(share) == 1:
            return self
        images, labels = self.train_arrays
        return replace(
            self,
            train_arrays=(images, np.where(self._is_labelled(share), labels, UNLABELLED).astype(labels.dtype)),
        )

    def with_seed(self, seed: int, same_labels: bool = False) -> "Data":
        """The same data in another order, and augmented otherwise.

        Args:
            seed: Another one.
            same_labels: Whether the images that are labelled (see `labelled`) stay those of the seed before: those that a teacher has seen.
        """
        before = self.seed if self.label_seed is None else self.label_seed
        return replace(self, seed=seed, label_seed=before if same_labels else None)

    def _is_labelled(self, share: float) -> np.ndarray:
        return is_labelled(self.train_arrays[1], share, self.seed if self.label_seed is None else self.label_seed)

    def with_unlabelled(self) -> "Data":
        """The same data with the unlabelled samples among the training samples, under the label -1; for a stage without labels."""
        if self.unlabelled is None:
            return self
        samples, labels = self.train_arrays
        more = np.full((len(self.unlabelled), *labels.shape[1:]), UNLABELLED, labels.dtype)
        return replace(self, train_arrays=(np.concatenate([samples, self.unlabelled]), np.concatenate([labels, more])), unlabelled=None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the name and of every image and label: equal for equal data."""
        digest = hashlib.sha256(self.name.encode())
        more = () if self.unlabelled is None else (self.unlabelled,)
        for name in self.image_shape if self.is_named else ():
            digest.update(name.encode())
        parts = [array for part in (self.train_arrays, self.validation_arrays, self.test_arrays) for array in (*arrays(part[0]), part[1])]
        for array in (*parts, *more):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def repeats(self) -> list[str]:
        """What is to be said of images that are there more than once, see `keras_snnkd.data.repeats`."""
        parts = {"train": self.train_arrays, "validation": self.validation_arrays, "test": self.test_arrays}
        return repeats(parts, self.kind)

    def _batches(self, epochs: Any, cardinality: int, places: bool = False, replicas: range = range(1), of: int = 1) -> Any:
        """Shuffled, augmented batches of each of `epochs`, a dataset of numbers; or some parts of each batch."""
        import tensorflow as tf

        total, steps = count(self.train_arrays[0]), self.steps_per_epoch
        size = min(self.batch_size, total)
        if size % of:
            raise ValueError(f"{size} images in a batch cannot be divided evenly among {of} devices; choose a --batch-size that can")
        images, labels = on_cpu(self.train_arrays)

        def plan(epoch: Tensor) -> Any:
            view = epoch if self.views is None else epoch % self.views
            order = tf.random.experimental.stateless_shuffle(tf.range(total, dtype=tf.int64), self._seed(epoch, 0))
            parts = tf.reshape(order[: steps * size], [steps, of, size // of])[:, replicas.start : replicas.stop]
            indices = tf.reshape(parts, [steps * len(replicas), size // of])
            look = tf.nest.map_structure(lambda drawn: tf.gather(drawn, indices), self._look(view))
            return tf.data.Dataset.from_tensor_slices((indices, look, view * total + indices))

        def batch(indices: Tensor, look: dict[str, Tensor], place: Tensor) -> Any:
            some = functools.partial(_gathered, images)
            content = self._shown(some, indices, look), self._labelled(labels, indices, look)
            return (*content, place) if places else content

        batches = epochs.flat_map(plan).apply(tf.data.experimental.assert_cardinality(cardinality))
        return batches.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def _look(self, view: Tensor) -> dict[str, Tensor]:
        """What decides how each training image looks in a view: random integers `[N, k]`; for mixup also the partner and its integers,
        and the share of the image itself, `[N]`."""
        import tensorflow as tf

        total = count(self.train_arrays[0])
        shape = (1, 1, 1) if self.is_named else (*self.image_shape, 1) if self.is_text else self.image_shape[-3:]
        integers = augmentation(self.augment).draw(total, shape, self._seed(view, 1))
        if not self.mixup:
            return {"integers": integers}
        partner = self._partners(view)
        share = shares(self.mixup, total, self._seed(view, 3))
        return {"integers": integers, "partner": partner, "partner_integers": tf.gather(integers, partner), "share": share}

    def _partners(self, view: Tensor) -> Tensor:
        """For mixup another image of each, `[N]`: a labelled one of a labelled one, so that no mixture has a label in part."""
        import tensorflow as tf

        places = tf.range(count(self.train_arrays[0]), dtype=tf.int64)
        known = self.train_arrays[1] != UNLABELLED
        if known.all():
            return tf.random.experimental.stateless_shuffle(places, self._seed(view, 2))
        for group in map(np.flatnonzero, (known, ~known)):
            partners = tf.random.experimental.stateless_shuffle(tf.constant(group, tf.int64), self._seed(view, 2))
            places = tf.tensor_scatter_nd_update(places, group[:, None], partners)
        return places

    def _shown(self, images: Callable[[Tensor], Samples], indices: Tensor, look: dict[str, Tensor]) -> Tensor:
        """The pixels of training images; `images` gives those of some indices, as bytes."""
        import tensorflow as tf

        if self.is_named:  # nothing changes these
            return of_each(to_float, images(indices))
        augment = functools.partial(augmented, augmentation(self.augment).apply)
        own = augment(to_float(images(indices)), look["integers"])
        if not self.mixup:
            return own
        other = augment(to_float(images(look["partner"])), look["partner_integers"])
        share = tf.reshape(look["share"], (-1, *[1] * len(self.image_shape)))
        return share * own + (1 - share) * other

    def _labelled(self, labels: Tensor, indices: Tensor, look: dict[str, Tensor]) -> Tensor:
        """Their class numbers `[B]`, or with mixup the shares of the classes `[B, C]`."""
        import tensorflow as tf

        own = tf.gather(labels, indices)
        if not self.mixup:
            return own
        share = look["share"][:, None]
        other = tf.one_hot(tf.gather(labels, look["partner"]), self.num_classes)
        return share * tf.one_hot(own, self.num_classes) + (1 - share) * other

    def _seed(self, number: Tensor, purpose: int) -> Tensor:
        """The seed of epoch or view `number`: for the order (purpose 0), the augmentation (1), or mixup's partners (2) and shares (3)."""
        import tensorflow as tf

        fold = tf.random.experimental.stateless_fold_in
        return fold(fold([self.seed, 0], tf.cast(number, tf.int64)), purpose)  # 0 as int32 would give another seed

    def _in_order(self, part_arrays: Arrays) -> Any:
        """Batches of all of them, the last one perhaps smaller."""
        import tensorflow as tf

        images, labels = on_cpu(part_arrays)

        def batch(start: Tensor) -> Any:
            part = slice(start, start + self.batch_size)
            return of_each(lambda values: to_float(values[part]), images), labels[part]

        starts = tf.data.Dataset.range(0, len(labels), self.batch_size)
        return starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
