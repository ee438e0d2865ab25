"""Samples as networks take them: one array `[N, ...]`, or of a network with several inputs a mapping of such arrays by input."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from keras_snnkd.errors import ShapeError, unknown_name

Samples: TypeAlias = Any
"""An array `[N, ...]`, or a mapping of arrays `[N, ...]` by the name of the input."""


def of_each(function: Callable[..., Any], samples: Samples, *others: Samples) -> Samples:
    """What a function gives of the array, or of the array of each input; `others` have the inputs of `samples`.

    Example:
        >>> of_each(np.shape, {"left": left, "right": right})  # {"left": (200, 5), "right": (200, 2)}
    """
    if not isinstance(samples, Mapping):
        return function(samples, *others)
    return {name: function(values, *(other[name] for other in others)) for name, values in samples.items()}


def arrays(samples: Samples) -> list[Any]:
    """The array, or those of all inputs."""
    return list(samples.values()) if isinstance(samples, Mapping) else [samples]


def count(samples: Samples) -> int:
    """How many samples there are, N."""
    return len(arrays(samples)[0])


def rows(samples: Samples, where: Any) -> Samples:
    """Some of the samples: those that a slice, places `[M]` or booleans `[N]` name."""
    return of_each(lambda values: values[where], samples)


def by_input(samples: Any, names: Sequence[str], whose: str, in_order: bool = True) -> dict[str, Any]:
    """The samples of each of several inputs, by its name.

    Args:
        samples: A mapping by input.
        names: Of the inputs, at least two.
        whose: What takes them, for messages.
        in_order: Whether a list or tuple in the order of `names` is taken too.

    Raises:
        ShapeError: If it is another kind of thing, an input is missing, or the inputs have different numbers of samples.
        UnknownNameError: For an input that there is not.

    Example:
        >>> by_input({"left": left, "right": right}, ["left", "right"], "the model fused")
    """
    if in_order and isinstance(samples, (list, tuple)) and len(samples) == len(names):
        samples = dict(zip(names, samples, strict=True))
    if not isinstance(samples, Mapping):
        example = ", ".join(f"{name!r}: ..." for name in names)
        raise ShapeError(
            f"{whose} has the inputs {', '.join(names)}; expected a mapping of their samples, {{{example}}}, got {_told(samples)}"
        )
    for name in samples:
        if name not in names:
            raise unknown_name(f"input name for {whose}:", name, names)
    if missing := [name for name in names if name not in samples]:
        raise ShapeError(
            f"no samples for the input {', '.join(missing)} of {whose}; got {', '.join(samples) or 'nothing'}, expected {', '.join(names)}"
        )
    check_counts({name: len(samples[name]) for name in names}, whose)
    return {name: samples[name] for name in names}


def check_counts(counts: Mapping[str, int], whose: str) -> None:
    """A `ShapeError` if inputs have different numbers of samples."""
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {number:,}" for name, number in counts.items())
        raise ShapeError(
            f"the inputs of {whose} have different numbers of samples: {told}; the i-th of each make one sample, so give as many of each"
        )


def _told(samples: Any) -> str:
    """What came in place of a mapping."""
    if isinstance(samples, (list, tuple)):
        return f"a {type(samples).__name__} of {len(samples)}"
    return f"an array of shape {samples.shape}" if hasattr(samples, "shape") else type(samples).__name__
