"""Whether a label loss takes what a student gives: logits or probabilities."""

import functools
from typing import Any

import keras

from keras_snnkd import graphs
from keras_snnkd.errors import KDError

OF_PROBABILITIES = (
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
)
"""Keras' losses that take probabilities unless they are told otherwise."""

ALWAYS = ("KLDivergence", "CategoricalGeneralizedCrossEntropy")
"""Keras' losses that take probabilities in any case."""


class LossError(KDError, ValueError):
    """A label loss that takes something else than the student gives."""


def check_label_loss(loss: Any, student: keras.Model) -> None:
    """Refuse a label loss on probabilities for a student with logits, and one on logits for a student with probabilities.

    Args:
        loss: What `compile` takes: a name, a function, a `keras.losses.Loss`, a config, or a list or mapping with one of these.
        student: The student. One whose graph does not tell what it gives is taken for one with logits.

    Raises:
        LossError: With the line to change.

    Example:
        >>> check_label_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True), student)
    """
    for part in _parts(loss):
        name, from_logits = _read(part)
        if name is None:
            continue
        if name in ALWAYS and gives_logits(student):
            raise LossError(
                f"the label loss {_told(part)} takes probabilities, and the student {student.name} gives logits; use "
                "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
            )
        if name in OF_PROBABILITIES and not from_logits and gives_logits(student):
            raise LossError(
                f"the label loss {_told(part)} takes probabilities (from_logits=False), and the student {student.name} gives logits; write "
                f"loss=keras.losses.{name}(from_logits=True)"
            )
        if name in OF_PROBABILITIES and from_logits and not gives_logits(student):
            ending = graphs.last_activation(student)
            raise LossError(
                f"the label loss {_told(part)} takes logits (from_logits=True), and the student {student.name} ends in a {ending}; write "
                f"loss=keras.losses.{name}(), or leave the {ending} out of the student"
            )


def gives_logits(student: keras.Model) -> bool:
    """Whether a student gives logits, and not the probabilities of a softmax or sigmoid at its end, as far as its graph tells."""
    return graphs.last_activation(student) not in ("softmax", "sigmoid")


def _parts(loss: Any) -> list[Any]:
    """The single losses in what `compile` takes."""
    if _is_mapping_of_losses(loss):
        return list(loss.values())
    return list(loss) if isinstance(loss, (list, tuple)) else [loss]


def _is_mapping_of_losses(loss: Any) -> bool:
    return isinstance(loss, dict) and "class_name" not in loss


def _read(loss: Any) -> tuple[str | None, bool]:
    """The class of one of Keras' losses, by whatever way it is given, and whether it takes logits; `None` for another loss."""
    if loss is None:
        return None, False
    if isinstance(loss, functools.partial):
        name, from_logits = _read(loss.func)
        return name, bool(loss.keywords.get("from_logits", from_logits))
    try:
        found = keras.losses.get(loss)
    except (ValueError, TypeError):
        return None, False  # Keras itself says what is wrong
    if isinstance(found, type):
        found = found()
    names = (*OF_PROBABILITIES, *ALWAYS)
    for name in names:
        kind = getattr(keras.losses, name, None)
        if kind is not None and isinstance(found, kind):
            return name, bool(found.get_config().get("from_logits", False))
    functions = {id(getattr(keras.losses, _snake(name), None)): name for name in names}
    return functions.get(id(found)), False


def _snake(name: str) -> str:
    if name == "KLDivergence":
        return "kl_divergence"
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _told(loss: Any) -> str:
    """A loss as the user wrote it, as far as that is known."""
    if isinstance(loss, str):
        return repr(loss)
    if isinstance(loss, dict):
        return repr(loss.get("class_name"))
    return getattr(loss, "__name__", None) or f"{type(loss).__name__}(from_logits={getattr(loss, 'from_logits', False)})"
