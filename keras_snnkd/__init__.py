"""Knowledge distillation for spiking neural networks in Keras, from teacher to edge device.

Where Keras can be imported, this imports it and registers all classes that may appear in a saved file, so that
`keras.saving.load_model` finds them. Where it cannot, as on a small device, `keras_snnkd.edge` works all the same; and the command
`python -m keras_snnkd.edge`, which loads no such file, never does. The other parts are imported when they are first used (PEP 562).
"""

import importlib
import importlib.util
import itertools
import sys
from typing import Any

from keras_snnkd._kernels import choose_kernels
from keras_snnkd._version import __version__

_SAVED = (
    "surrogates",
    "neurons",
    "layers",
    "distill.distiller",
    "distill.ensemble",
    "distill.joint",
    "distill.objectives",
    "models.joint",
    "training.depth",
    "training.labels",
)
"""The modules that hold classes which may appear in a saved file."""

_CLASSES = {
    "Chain": "distill.chain",
    "Distiller": "distill.distiller",
    "Ensemble": "distill.ensemble",
    "Joint": "distill.joint",
    "Objective": "distill.objective",
    "Recipe": "run.recipes.recipe",
    "Stage": "distill.stage",
    "TapModel": "distill.taps",
    "Task": "training.task",
    "TeacherCache": "distill.cache",
    "WeightSchedule": "distill.callbacks",
    "adapt_teacher": "distill.teachers",
}
"""The public classes and functions, and the modules in which they are."""

_PARTS = {
    "comparison": "run.comparing.comparison",
    "compress": "compress",
    "data": "data",
    "determinism": "training.determinism",
    "edge": "edge",
    "experiment": "run.experiment",
    "export": "export",
    "federated": "federated",
    "health": "run.watching.health",
    "layers": "layers",
    "methods": "distill.methods",
    "metrics": "metrics",
    "models": "models",
    "neurons": "neurons",
    "objectives": "distill.objectives",
    "report": "report",
    "strategy": "training.strategy",
    "surrogates": "surrogates",
    "tuning": "tuning",
}
"""The public modules, and where they are."""

__all__ = [
    "Chain",
    "Distiller",
    "Ensemble",
    "Joint",
    "Objective",
    "Recipe",
    "Stage",
    "TapModel",
    "Task",
    "TeacherCache",
    "WeightSchedule",
    "__version__",
    "adapt_teacher",
    "comparison",
    "compress",
    "data",
    "determinism",
    "edge",
    "experiment",
    "export",
    "federated",
    "health",
    "layers",
    "methods",
    "metrics",
    "models",
    "neurons",
    "objectives",
    "report",
    "strategy",
    "surrogates",
    "tuning",
]


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        value = getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
    else:
        place = f"{__name__}.{_PARTS.get(name, name)}"
        if name.startswith("_") or importlib.util.find_spec(place) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = importlib.import_module(place)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _register() -> None:
    """Enter the classes of saved files in Keras' table, if Keras is there."""
    choose_kernels()
    try:
        import keras  # noqa: F401
    except ImportError:  # on a device; whoever uses more than `keras_snnkd.edge` gets this error then
        return
    for name in _SAVED:
        importlib.import_module(f"{__name__}.{name}")


if ("-m", f"{__name__}.edge") not in itertools.pairwise(sys.orig_argv):  # Keras takes seconds, and that command has no use for it
    _register()
