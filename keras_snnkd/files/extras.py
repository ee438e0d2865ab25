"""Packages that only some users need, imported where they are used."""

import importlib
from types import ModuleType

from keras_snnkd.errors import KDError


class MissingPackageError(KDError, ImportError):
    """A package of an extra that is not installed."""


def extra(name: str, *packages: str) -> list[ModuleType]:
    """The packages of an extra, imported.

    Args:
        name: Of the extra in `pyproject.toml`.
        *packages: What to import.

    Raises:
        MissingPackageError: If one is not installed, with the command that installs it.

    Example:
        >>> (nir,) = extra("nir", "nir")
    """
    try:
        return [importlib.import_module(package) for package in packages]
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"this needs the package {error.name}: pip install 'keras_snnkd[{name}]'") from error
