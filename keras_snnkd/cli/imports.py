"""A user's own layers and models, from a module that the user names; nothing is ever imported because a file says so."""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from keras_snnkd.errors import KDError


class ImportModuleError(KDError, ImportError):
    """A module that cannot be imported."""


def import_classes(name: str) -> list[str]:
    """Import a module, so that files may hold its layers and models.

    What it registers with `keras.saving.register_keras_serializable` is known then, and so are its other classes of layers and models by
    their names. The module is run, with all that it does.

    Args:
        name: As in Python's `import`; the current folder is looked in too.

    Returns:
        The names of the classes registered here.

    Raises:
        ImportModuleError: If there is no such module, or it fails.

    Example:
        >>> import_classes("my_layers")
        >>> teacher = kd.models.load("teacher.keras")
    """
    if name.endswith(".py") or "/" in name:
        raise ImportModuleError(f"--import takes the name of a module, as Python's import does, got {name!r}; try {Path(name).stem}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        where = f"there is no module {error.name!r}, looked for in {here} and where Python's packages are"
        raise ImportModuleError(f"--import {name}: {where}") from error
    except Exception as error:  # whatever the module raises
        raise ImportModuleError(f"--import {name}: the module fails with {type(error).__name__}: {error}") from error
    return _register(module)


def _register(module: Any) -> list[str]:
    """Tell Keras the module's classes that it did not register itself."""
    import keras

    known = keras.saving.get_custom_objects()
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, keras.Layer) and value.__module__ == module.__name__
    ]
    new = {cls.__name__: cls for cls in own if cls not in known.values()}
    known.update(new)
    return sorted(new)
