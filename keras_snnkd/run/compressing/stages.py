"""What `--compress` names: stages that make a trained student cheaper, one after the other, each taught by the student before it."""

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_snnkd import compress, metrics, models
from keras_snnkd.compress.zeros import MANY_ZEROS
from keras_snnkd.distill import objectives
from keras_snnkd.distill.objectives.budget import BREAK_EVEN
from keras_snnkd.distill.stage import Stage
from keras_snnkd.errors import NothingToGainError, unknown_name
from keras_snnkd.layers.encoders import is_count, is_number
from keras_snnkd.layers.synapses import UncountableError
from keras_snnkd.run.compressing.ways import FINE, MEMBRANES, REVERSE_SPARSITY, WORDS, Step

COMPRESS = "compress"
"""The key of a word in a recipe's entry."""

REVERSE = "reverse"
"""The word whose student is taught by a sparse one; it prunes the student itself where no word of `PRUNING` stands before it."""

PRUNING = ("stds", "unstructured", "magnitude")
"""Words that prune weights; the first is what `reverse` does by itself."""

SPIKES = "spikes"
"""The word that holds a budget: by default that of the break-even."""

TRAINS = "tt"
"""The word that makes new kernels, which have none of the zeros of the old ones."""

CHANNELS = "channels"
"""The word behind which layers have as many channels as the trained student needs."""

ROUNDING = ("int8", "int4", "ternary")
"""Words behind which a student is a network of integers."""

OF_FLOATS = (*PRUNING, CHANNELS, TRAINS, *ROUNDING, "approximate", "device")
"""Words that such a student has no layers for."""

VARIANTS = ("approximate",)
"""Words whose students stand beside one another, and not one behind the other."""

STUDENT = "student"
"""What the names of stages begin with."""

TRAINING: dict[str, Any] = {"epochs": None, "learning_rate": None, "taught": True}
"""What every word takes beside its own arguments: how long it trains and how fast, and whether the student before teaches."""


def read(entries: Iterable[Any]) -> list[dict[str, Any]]:
    """The entries of a recipe as mappings, checked as far as that is possible without a student.

    Args:
        entries: Words, or mappings such as `{"compress": "stds", "sparsity": 0.9, "epochs": 5}`.

    Raises:
        UnknownNameError: For an unknown word or argument; the nearest is offered.
        ValueError: For values that cannot be.

    Example:
        >>> read(["int8", {"compress": "spikes", "rate": 0.05}])
    """
    found: list[dict[str, Any]] = []
    for entry in entries:
        if isinstance(entry, str):
            entry = {COMPRESS: entry}
        if not isinstance(entry, Mapping):
            raise ValueError(f"a way to compress is a word or a mapping with the key {COMPRESS!r}, got {entry!r}")
        step_of(entry, None)
        if entry[COMPRESS] == REVERSE:
            found += _sparse_teacher(entry, found)
            entry = {name: value for name, value in entry.items() if name != "sparsity"}  # it is that of the teacher now
        found.append(dict(entry))
    check_order(found)
    return found


def _sparse_teacher(entry: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What prunes the student that teaches in reverse: nothing, where a word before it does."""
    if entry.get("taught", True) is False:
        raise ValueError(f"{REVERSE} is to learn from the sparse student, got taught=False; leave it out")
    words = [one[COMPRESS] for one in before if one[COMPRESS] in PRUNING]
    if not words:
        return [{COMPRESS: PRUNING[0], "sparsity": entry.get("sparsity", REVERSE_SPARSITY)}]
    if "sparsity" in entry:
        raise ValueError(f"{words[-1]} prunes the student that teaches {REVERSE}; give the sparsity there, and leave it out of {REVERSE}")
    return []


def check_order(entries: Sequence[Mapping[str, Any]]) -> None:
    """Raise a `NothingToGainError` for an entry that asks for no more than one before it did, or undoes what that did.

    Args:
        entries: As `read` gives them.
    """
    asked: dict[Any, tuple[str, float]] = {}
    pruned_by = rounded_by = None
    for entry in entries:
        if entry[COMPRESS] == REVERSE:  # the student is what it was at first
            asked.clear()
            pruned_by = rounded_by = None
            continue
        if rounded_by and entry[COMPRESS] in OF_FLOATS:
            raise NothingToGainError(
                f"{entry[COMPRESS]} behind {rounded_by}: the student is a network of integers by then; name {entry[COMPRESS]} before "
                f"{rounded_by}, or leave one of them out"
            )
        if entry[COMPRESS] in ROUNDING:
            rounded_by = entry[COMPRESS]
        if entry[COMPRESS] in PRUNING:
            pruned_by = entry[COMPRESS]
        elif entry[COMPRESS] == TRAINS and pruned_by:
            raise NothingToGainError(
                f"the factors of a tensor train are dense, so {TRAINS} behind {pruned_by} undoes the pruning; name {TRAINS} first"
            )
        for name, rising in (("sparsity", True), ("rate", False), ("synops", False), ("timesteps", False), ("share", False)):
            value = _asked(entry).get(name)
            if value is None:
                continue
            kind = (name, entry.get("per", "operation") if name == "rate" else None)
            word, before = asked.get(kind, (None, None))
            if before is not None and (value <= before if rising else value >= before):
                raise NothingToGainError(
                    f"{entry[COMPRESS]} asks for {name}={value!r} behind {word} with {name}={before!r}, which is as much or more; ask for "
                    f"{'more' if rising else 'less'}, or leave one of them out"
                )
            asked[kind] = (entry[COMPRESS], value)


def _asked(entry: Mapping[str, Any]) -> dict[str, Any]:
    """All that an entry asks for, said or not."""
    parameters = inspect.signature(WORDS[entry[COMPRESS]]).parameters
    found = {**{name: parameter.default for name, parameter in parameters.items()}, **entry}
    if entry[COMPRESS] == SPIKES and found["rate"] is found["synops"] is None:
        found["rate"] = BREAK_EVEN
    return found


def step_of(entry: Mapping[str, Any], images: Any) -> Step:
    """What an entry does; `images` are of the training set."""
    arguments = {name: value for name, value in entry.items() if name not in (COMPRESS, *TRAINING)}
    word = entry.get(COMPRESS)
    if not isinstance(word, str) or word not in WORDS:
        raise unknown_name("way to compress", word, WORDS)
    known = list(inspect.signature(WORDS[word]).parameters)[1:]
    for name in arguments:
        if name not in known:
            raise unknown_name(f"argument of {word}", name, [*known, *TRAINING])
    for name in ("epochs", "learning_rate"):
        value = entry.get(name)
        number = is_count(value) if name == "epochs" else is_number(value) and value > 0
        if value is not None and not number:
            raise ValueError(f"{name} of {word} must be {'a whole number' if name == 'epochs' else 'a number'} above 0, got {value!r}")
    if not isinstance(entry.get("taught", True), bool):
        raise ValueError(f"taught of {word} is True or False, got {entry['taught']!r}")
    try:
        return WORDS[word](images, **arguments)
    except TypeError as error:
        raise ValueError(f"cannot compress by {word} with {arguments!r:.200}: {error}") from error


def stages(
    entries: Sequence[Mapping[str, Any]], start: str | keras.Model, images: Any, usual: Mapping[str, Any], prefix: str = STUDENT
) -> list[Stage]:
    """The stages of a recipe's entries.

    Args:
        entries: As `read` gives them.
        start: The student that the first of them gets: the name of its stage, or a model.
        images: Some hundred training images, as a network sees them.
        usual: Arguments of every `Stage`: epochs, learning rate, optimizer and so on.
        prefix: Of the stages' names.
    """
    found: list[Stage] = []
    before: str | keras.Model = start
    pruned = False
    for name, entry in zip(stage_names(entries, prefix), entries, strict=True):
        step = step_of(entry, images)
        if entry[COMPRESS] == TRAINS and any(stage.name.startswith(f"{prefix}_{CHANNELS}") for stage in found):
            step = dataclasses.replace(step, requires=None)  # how many channels there will be, no untrained student tells
        found.append(_stage(name, before, start if step.from_first else before, entry, step, usual, pruned))
        before = before if step.beside else name
        pruned = not step.from_first and (pruned or entry[COMPRESS] in PRUNING)
        if step.demands_of_first is not None and len(found) > 1:
            found[0] = dataclasses.replace(found[0], demands=_both(found[0].demands, step.demands_of_first))
    return found


def _both(first: Any, second: Any) -> Any:
    """A function that calls both with its argument."""

    def demands(student: keras.Model) -> None:
        for one in filter(None, (first, second)):
            one(student)

    return demands


def _stage(
    name: str,
    before: str | keras.Model,
    source: str | keras.Model,
    entry: Mapping[str, Any],
    step: Step,
    usual: Mapping[str, Any],
    pruned: bool,
) -> Stage:
    epochs = entry.get("epochs") or usual["epochs"]
    rate = step.rate * (FINE.get(usual.get("optimizer", ""), 1.0) if step.fine else 1.0)
    taught = entry.get("taught", True)
    if step.rises >= epochs:
        raise ValueError(
            f"{entry[COMPRESS]} trains for {epochs} epochs, and its budget is there after ramp={step.rises}: give a shorter ramp, or "
            f"more epochs ({entry[COMPRESS]}:epochs=...)"
        )

    def make(trained: keras.Model) -> keras.Model:
        student = step.make(trained)
        if step.from_first:
            return student
        if pruned or compress.is_pruned(trained):
            compress.keep_zeros(student)
        return student

    membranes = any(objective is MEMBRANES for objective in step.objectives)
    asked = [objective for objective in step.objectives if taught or not objectives.get(objective).uses_teacher]
    return Stage(
        **{
            **usual,
            "name": name,
            "student": make,
            "teacher": before if taught else None,
            "objectives": asked,
            "label_weight": step.label_weight,
            "epochs": epochs,
            "learning_rate": entry.get("learning_rate") or rate * usual["learning_rate"],
            "start_from": source,
            "transfer": None,
            "cache_views": None if membranes or not taught else usual.get("cache_views"),
            "weight_bits": usual["weight_bits"] if step.rounded else 32,
            "settings": {**usual.get("settings", {}), COMPRESS: dict(entry)},
            "demands": step.demands,
            "requires": step.requires,
            "during": step.during,
            "finish": step.finish,
            "judged_from": min(epochs - 1, max(step.rises, int(np.ceil(step.settled * epochs)))),
        }
    )


def stage_names(entries: Sequence[Mapping[str, Any]], prefix: str = STUDENT) -> list[str]:
    """The stages of entries by name: `student_stds`, `student_T4`; from the second of a kind on `student_stds_2`."""
    names: list[str] = []
    for entry in entries:
        word = f"T{entry.get('timesteps', 1)}" if entry[COMPRESS] == "steps" else entry[COMPRESS]
        name, number = f"{prefix}_{word}", 2
        while name in names:
            name, number = f"{prefix}_{word}_{number}", number + 1
        names.append(name)
    return names


def on_device(model: keras.Model, images: Any, labels: Any, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a student's row holds beside the usual if a device is among the entries: `on_device`, how right it is over draws of the last.

    Args:
        model: The student.
        images, labels: As for `keras_snnkd.compress.device_accuracy`.
        entries: What `read` gives.
    """
    faults = [entry for entry in entries if entry[COMPRESS] == "device"]
    if not faults:
        return {}
    fields = [field.name for field in dataclasses.fields(compress.Device)]
    device = compress.Device(**{name: value for name, value in faults[-1].items() if name in fields})
    return {"on_device": compress.device_accuracy(model, images, labels, device).to_dict()}


def costs(model: keras.Model, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a compressed student's row holds beside the usual: its packed size, its zeros, and the energy of its operations.

    Args:
        model: The student.
        row: What is known of it already; see `keras_snnkd.run.finished.evaluation.measure`.
    """
    found: dict[str, Any] = {"compressed_bytes": metrics.compressed_size(model)}
    try:
        found["connection_sparsity"] = sparsity = metrics.connection_sparsity(model)
    except UncountableError:  # of which the row has a note
        return found
    operations = row.get("synaptic_operations")
    if operations:
        arithmetic = "int8" if models.is_quantize_aware(model) else "float32"
        twin = metrics.twin_operations(model)
        found["energy"] = metrics.energy(metrics.Operations(**operations), twin, arithmetic=arithmetic).to_dict()
    if sparsity >= MANY_ZEROS:
        note = f"{sparsity:.0%} of its weights are 0; files for LiteRT pack the better, and take no less time for one image"
        found["notes"] = [*(row.get("notes") or ()), note]
    return found
