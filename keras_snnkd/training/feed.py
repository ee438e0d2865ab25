"""What a chain trains on: a data set of this package, arrays, or a `tf.data.Dataset`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_snnkd._types import Tensor
from keras_snnkd.errors import KDError, ShapeError

BATCH_SIZE = 32
"""Samples in a batch of arrays, where there are enough."""

FORMS = (
    "what keras_snnkd.data.load returns; arrays (x, y), or ((x, y), (x_validation, y_validation)); or (train, validation), two batched, "
    "finite tf.data.Datasets of (inputs, labels)"
)


def feed(data: Any, batch_size: int = BATCH_SIZE, seed: int = 0) -> Any:
    """Something with `training(initial_epoch)`, `steps_per_epoch` and `validation`, from whatever a person has.

    Args:
        data: Such a thing, which is returned as it is; arrays `(x, y)`, of which a tenth of each class becomes validation, or
            `((x, y), (x_validation, y_validation))`; two `tf.data.Dataset`s `(train, validation)`; or a mapping with the keys `"train"` and
            `"validation"`. Inputs may have any shape; those of uint8 become multiples of 1/256, as everywhere here. Labels are class
            numbers `[N]`, or one-hot `[N, C]`.
        batch_size: Of arrays.
        seed: Of the order of arrays.

    Raises:
        KDError, ShapeError: For anything else, with what can be given.

    Example:
        >>> chain.run((x_train, y_train))
    """
    if all(hasattr(data, name) for name in ("training", "steps_per_epoch", "validation")):
        return data
    if isinstance(data, Mapping):
        data = (data.get("train"), data.get("validation"))
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        without = "; a Dataset needs another one for validation, (train, validation)" if _is_dataset(data) else ""
        raise KDError(f"cannot train on a {type(data).__name__}; give {FORMS}{without}")
    first, second = data
    if _is_dataset(first):
        if not _is_dataset(second):
            raise KDError(f"validation data must be a tf.data.Dataset too, got a {type(second).__name__}; give {FORMS}")
        return Streams(first, second)
    if isinstance(first, (tuple, list)) and len(first) == 2:
        train, validation = _arrays(first, "training"), (_arrays(second, "validation") if second is not None else None)
    else:
        train, validation = _arrays(data, "training"), None
    if validation is None:
        held = _tenth(train[1])
        validation, train = tuple(part[held] for part in train), tuple(part[~held] for part in train)
    return ArrayFeed(train, validation, min(batch_size, len(train[1])), seed)


class ArrayFeed:
    """Batches of arrays, whose order depends on seed and epoch alone.

    Args:
        train: Inputs float32 `[N, ...]` and labels int32 `[N]`.
        validation: The same.
        batch_size: Samples in a batch, at most N.
        seed: Of the order.
    """

    def __init__(self, train: tuple[np.ndarray, ...], validation: tuple[np.ndarray, ...], batch_size: int, seed: int) -> None:
        self.train, self.held, self.batch_size, self.seed = train, validation, batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return len(self.train[1]) // self.batch_size

    def training(self, initial_epoch: int = 0) -> Any:
        """Batches of all epochs from this one on, without end, as a `tf.data.Dataset`."""
        import tensorflow as tf

        inputs, labels = (tf.constant(part) for part in self.train)

        def order(epoch: Tensor) -> Any:
            seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
            shuffled = tf.random.experimental.stateless_shuffle(tf.range(len(self.train[1])), seed)
            return tf.data.Dataset.from_tensor_slices(shuffled).batch(self.batch_size, drop_remainder=True)

        places = tf.data.Dataset.counter(initial_epoch).flat_map(order)
        return places.map(lambda chosen: (tf.gather(inputs, chosen), tf.gather(labels, chosen))).prefetch(2)

    @property
    def validation(self) -> Any:
        """Validation batches in order."""
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices(self.held).batch(self.batch_size)


class Streams:
    """Batches of two `tf.data.Dataset`s as they come; a resumed run starts the first one anew.

    Args:
        train: Batched and finite.
        validation: Likewise.
    """

    def __init__(self, train: Any, validation: Any) -> None:
        for name, dataset in (("training", train), ("validation", validation)):
            _check_dataset(name, dataset)
        self.train, self.validation = train, validation
        count = int(train.cardinality())
        self.steps_per_epoch = sum(1 for _ in train) if count < 0 else count

    def training(self, initial_epoch: int = 0) -> Any:
        """The training batches over and over."""
        return self.train.repeat()


def _is_dataset(data: object) -> bool:
    return hasattr(data, "element_spec") and hasattr(data, "cardinality")


def _check_dataset(name: str, dataset: Any) -> None:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise KDError(f"the {name} dataset gives {spec}; expected pairs (inputs, labels)")
    if len(spec[1].shape) == 0:
        raise KDError(f"the {name} dataset gives single samples; batch it, dataset.batch({BATCH_SIZE})")
    if int(dataset.cardinality()) == -1:
        raise KDError(f"the {name} dataset has no end, so an epoch has no length; cut it, dataset.take(steps)")


def _arrays(pair: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in float32 and class numbers in int32."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise KDError(f"the {name} data must be a pair (inputs, labels), got a {type(pair).__name__}; give {FORMS}")
    inputs, labels = (np.asarray(part) for part in pair)
    if inputs.dtype.kind not in "fiub" or inputs.ndim < 2:
        raise ShapeError(f"the {name} inputs must be numbers [N, ...], got {inputs.dtype} of shape {inputs.shape}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(-1)
    labels = labels.reshape(-1) if labels.ndim == 2 else labels
    if labels.ndim != 1 or len(labels) != len(inputs) or not np.all(labels == labels.astype(int)):
        raise ShapeError(f"the {name} labels must be one class number for each of {len(inputs)} samples, got shape {labels.shape}")
    scale = np.float32(1 / 256) if inputs.dtype == np.uint8 else np.float32(1)
    return inputs.astype("float32") * scale, labels.astype("int32")


def _tenth(labels: np.ndarray) -> np.ndarray:
    """Which samples are validation: every tenth of each class, and at least one of all."""
    held = np.zeros(len(labels), bool)
    held[np.argsort(labels, kind="stable")[min(5, len(labels) - 1) :: 10]] = True
    return held
