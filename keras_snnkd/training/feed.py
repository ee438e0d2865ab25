"""What a chain trains on: a data set of this package, arrays, or a `tf.data.Dataset`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_snnkd._types import Tensor
from keras_snnkd.errors import InputError, KDError, ShapeError

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
            numbers `[N]`, one-hot `[N, C]`, or other numbers `[N, ...]`. Inputs may be a mapping of several arrays by their names.
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
        if len(train[1]) < 2:
            raise ShapeError(f"got {len(train[1])} samples; at least 2 are needed, one to train on and one to validate")
        held = _tenth(train[1])
        validation, train = _rows(train, held), _rows(train, ~held)
    return ArrayFeed(train, validation, min(batch_size, len(train[1])), seed)


class ArrayFeed:
    """Batches of arrays, whose order depends on seed and epoch alone.

    Args:
        train: Inputs float32 `[N, ...]`, or a mapping of several, and labels int32 `[N]` or float32 `[N, ...]`.
        validation: The same.
        batch_size: Samples in a batch, at most N.
        seed: Of the order.
    """

    def __init__(self, train: tuple[Any, Any], validation: tuple[Any, Any], batch_size: int, seed: int) -> None:
        self.train, self.held, self.batch_size, self.seed = train, validation, batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch."""
        return len(self.train[1]) // self.batch_size

    def training(self, initial_epoch: int = 0) -> Any:
        """Batches of all epochs from this one on, without end, as a `tf.data.Dataset`."""
        import tensorflow as tf

        inputs, labels = tf.nest.map_structure(tf.constant, self.train)

        def order(epoch: Tensor) -> Any:
            seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
            shuffled = tf.random.experimental.stateless_shuffle(tf.range(len(self.train[1])), seed)
            return tf.data.Dataset.from_tensor_slices(shuffled).batch(self.batch_size, drop_remainder=True)

        places = tf.data.Dataset.counter(initial_epoch).flat_map(order)

        def rows(chosen: Tensor) -> Any:
            return tf.nest.map_structure(lambda part: tf.gather(part, chosen), inputs), tf.gather(labels, chosen)

        return places.map(rows).prefetch(2)

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


def _arrays(pair: Any, name: str) -> tuple[Any, np.ndarray]:
    """Inputs in float32, or token ids in int32, and labels: class numbers in int32, or other numbers in float32."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise KDError(f"the {name} data must be a pair (inputs, labels), got a {type(pair).__name__}; give {FORMS}")
    labels = np.asarray(pair[1])
    if isinstance(pair[0], Mapping):
        several = {str(key): _inputs(value, f"{name} inputs {key!r}", len(labels)) for key, value in pair[0].items()}
        return several, _labels(labels, name)
    return _inputs(pair[0], f"{name} inputs", len(labels)), _labels(labels, name)


def _inputs(inputs: Any, name: str, count: int) -> np.ndarray:
    """One array of inputs as the networks take it."""
    inputs = np.asarray(inputs)
    if inputs.dtype.kind not in "fiub" or inputs.ndim < 2:
        raise ShapeError(f"the {name} must be numbers [N, ...], got {inputs.dtype} of shape {inputs.shape}")
    if len(inputs) != count:
        raise ShapeError(f"the {name} are {len(inputs)}, and there are {count} labels")
    if inputs.dtype in (np.int32, np.int64) and inputs.ndim == 2:  # token ids
        return inputs.astype("int32")
    if inputs.dtype.kind == "f" and not np.all(np.isfinite(inputs)):
        raise InputError(f"the {name} hold NaN or infinite values; leave those samples out, or fill the gaps")
    scale = np.float32(1 / 256) if inputs.dtype == np.uint8 else np.float32(1)
    return inputs.astype("float32") * scale


def _labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Class numbers of labels that are classes, else numbers in float32."""
    if labels.dtype.kind not in "fiub" or labels.ndim < 1:
        raise ShapeError(f"the {name} labels must be numbers, got {labels.dtype} of shape {labels.shape}")
    if not np.all(np.isfinite(labels)):
        raise InputError(f"the {name} labels hold NaN or infinite values; leave out the samples without a label")
    if labels.dtype.kind in "iu" and labels.size and max(abs(int(labels.min())), abs(int(labels.max()))) >= 2**31:
        raise InputError(f"the {name} labels are {labels.min()} to {labels.max()}; expected class numbers 0..K-1, or numbers of 32 bits")
    if labels.ndim == 2 and labels.shape[1] > 1 and _are_shares(labels):
        return labels.argmax(-1).astype("int32")
    if labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
        whole = np.all(labels == np.rint(labels))
        return labels.reshape(-1).astype("int32" if whole else "float32")
    return labels.astype("float32")


def _are_shares(labels: np.ndarray) -> bool:
    """Whether rows are one-hot, or shares of classes."""
    return bool(np.all(labels >= 0) and np.allclose(labels.sum(axis=1), 1, atol=1e-3))


def _rows(parts: Any, chosen: Any) -> tuple[Any, Any]:
    """These samples of inputs and labels."""
    inputs, labels = parts
    some = {name: array[chosen] for name, array in inputs.items()} if isinstance(inputs, Mapping) else inputs[chosen]
    return some, labels[chosen]


def training_labels(data: Any) -> np.ndarray:
    """The labels of all training samples of what `feed` gives.

    Raises:
        KDError: For a stream, of which nobody has seen the end.
    """
    arrays = getattr(data, "train_arrays", None) or getattr(data, "train", None)
    if isinstance(arrays, tuple):
        return np.asarray(arrays[1])
    raise KDError('class_weights="balanced" needs all training labels at once, as arrays; give the weights in numbers for a stream')


def check_classes(data: Any, classes: int, name: str) -> None:
    """Refuse labels that are no numbers of the classes that a student tells apart.

    Args:
        data: What `feed` gives; of a stream the labels are not known before.
        classes: How many scores the student gives.
        name: Of the stage.

    Raises:
        ShapeError: With the labels that came.
    """
    least = -1 if hasattr(data, "train_arrays") else 0  # of a data set that is partly labelled
    for place in ("train_arrays", "validation_arrays", "train", "held"):
        arrays = getattr(data, "__dict__", {}).get(place)
        labels = np.asarray(arrays[1]) if isinstance(arrays, tuple) else np.zeros(0)
        if labels.ndim != 1 or not labels.size or classes < 2:
            continue
        if not np.array_equal(labels, np.rint(labels)) or labels.min() < least or labels.max() >= classes:
            raise ShapeError(
                f"stage {name}: the labels are {labels.min():g} to {labels.max():g}, and its student gives scores of {classes} classes; "
                f"expected whole numbers 0..{classes - 1}, or another task, Stage(task='regression')"
            )


def _tenth(labels: np.ndarray) -> np.ndarray:
    """Which samples are validation: every tenth of each class, or of numbers in their order, and at least one of all."""
    held = np.zeros(len(labels), bool)
    labels = labels if labels.ndim == 1 else labels.reshape(len(labels), -1).mean(axis=1)
    held[np.argsort(labels, kind="stable")[min(5, len(labels) - 1) :: 10]] = True
    return held
