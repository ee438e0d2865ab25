"""Knowledge distillation for spiking neural networks in Keras, from teacher to edge device.

The parts are imported when they are first used (PEP 562), so that `keras_snnkd.edge` runs where neither Keras nor TensorFlow is
installed.
"""

import importlib
import importlib.util

from keras_snnkd import _registration
from keras_snnkd._version import __version__

_CLASSES = {
    "Chain": "distill.chain",
    "Distiller": "distill.distiller",
    "Ensemble": "distill.ensemble",
    "Objective": "distill.objective",
    "Recipe": "recipe",
    "Stage": "distill.chain",
    "TapModel": "distill.taps",
    "TeacherCache": "distill.cache",
    "WeightSchedule": "distill.callbacks",
}
"""The public classes, and the modules in which they are."""

_PARTS = {
    "comparison": "comparison",
    "data": "data",
    "determinism": "determinism",
    "edge": "edge",
    "experiment": "experiment",
    "export": "export",
    "health": "health",
    "layers": "layers",
    "methods": "distill.methods",
    "metrics": "metrics",
    "models": "models",
    "neurons": "neurons",
    "objectives": "distill.objectives",
    "report": "report",
    "strategy": "strategy",
    "surrogates": "surrogates",
    "tuning": "tuning",
}
"""The public modules, and where they are."""

__all__ = [
    "Chain",
    "Distiller",
    "Ensemble",
    "Objective",
    "Recipe",
    "Stage",
    "TapModel",
    "TeacherCache",
    "WeightSchedule",
    "__version__",
    "comparison",
    "data",
    "determinism",
    "edge",
    "experiment",
    "export",
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


def __getattr__(name):
    if name in _CLASSES:
        value = getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
    else:
        place = f"{__name__}.{_PARTS.get(name, name)}"
        if name.startswith("_") or importlib.util.find_spec(place) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = importlib.import_module(place)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})


_registration.watch(__name__)
