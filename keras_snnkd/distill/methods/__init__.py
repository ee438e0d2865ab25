"""Published methods by name: which objectives, with which weights, from which teacher, and how far each one can be trusted.

Data alone, one file per family. The equations are in `keras_snnkd.distill.objectives`, one class each, which a method names.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from keras_snnkd.distill import objectives as registry
from keras_snnkd.distill.methods import features, frames, logits, self_distillation, spikes, text
from keras_snnkd.distill.methods.method import READS, STARTS, TEACHERS, TRUST, Method
from keras_snnkd.distill.schedules import Weight
from keras_snnkd.errors import unknown_name

__all__ = ["READS", "STARTS", "TEACHERS", "TRUST", "Method", "combine", "compared", "get", "names"]

_METHODS = (*logits.METHODS, *spikes.METHODS, *features.METHODS, *self_distillation.METHODS, *frames.METHODS, *text.METHODS)
_BY_NAME = {method.name: method for method in _METHODS}

COACHED = "coached:"
"""What stands before the name of an objective or a method whose teacher is to be paced."""

TOGETHER = "+"
"""What stands between the names of objectives and methods that are to be one, such as `hinton+bkdsnn`."""

_COACHING = "Zhang et al., CVPR 2023, arXiv:2306.10014"

_OF_SPIKES = ("spike_train", "membrane")
"""Objectives that only a spiking teacher has something for."""


def names() -> list[str]:
    """The methods that `get` knows."""
    return list(_BY_NAME)


def compared() -> list[str]:
    """Those that `--mode compare --objective all` compares."""
    return [name for name, method in _BY_NAME.items() if method.compared]


def get(name: str) -> Method:
    """The method of a name.

    Raises:
        UnknownNameError: For an unknown one; the nearest is offered.

    Example:
        >>> kd.methods.get("full_range").equation
    """
    if name not in names():
        raise unknown_name("method", name, _BY_NAME, "python train.py --list methods")
    return _BY_NAME[name]


def combine(entries: Iterable[str | Mapping[str, Any]], label_weight: Weight | None = None) -> Method:
    """What a list of objectives and methods asks for, as one method: all objectives, and the label weight and start of the methods.

    A name that is both an objective and a method is the objective.

    Args:
        entries: Names or mappings of objectives, or names of methods; also `"hinton+bkdsnn"`, which is both.
        label_weight: Goes before those of the methods.

    Returns:
        The method; a known one as it is, but for the label weight.

    Raises:
        UnknownNameError: For a name that is neither, or an argument that an objective does not have.
        ValueError: For arguments to a method, and for methods that disagree on label weight, start or teacher.

    Example:
        >>> kd.methods.combine(["hsd", {"objective": "spike_train", "window": 2}]).objectives
    """
    parts = [_method(entry, label_weight) for entry in entries]
    asked = [part for part in parts if part.source] or parts[:1]  # methods have a source, objectives none
    for field in ("label_weight", "start", "first", "chain", "frames", "longer", "gradient"):
        different = {str(getattr(part, field)) for part in asked}
        if len(different) > 1 and not (field == "label_weight" and label_weight is not None):
            hint = "give --label-weight" if field == "label_weight" else "take one of them"
            raise ValueError(f"the methods {', '.join(part.name for part in asked)} want another {field} each; {hint}")
    first = asked[0] if asked else Method("none", ())
    if len(parts) > 1:
        kinds = {part.teacher for part in parts}
        teacher = next((kind for kind in ("snn", "twin", "ann", "any") if kind in kinds), "self")
        first = dataclasses.replace(first, name="+".join(part.name for part in parts), teacher=teacher)
    weight = first.label_weight if label_weight is None else label_weight
    objectives = tuple(objective for part in parts for objective in part.objectives)
    return dataclasses.replace(first, objectives=objectives, label_weight=weight)


def _coached(method: Method) -> Method:
    """The method with an easier teacher at first: each objective with a teacher is `Coached`."""
    entries = [dict(entry) if isinstance(entry, Mapping) else {"objective": entry} for entry in method.objectives]
    taught = [entry for entry in entries if registry.get(entry).uses_teacher]
    if not taught:
        raise ValueError(f"{COACHED}{method.name}: {method.name} has no teacher to pace")
    paced = [
        {"objective": "coached", "of": {k: v for k, v in entry.items() if k != "weight"}, "weight": entry.get("weight", 1.0)}
        if entry in taught
        else entry
        for entry in entries
    ]
    return dataclasses.replace(
        method, name=f"{COACHED}{method.name}", objectives=tuple(paced), source=method.source and f"{method.source}; {_COACHING}",
        trust="reconstruction",
    )  # fmt: skip


def _together(names: list[str], label_weight: Weight | None) -> Method:
    """Several objectives and methods as one, which is no better known than the least known of them."""
    parts = [_method(name) for name in names]
    trust = max((part.trust for part in parts if part.source), key=TRUST.index, default=TRUST[-1])
    return dataclasses.replace(combine(names, label_weight), source="; ".join(part.source for part in parts if part.source), trust=trust)


def _unknown(name: object) -> Exception:
    """The error for a name that is neither an objective's nor a method's."""
    return unknown_name("objective", name, {*registry.names(), *names()}, f"{registry.LISTED}, or methods")


def _method(entry: str | Mapping[str, Any], label_weight: Weight | None = None) -> Method:
    """An objective, or a method's name, as a method; several of them with `+` between their names."""
    mapping = {"objective": entry} if isinstance(entry, str) else entry
    name = mapping.get("objective")
    if isinstance(name, str) and TOGETHER in name and len(mapping) == 1:
        return _together(name.split(TOGETHER), label_weight)
    if isinstance(name, str) and name.startswith(COACHED):
        return _coached(_method({**mapping, "objective": name.removeprefix(COACHED)}, label_weight))
    if not isinstance(name, str):
        raise _unknown(name)
    if name in registry.names() or name not in _BY_NAME:
        if name not in registry.names():
            raise _unknown(name)
        registry.get(mapping)
        if name in _BY_NAME:
            teacher = _BY_NAME[name].teacher
        else:
            teacher = "snn" if name in _OF_SPIKES else "any"
        return Method(name, (entry,), teacher=teacher)
    if len(mapping) > 1:
        extra = ", ".join(str(key) for key in mapping if key != "objective")
        raise ValueError(f"the method {name} takes no arguments, got {extra}; give its objectives")
    return _BY_NAME[name]
