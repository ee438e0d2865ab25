"""What `--list` shows: the names that options take, as tables."""

import textwrap
from collections.abc import Callable
from typing import Any

from keras_snnkd import neurons
from keras_snnkd.data import loaders, prepared
from keras_snnkd.distill import methods, objectives
from keras_snnkd.errors import unknown_name
from keras_snnkd.export.targets import TARGETS
from keras_snnkd.models.presets import PRESETS
from keras_snnkd.report.columns import Column
from keras_snnkd.report.fitting import Fitting

WITHOUT_NETWORK = ("digits", "japanese_vowels")
NO_DEFAULT = "by the paper"

SOURCE, SUMMARY = 28, 54
"""Letters in a line of these columns: a table of 80 columns holds one of them beside the names."""

NOTES = {
    "methods": "With an ANN teacher, such as a .keras file of yours: the methods whose teacher is ann or any, hinton first, the plainest.\n"
    "--mode compare --objective hinton,... ranks several on your data; docs/methods/README.md has equations and measured gains."
}
"""What is said below a table."""


def listing(kind: str) -> Any:
    """The table of a kind of name, for a console.

    Raises:
        UnknownNameError: For a kind that there is not.

    Example:
        >>> rich.print(listing("methods"))
    """
    if kind not in KINDS:
        raise unknown_name("list", kind, KINDS)
    columns = KINDS[kind]()
    return Fitting(columns, text=len(columns))


def _methods() -> list[Column]:
    found = [methods.get(name) for name in methods.names()]
    return [
        ("method", [[method.name] for method in found]),
        ("teacher", [[method.teacher if method.needs_teacher else "none"] for method in found]),
        ("rests on", [[method.trust] for method in found]),
        ("source", [textwrap.wrap(method.source.partition(", arXiv")[0].partition(";")[0], SOURCE) for method in found]),
        ("what it does", [textwrap.wrap(_first_sentence(method.summary), SUMMARY) for method in found]),
    ]


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _objectives() -> list[Column]:
    found = {name: objectives.named(name) for name in objectives.names()}
    return [
        ("objective", [[name] for name in found]),
        ("tap", [[_tap(cls.default_tap)] for cls in found.values()]),
        ("teacher", [["yes" if cls.uses_teacher else "none"] for cls in found.values()]),
    ]


def _tap(default: Any) -> str:
    """A default tap, or several."""
    return default if isinstance(default, str) else ", ".join(default or [NO_DEFAULT])


def _presets() -> list[Column]:
    return [
        ("preset", [[name] for name in PRESETS]),
        ("builder", [[str(spec["builder"])] for spec in PRESETS.values()]),
        ("widths", [["-".join(str(width) for width in spec["widths"])] for spec in PRESETS.values()]),
        ("neuron", [[str(spec.get("neuron", "as asked"))] for spec in PRESETS.values()]),
    ]


def _datasets() -> list[Column]:
    series = ("japanese_vowels", *prepared.SOUNDS)
    names = loaders.names()
    return [
        ("data set", [*([name] for name in names), ["your own"]]),
        ("holds", [*(["series" if name in series else "images"] for name in names), ["images, series, events, sentences"]]),
        ("network", [*(["none" if name in WITHOUT_NETWORK else "to prepare it"] for name in names), ["none"]]),
        ("given as", [*(["its name"] for _ in names), [".npz, .ts, .csv, .tsv, or a folder"]]),
    ]


def _neurons() -> list[Column]:
    classes = {name: neurons.get(name).__name__ for name in neurons.names()} | {"relu": "an ANN"}
    return [("neuron", [[name] for name in classes]), ("class", [[named] for named in classes.values()])]


def _targets() -> list[Column]:
    return [
        ("target", [[name] for name in TARGETS]),
        ("file", [[target.file] for target in TARGETS.values()]),
        ("what", [[target.label] for target in TARGETS.values()]),
    ]


KINDS: dict[str, Callable[[], list[Column]]] = {
    "methods": _methods,
    "objectives": _objectives,
    "presets": _presets,
    "datasets": _datasets,
    "neurons": _neurons,
    "targets": _targets,
}
"""By what is asked for."""
